import type { HttpResponse } from 'uWebSockets.js';
import type { Exchange } from './exchange.js';

const EMPTY = Buffer.alloc(0);

/** A whole body; `too-large` or `overloaded` as soon as that is known; `gone` when the client went away first. */
export type WholeBody = Buffer | 'too-large' | 'overloaded' | 'gone';

/** Bytes of all bodies that are being received, and how many there may be. */
export interface BodyBudget {
  readonly limitBytes: number;
  usedBytes: number;
}

/** Must be called before the request's handler returns, else the body is lost. */
export function readWholeBody(
  exchange: Exchange,
  limitBytes: number,
  budget: BodyBudget,
): Promise<WholeBody> {
  return new Promise((resolve) => {
    let parts: Buffer[] | undefined;
    let total = 0;
    let held = 0;
    let settled = false;
    const settle = (body: WholeBody): void => {
      settled = true;
      budget.usedBytes -= held;
      parts = undefined;
      resolve(body);
    };
    // also when it is answered before its body has come: nobody tells when the client goes away then
    exchange.onEnded = () => {
      if (!settled) settle('gone');
    };
    exchange.response.onData((chunk, isLast) => {
      exchange.bytesIn += chunk.byteLength;
      if (settled) return;
      total += chunk.byteLength;
      if (total > limitBytes) return settle('too-large');
      if (!isLast || parts !== undefined) {
        // a body that comes in one piece waits for nothing
        if (budget.usedBytes + chunk.byteLength > budget.limitBytes) return settle('overloaded');
        budget.usedBytes += chunk.byteLength;
        held = total;
      }
      // the chunk's memory is taken back when this returns
      const part = chunk.byteLength === 0 ? EMPTY : Buffer.from(Buffer.from(chunk));
      if (!isLast) {
        (parts ??= []).push(part);
      } else if (parts === undefined) settle(part);
      else {
        parts.push(part);
        settle(Buffer.concat(parts, total));
      }
    });
  });
}

export interface BodyListener {
  /** `chunk` may be kept. False: no more until {@link BodyStream.resume}. */
  onChunk(chunk: Buffer): boolean;
  onEnd(): void;
}

/** Well below the 10 s after which uWebSockets.js closes a connection whose request comes slowly. */
const KEEP_OPEN_MS = 4_000;

/**
 * A body that is read piece by piece, for as long as it takes; a client that sends nothing for `idleMs` while it is
 * listened to is taken for dead, and its connection closed. What comes before somebody listens waits, at most a socket's
 * buffer of it.
 */
export class BodyStream {
  readonly #response: HttpResponse;
  readonly #waiting: Buffer[] = [];
  #listener: BodyListener | undefined;
  #paused = false;
  #last = false;
  #told = false;
  /** when something came, or was waited for again */
  #heardAt = performance.now();
  readonly #keeper: NodeJS.Timeout;

  /** Must be called before the request's handler returns. */
  constructor(
    private readonly exchange: Exchange,
    private readonly idleMs: number,
  ) {
    this.#response = exchange.response;
    this.#response.onData((chunk, isLast) => {
      exchange.bytesIn += chunk.byteLength;
      this.#last = isLast;
      this.#heardAt = performance.now();
      // answered before its end
      if (!exchange.open) return;
      if (chunk.byteLength > 0) this.#waiting.push(Buffer.from(Buffer.from(chunk)));
      if (this.#paused) this.hold();
      else this.#deliver();
    });
    this.#keeper = setInterval(() => this.#keepOpen(), Math.min(KEEP_OPEN_MS, idleMs / 2));
    this.#keeper.unref();
  }

  listen(listener: BodyListener): void {
    this.#listener = listener;
    this.resume();
  }

  /**
   * Reads no more until {@link resume}. To be called after every write that built up back-pressure, for then
   * uWebSockets.js listens to the socket anew, paused or not.
   */
  hold(): void {
    this.#paused = true;
    if (!this.#last && this.exchange.open) this.#response.pause();
  }

  resume(): void {
    if (!this.exchange.open) return;
    if (this.#paused) {
      this.#paused = false;
      this.#heardAt = performance.now();
      if (!this.#last) this.#response.resume();
    }
    this.#deliver();
  }

  /** A pause or a resumption is what starts the time limit of uWebSockets.js anew. */
  #keepOpen(): void {
    if (this.#last || !this.exchange.open) clearInterval(this.#keeper);
    else if (this.#paused) this.hold();
    else if (performance.now() - this.#heardAt >= this.idleMs) this.exchange.destroy();
    else {
      this.#response.pause();
      this.#response.resume();
    }
  }

  #deliver(): void {
    while (this.#waiting.length > 0 && !this.#paused) {
      if (this.#listener === undefined || !this.#listener.onChunk(this.#waiting.shift()!)) this.hold();
    }
    if (this.#last && !this.#told && !this.#paused && this.#listener !== undefined) {
      this.#told = true;
      this.#listener.onEnd();
    }
  }
}
