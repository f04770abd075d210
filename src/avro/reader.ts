import { isUtf8 } from 'node:buffer';

/** Bytes that are not what their schema says. The message names the record and field where it showed. */
export class AvroDecodeError extends Error {
  override readonly name = 'AvroDecodeError';
}

/** Reads Avro's primitive types. Trusts nothing: no length or count beyond the bytes that are there is followed. */
export class AvroReader {
  /** what is being read, for messages */
  place = '';
  private readonly buffer: Buffer;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.buffer.length - this.at;
  }

  boolean(): boolean {
    const byte = this.byte();
    if (byte > 1) this.fail(`a boolean is 0 or 1, found ${byte}`);
    return byte === 1;
  }

  /** int and long. What is beyond 2^53, where Java's `Long.MAX_VALUE` stands for ever, is read as the last number before it. */
  long(): number {
    const first = this.byte();
    const sign = first & 1;
    let magnitude = (first & 0x7f) >> 1;
    if (first > 0x7f) {
      let scale = 64;
      let byte: number;
      do {
        byte = this.byte();
        magnitude += (byte & 0x7f) * scale;
        scale *= 128;
      } while (byte > 0x7f && scale < 2 ** 70);
      if (byte > 0x7f) this.fail('a number of more than ten bytes');
      if (magnitude >= Number.MAX_SAFE_INTEGER)
        return sign === 1 ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;
    }
    return sign === 1 ? -magnitude - 1 : magnitude;
  }

  /** Invalid UTF-8 is refused. */
  string(): string {
    const start = this.skip();
    const text = this.buffer.toString('utf8', start, this.at);
    if (text.includes('\uFFFD') && !isUtf8(this.buffer.subarray(start, this.at)))
      this.fail('a string that is not UTF-8');
    return text;
  }

  /** A view, not a copy. */
  bytes(): Buffer {
    const start = this.skip();
    return this.buffer.subarray(start, this.at);
  }

  /** Items in the next block of an array or map; 0 at its end. Each item must take a byte at least. */
  blockCount(): number {
    let count = this.long();
    if (count < 0) {
      count = -count;
      const size = this.long();
      if (size < 0 || size > this.remaining)
        this.fail(`a block of ${size} bytes where ${this.remaining} are left`);
    }
    if (count > this.remaining) this.fail(`${count} items where ${this.remaining} bytes are left`);
    return count;
  }

  /** Fails where bytes are left. */
  end(): void {
    if (this.remaining > 0) this.fail(`${this.remaining} bytes more than the record has`);
  }

  fail(what: string): never {
    throw new AvroDecodeError(`${this.place}: ${what}.`);
  }

  /** Passes over a length and as many bytes; answers where those begin. */
  private skip(): number {
    const length = this.long();
    if (length < 0 || length > this.remaining) {
      this.fail(`a length of ${length} where ${this.remaining} bytes are left`);
    }
    this.at += length;
    return this.at - length;
  }

  private byte(): number {
    const byte = this.buffer[this.at++];
    if (byte === undefined) this.fail('the message ends early');
    return byte;
  }
}
