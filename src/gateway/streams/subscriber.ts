import type { Exchange } from '../wire/exchange.js';

/** Events that wait for one slow reader; beyond it the reader is dropped. */
const QUEUE_BYTES = 1024 * 1024;
/** how long a dropped reader has to take the word that it is dropped */
const FAREWELL_MS = 10_000;

/** One client of the event stream. Never holds more than {@link QUEUE_BYTES} for it, beside the socket's own buffers. */
export class Subscriber {
  #queue: string[] = [];
  #queuedBytes = 0;
  #blocked = false;
  #ending = false;
  #farewell: NodeJS.Timeout | undefined;

  constructor(
    private readonly exchange: Exchange,
    private readonly onLeave: () => void,
    private readonly onDropped: () => void,
  ) {}

  begin(): void {
    const before = this.exchange.onGone;
    this.exchange.onGone = () => {
      before?.();
      this.#leave();
    };
    this.exchange.start(200, [
      ['Content-Type', 'text/event-stream'],
      ['Cache-Control', 'no-store'],
      // nginx holds answers back unless it is told
      ['X-Accel-Buffering', 'no'],
    ]);
    this.send(': welcome\n\n');
  }

  send(text: string): void {
    if (this.#ending || !this.exchange.open) return;
    if (!this.#blocked) {
      this.#write(text);
      return;
    }
    this.#queue.push(text);
    this.#queuedBytes += text.length;
    if (this.#queuedBytes > QUEUE_BYTES) {
      this.onDropped();
      this.end('the reader is too slow: more than 1 MiB of events wait for it');
    }
  }

  /** Says why, and ends the stream. What waits is not sent any more. */
  end(reason: string): void {
    if (this.#ending || !this.exchange.open) return;
    this.#ending = true;
    this.onLeave();
    this.#queue = [`event: dropped\ndata: ${JSON.stringify({ type: 'dropped', reason })}\n\n`];
    if (!this.#blocked) return this.#drain();
    this.#farewell = setTimeout(() => this.exchange.destroy(), FAREWELL_MS);
    this.#farewell.unref();
  }

  #write(text: string): boolean {
    if (this.exchange.write(text)) return true;
    this.#blocked = true;
    this.exchange.whenWritable(() => {
      this.#blocked = false;
      this.#drain();
    });
    return false;
  }

  #drain(): void {
    // all at once: it is no more than QUEUE_BYTES, and one write is one call into the socket
    if (this.#queue.length > 0) {
      const text = this.#queue.join('');
      this.#queue = [];
      this.#queuedBytes = 0;
      if (!this.#write(text) && !this.#ending) return;
    }
    if (this.#ending) {
      clearTimeout(this.#farewell);
      this.exchange.finish();
    }
  }

  #leave(): void {
    clearTimeout(this.#farewell);
    this.#queue = [];
    this.onLeave();
  }
}
