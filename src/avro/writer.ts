const SHORT = 63; // a length up to here is one byte of a zigzag varint

/** Writes Avro's primitive types, binary encoding, into a buffer that grows and is used again for the next value. */
export class AvroWriter {
  private buffer: Buffer;
  private at = 0;

  constructor(initialBytes = 4096) {
    this.buffer = Buffer.allocUnsafeSlow(initialBytes);
  }

  /** Starts anew. */
  reset(): void {
    this.at = 0;
  }

  /** What was written since {@link reset}, copied. Small results share Node's buffer pool: do not transfer them. */
  take(): Buffer {
    const bytes = Buffer.allocUnsafe(this.at);
    this.buffer.copy(bytes, 0, 0, this.at);
    return bytes;
  }

  boolean(value: boolean): void {
    this.reserve(1);
    this.buffer[this.at++] = value ? 1 : 0;
  }

  /** int and long: a zigzag varint. Exact for safe integers. */
  long(value: number): void {
    if (!Number.isSafeInteger(value))
      throw new RangeError(`${value} is not an integer that a long can carry exactly.`);
    this.reserve(10);
    const buffer = this.buffer;
    if (value >= -0x40000000 && value < 0x40000000) {
      let bits = ((value << 1) ^ (value >> 31)) >>> 0;
      while (bits > 0x7f) {
        buffer[this.at++] = (bits & 0x7f) | 0x80;
        bits >>>= 7;
      }
      buffer[this.at++] = bits;
      return;
    }
    // zigzag of a safe integer needs up to 54 bits, more than a double holds exactly: the lowest seven go first
    const sign = value < 0 ? 1 : 0;
    const magnitude = value < 0 ? -(value + 1) : value;
    buffer[this.at++] = ((magnitude % 64) << 1) | sign | 0x80;
    let rest = Math.floor(magnitude / 64);
    while (rest > 0x7f) {
      buffer[this.at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    buffer[this.at++] = rest;
  }

  string(value: string): void {
    const length = value.length;
    if (length <= SHORT) {
      // the usual short ASCII text: a loop here is several times as fast as a call out of JavaScript
      this.reserve(1 + length);
      const buffer = this.buffer;
      const start = this.at + 1;
      let i = 0;
      for (; i < length; i++) {
        const unit = value.charCodeAt(i);
        if (unit > 0x7f) break;
        buffer[start + i] = unit;
      }
      if (i === length) {
        buffer[this.at] = length << 1;
        this.at = start + length;
        return;
      }
    }
    const bytes = Buffer.byteLength(value);
    this.long(bytes);
    this.reserve(bytes);
    this.at += this.buffer.write(value, this.at, 'utf8');
  }

  bytes(value: Uint8Array): void {
    this.long(value.length);
    this.reserve(value.length);
    this.buffer.set(value, this.at);
    this.at += value.length;
  }

  private reserve(more: number): void {
    const needed = this.at + more;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(larger, 0, 0, this.at);
    this.buffer = larger;
  }
}
