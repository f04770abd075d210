const LF = 10;

/** What stands on one line: its bytes (a view, valid until the next call), or that it is longer than is allowed. */
export type Line = Buffer | 'too-long';

/**
 * Cuts a stream of chunks into lines at line feeds. Holds at most one line that is not complete. A line that is too
 * long is told once, at its end, and its bytes are dropped as they come.
 */
export class LineSplitter {
  #chunk: Buffer | undefined;
  #at = 0;
  #carried: Buffer[] = [];
  #carriedBytes = 0;
  #overlong = false;

  constructor(private readonly limitBytes: number) {}

  /** Gives the next chunk; the one before must have been read to its end. */
  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** The next complete line, or `undefined` when more is needed. */
  next(): Line | undefined {
    const chunk = this.#chunk;
    if (chunk === undefined) return undefined;
    const end = chunk.indexOf(LF, this.#at);
    const rest = chunk.subarray(this.#at, end < 0 ? chunk.length : end);
    if (end < 0) {
      this.#chunk = undefined;
      this.#carry(rest);
      return undefined;
    }
    this.#at = end + 1;
    return this.#complete(rest);
  }

  /** What stands after the last line feed, at the end of the stream. */
  last(): Line | undefined {
    if (this.#carriedBytes === 0 && !this.#overlong) return undefined;
    return this.#complete(Buffer.alloc(0));
  }

  #carry(rest: Buffer): void {
    if (rest.length === 0 || this.#overlong) return;
    if (this.#carriedBytes + rest.length > this.limitBytes) {
      this.#overlong = true;
      this.#carried = [];
      this.#carriedBytes = 0;
      return;
    }
    this.#carried.push(rest);
    this.#carriedBytes += rest.length;
  }

  #complete(rest: Buffer): Line {
    if (this.#carriedBytes === 0 && !this.#overlong) return rest.length > this.limitBytes ? 'too-long' : rest;
    this.#carry(rest);
    const line: Line = this.#overlong ? 'too-long' : Buffer.concat(this.#carried, this.#carriedBytes);
    this.#carried = [];
    this.#carriedBytes = 0;
    this.#overlong = false;
    return line;
  }
}
