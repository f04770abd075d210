const SHORT = 63;

/**
 * Bytes that move between threads, and to the store: a writer that grows, and a reader that takes the same steps.
 * Numbers are little-endian; a text is its UTF-8 length (u32) and its bytes; so is a run of bytes.
 */
export class FrameWriter {
  private buffer: Buffer;
  private at = 0;

  constructor(initialBytes = 4096) {
    this.buffer = Buffer.from(new ArrayBuffer(initialBytes));
  }

  get length(): number {
    return this.at;
  }

  u8(value: number): this {
    this.reserve(1);
    this.buffer[this.at++] = value;
    return this;
  }

  u32(value: number): this {
    this.reserve(4);
    this.at = this.buffer.writeUInt32LE(value, this.at);
    return this;
  }

  f64(value: number): this {
    this.reserve(8);
    this.at = this.buffer.writeDoubleLE(value, this.at);
    return this;
  }

  text(value: string): this {
    const { length } = value;
    this.reserve(4 + length * 3); // a UTF-16 unit is at most three bytes of UTF-8
    const start = this.at + 4;
    const written =
      length <= SHORT && this.writeAscii(value, start) ? length : this.buffer.write(value, start, 'utf8');
    this.buffer.writeUInt32LE(written, this.at);
    this.at = start + written;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.reserve(4 + value.length);
    this.buffer.writeUInt32LE(value.length, this.at);
    this.buffer.set(value, this.at + 4);
    this.at += 4 + value.length;
    return this;
  }

  /** Numbers below 2^32, their count first. */
  u32s(values: readonly number[]): this {
    this.u32(values.length);
    this.reserve(values.length * 4);
    for (const value of values) this.at = this.buffer.writeUInt32LE(value, this.at);
    return this;
  }

  /** What was written. A view: the writer is used no further. Its `buffer` can be transferred. */
  finish(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.buffer.buffer as ArrayBuffer, 0, this.at);
  }

  /** What was written, copied; then the writer begins anew. Small results share Node's buffer pool: do not transfer them. */
  take(): Uint8Array {
    const bytes = Buffer.allocUnsafe(this.at);
    this.buffer.copy(bytes, 0, 0, this.at);
    this.at = 0;
    return bytes;
  }

  /** For short texts a loop here is several times as fast as a call out of JavaScript. False: not ASCII. */
  private writeAscii(value: string, start: number): boolean {
    const { buffer } = this;
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 0x7f) return false;
      buffer[start + i] = unit;
    }
    return true;
  }

  private reserve(more: number): void {
    const needed = this.at + more;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.from(new ArrayBuffer(Math.max(needed, this.buffer.length * 2)));
    larger.set(this.buffer.subarray(0, this.at));
    this.buffer = larger;
  }
}

/** Reads what {@link FrameWriter} wrote. Runs of bytes are views of the input, not copies. Throws a RangeError at its end. */
export class FrameReader {
  private readonly buffer: Buffer;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.at >= this.buffer.length;
  }

  u8(): number {
    return this.buffer.readUInt8(this.at++);
  }

  u32(): number {
    const value = this.buffer.readUInt32LE(this.at);
    this.at += 4;
    return value;
  }

  f64(): number {
    const value = this.buffer.readDoubleLE(this.at);
    this.at += 8;
    return value;
  }

  text(): string {
    const length = this.u32();
    if (length === 0) return '';
    if (this.at + length > this.buffer.length) throw new RangeError('The frame ends early.');
    this.at += length;
    return this.buffer.toString('utf8', this.at - length, this.at);
  }

  bytes(): Uint8Array {
    const length = this.u32();
    if (this.at + length > this.buffer.length) throw new RangeError('The frame ends early.');
    this.at += length;
    return this.buffer.subarray(this.at - length, this.at);
  }

  u32s(): number[] {
    const values = new Array<number>(this.u32());
    for (let i = 0; i < values.length; i++) values[i] = this.u32();
    return values;
  }
}
