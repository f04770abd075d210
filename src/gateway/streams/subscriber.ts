import type { LiveItem, Replay } from '../../live/index.js';
import type { EndCause, EventChannel } from './event-channel.js';
import { type EventInterest, type Readable, type Tellable, tellablesOf, textFor } from './event-text.js';

/** Events that wait for one slow reader; beyond it the reader is dropped. */
const QUEUE_BYTES = 1024 * 1024;
/** Events that wait until it is known whether their reader may read them; readers share them. Beyond it the stream ends. */
const MOST_HELD = 10_000;
/** how long a dropped reader has to take the word that it is dropped */
const FAREWELL_MS = 10_000;
/** a reader that takes nothing for so long is taken for dead */
const PATIENCE_MS = 60_000;

export interface SubscriberDeps {
  channel: EventChannel;
  interest: EventInterest;
  /** what is read before the live events; absent: nothing is */
  replay: Replay | undefined;
  /** where the live events stand, and the number of the first group that is not over yet */
  now: () => string;
  following: number;
  /** Called in the turn in which all before is written: from now on {@link Subscriber.deliver} is to be called. */
  onLive: () => void;
  onLeave: () => void;
  onDropped: () => void;
  onGap: () => void;
  onFault: (error: unknown) => void;
  /** Runs a step of a replay when it is its turn. */
  takeTurn: (step: () => Promise<void>) => void;
}

/**
 * One client of the event stream. First what is replayed, at the speed of the client; then what happens. Never holds more
 * than {@link QUEUE_BYTES} for it, beside the socket's own buffers and what one write was too much.
 */
export class Subscriber {
  #queue: string[] = [];
  #queuedBytes = 0;
  #blockedSinceMs: number | undefined;
  #live = false;
  /** what came while it is not known what may be told; undefined: it is known */
  #held: Tellable[] | undefined;
  /** the part of the replay that is to be told next, and whether it waits for that */
  #part: readonly LiveItem[] | undefined;
  #isHeldUp = false;
  #ending: { cause: EndCause; reason: string } | undefined;
  #farewell: NodeJS.Timeout | undefined;

  constructor(private readonly deps: SubscriberDeps) {}

  begin(): void {
    const { channel, replay, now } = this.deps;
    channel.onGone = () => this.#leave();
    channel.begin(replay?.place ?? now());
    if (replay === undefined) this.#goLive();
    else this.#replaySoon();
  }

  /** Live events, or what stands between them. */
  deliver(told: readonly Tellable[]): void {
    // who asked for what happens gets nothing that had happened, though it is told a moment later
    const { replay, following } = this.deps;
    const due = replay === undefined ? told.filter(({ number }) => number >= following) : told;
    if (this.#held !== undefined) return this.#hold(due);
    const texts = this.#textsOf(due);
    if (texts.length > 0) this.#send(texts);
  }

  /** What comes waits for {@link allow}, and so does the client's place: what it was told is all before it. */
  hold(): void {
    this.#held ??= [];
  }

  /** From now on it is told what this allows, and what was held of it. */
  allow(readable: Readable): void {
    this.deps.interest.readable = readable;
    const held = this.#held ?? [];
    this.#held = undefined;
    if (held.length > 0) this.deliver(held);
    if (this.#isHeldUp) this.#replaySoon();
    this.#isHeldUp = false;
  }

  /** Shows that the connection is there, and moves the client's place along events that it did not want. */
  heartbeat(): void {
    const { channel, replay, now } = this.deps;
    if (this.#held !== undefined) return;
    if (this.#blockedSinceMs === undefined)
      this.#send([channel.heartbeat(this.#live ? now() : replay!.place)]);
    else if (performance.now() - this.#blockedSinceMs > PATIENCE_MS)
      this.#drop(`the reader took nothing for ${PATIENCE_MS / 1000} s`);
  }

  /** Says why, and ends the stream. What waits is not sent any more. */
  end(cause: EndCause, reason: string): void {
    if (this.#ending !== undefined || !this.deps.channel.open) return;
    this.#ending = { cause, reason };
    this.deps.onLeave();
    this.#queue = [];
    if (this.#blockedSinceMs === undefined) return this.#finish();
    this.#farewell = setTimeout(() => this.deps.channel.destroy(), FAREWELL_MS);
    this.#farewell.unref();
  }

  #goLive(): void {
    this.#live = true;
    this.deps.onLive();
  }

  #replaySoon(): void {
    this.deps.takeTurn(() => this.#replayStep());
  }

  /** One part of the replay; the next one when the client has taken it. */
  async #replayStep(): Promise<void> {
    const { channel, replay } = this.deps;
    if (this.#ending !== undefined || !channel.open) return;
    try {
      if (this.#part === undefined && replay!.atEnd) return this.#goLive();
      const part = (this.#part ??= await replay!.next());
      if (this.#isEnding() || !channel.open) return;
      this.#isHeldUp = this.#held !== undefined;
      if (this.#isHeldUp) return;
      this.#part = undefined;
      const texts = part.flatMap((item) => this.#textsOf(tellablesOf(item)));
      if (texts.length === 0 || this.#write(texts)) this.#replaySoon();
    } catch (error) {
      this.deps.onFault(error);
      this.end('failed', 'something went wrong here; it is logged');
    }
  }

  #isEnding(): boolean {
    return this.#ending !== undefined;
  }

  #hold(told: readonly Tellable[]): void {
    for (const each of told) this.#held!.push(each);
    if (this.#held!.length > MOST_HELD)
      this.end('undecided', 'it takes too long to find out what the caller may read: come back');
  }

  #textsOf(told: readonly Tellable[]): string[] {
    const { interest, channel, onGap, onFault } = this.deps;
    const texts: string[] = [];
    for (const each of told) {
      if (each.event === undefined) onGap();
      try {
        const text = textFor(each, interest);
        if (text !== undefined) texts.push(channel.textOf(text));
      } catch (error) {
        onFault(error);
      }
    }
    return texts;
  }

  #send(texts: readonly string[]): void {
    if (this.#ending !== undefined || !this.deps.channel.open) return;
    if (this.#blockedSinceMs === undefined) {
      this.#write(texts);
      return;
    }
    for (const text of texts) {
      this.#queue.push(text);
      this.#queuedBytes += text.length;
    }
    if (this.#queuedBytes > QUEUE_BYTES) this.#drop('more than 1 MiB of events wait for it');
  }

  #drop(why: string): void {
    this.deps.onDropped();
    this.end('too-slow', `the reader is too slow: ${why}`);
  }

  #write(texts: readonly string[]): boolean {
    const { channel } = this.deps;
    if (channel.write(texts)) return true;
    this.#blockedSinceMs = performance.now();
    channel.whenWritable(() => {
      this.#blockedSinceMs = undefined;
      this.#drain();
    });
    return false;
  }

  #drain(): void {
    if (this.#ending !== undefined) return this.#finish();
    if (!this.deps.channel.open) return;
    if (!this.#live) return this.#replaySoon();
    if (this.#queue.length === 0) return;
    // all at once: it is no more than QUEUE_BYTES, and one write is one call into the socket
    const texts = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#write(texts);
  }

  #finish(): void {
    clearTimeout(this.#farewell);
    const { cause, reason } = this.#ending!;
    this.deps.channel.end(cause, reason);
  }

  #leave(): void {
    clearTimeout(this.#farewell);
    this.#queue = [];
    this.deps.onLeave();
  }
}
