import type { HttpResponse } from 'uWebSockets.js';
import { statusLine } from './status-lines.js';
import type { RequestHead } from './request-head.js';
import type { UpgradeTo } from './upgrade.js';

export type Header = readonly [name: string, value: string];

/** What is told when an exchange is over, once. `status` 0: the client went away before the answer. */
export type ExchangeEnd = (exchange: Exchange, status: number) => void;

/**
 * One request and its answer. Everything that is written goes through it, so that nothing is written twice or to a
 * client that has gone: after `aborted` every call does nothing.
 */
export class Exchange {
  aborted = false;
  ended = false;
  /** the answer has begun */
  status = 0;
  correlationId = '';
  /** the request asks for a WebSocket, and may have it */
  upgradeTo: UpgradeTo | undefined;
  /** bytes of the body that were read */
  bytesIn = 0;
  /** bytes of the answer's body */
  bytesOut = 0;
  readonly startedAt = performance.now();
  /** called when the client goes away, after the exchange has ended */
  onGone: (() => void) | undefined;
  /** called when the exchange is over, answered or not */
  onEnded: (() => void) | undefined;
  #writable: (() => void) | undefined;
  /** while the request is handled for the first time; then nothing can be aborted, and all is written in one go */
  #corked = true;

  constructor(
    readonly response: HttpResponse,
    readonly head: RequestHead,
    private readonly onEnd: ExchangeEnd,
  ) {}

  /** To be called when the request's handler returns: what is answered by then needs neither corking nor watching. */
  handled(): void {
    if (!this.#corked) return;
    this.#corked = false;
    if (this.ended) return;
    this.response.onAborted(() => {
      this.aborted = true;
      this.#finish(this.status);
      this.#writable?.();
      this.onGone?.();
    });
  }

  get open(): boolean {
    return !this.aborted && !this.ended;
  }

  /** Answers with a whole body. A `HEAD` gets its length only. */
  send(status: number, headers: readonly Header[], body?: string | Uint8Array, close = false): void {
    if (!this.open) return;
    this.status = status;
    if (this.#corked) this.#sendWhole(status, headers, body, close);
    else this.response.cork(() => this.#sendWhole(status, headers, body, close));
    this.#finish(status);
  }

  #sendWhole(
    status: number,
    headers: readonly Header[],
    body: string | Uint8Array | undefined,
    close: boolean,
  ): void {
    const { response } = this;
    this.#begin(status, headers);
    const length = body === undefined ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    // without arguments: any length given, undefined too, would be written as Content-Length
    if (body === undefined && (status === 204 || status === 304)) response.endWithoutBody();
    else if (this.head.method === 'HEAD' && close) response.endWithoutBody(length, true);
    else if (this.head.method === 'HEAD') {
      // given a length, endWithoutBody leaves the response pending: the next request on the connection hangs up
      response.writeHeader('Content-Length', String(length));
      response.endWithoutBody();
    } else {
      this.bytesOut = length;
      if (body === undefined) response.end(undefined, close);
      else response.end(body, close);
    }
  }

  /** Begins an answer of unknown length: {@link write} and {@link finish} follow. */
  start(status: number, headers: readonly Header[]): void {
    if (!this.open) return;
    this.status = status;
    this.response.cork(() => this.#begin(status, headers));
    this.response.onWritable(() => {
      this.#writable?.();
      return true;
    });
  }

  /** Writes a part. False: the client is slower than we are; wait for {@link whenWritable}. */
  write(part: string | Uint8Array): boolean {
    if (!this.open) return false;
    let taken = true;
    this.response.cork(() => {
      taken = this.response.write(part);
    });
    this.bytesOut += part.length;
    return taken;
  }

  /** Calls back, once, when more may be written or the client has gone. */
  whenWritable(callback: () => void): void {
    if (!this.open) return callback();
    this.#writable = () => {
      this.#writable = undefined;
      callback();
    };
  }

  finish(): void {
    if (!this.open) return;
    this.response.cork(() => this.response.end());
    this.#finish(this.status);
  }

  /** Makes the connection a WebSocket, which has `data` with it; {@link closed} is to be called when that is closed. */
  upgrade(data: object): void {
    const { upgradeTo, response } = this;
    if (!this.open || upgradeTo === undefined) return;
    this.status = 101;
    this.handled();
    response.cork(() => {
      this.#begin(this.status, []);
      response.upgrade(data, upgradeTo.key, upgradeTo.protocol, '', upgradeTo.context);
    });
  }

  /** The WebSocket that this became is closed. */
  closed(): void {
    this.#finish(this.status);
  }

  /** Closes the connection at once: the client sees a broken answer, not a short one. */
  destroy(): void {
    if (!this.open) return;
    this.handled();
    this.response.close();
  }

  #begin(status: number, headers: readonly Header[]): void {
    const { response } = this;
    response.writeStatus(statusLine(status));
    if (this.correlationId !== '') response.writeHeader('X-Correlation-ID', this.correlationId);
    for (const [name, value] of headers) response.writeHeader(name, value);
  }

  #finish(status: number): void {
    if (this.ended) return;
    this.ended = true;
    this.onEnd(this, status);
    this.onEnded?.();
  }
}
