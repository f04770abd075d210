import type { EventText } from './event-text.js';

/** Why a stream ends. */
export type EndCause = 'stopping' | 'too-slow' | 'failed' | 'not-allowed' | 'expired' | 'undecided';

/** The way to one client, whatever the protocol. */
export interface EventChannel {
  readonly open: boolean;
  /** called once, when the client goes away or the end that was asked for is there */
  onGone: () => void;
  /** Begins the stream; `place` is where the client stands. */
  begin(place: string): void;
  /** How an event is written here. */
  textOf(event: EventText): string;
  heartbeat(place: string): string;
  /** Writes texts. False: the client is slower than we are; wait for {@link whenWritable}. */
  write(texts: readonly string[]): boolean;
  /** Calls back, once, when more may be written or the client has gone. */
  whenWritable(callback: () => void): void;
  /** Says why, and ends the stream, when what was written is on its way. */
  end(cause: EndCause, reason: string): void;
  /** Closes the connection at once. */
  destroy(): void;
}
