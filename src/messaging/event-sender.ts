import { type StoredEvent, messageIdOf } from '../model/event.js';
import type { OutboxPosition } from '../storage/index.js';
import type { OutgoingMessage, Publisher, Place, PublishFailure } from './publisher.js';
import type { Source, SourceQueues } from './source-queues.js';
import type { SparingLog } from './sparing-log.js';
import type { Subjects } from './subjects.js';

/** Publishes what is in queues. */
export interface EventSender {
  /** Something may be sent now. */
  schedule(): void;
  /** Sends nothing more; resolves when nothing is under way. */
  pause(): Promise<void>;
  resume(): void;
  /** why events are refused, with the remedy, as the last refusal was; undefined while none is */
  problem(): string | undefined;
  /** sources whose present event the stream drops, as it knows it from a place where it does not belong */
  held(): number;
  stop(): void;
}

/** What becomes of events. */
export interface SenderCounts {
  /** `place`: where a stream has it */
  published(event: StoredEvent, place: Place | undefined): void;
  failed(reason: PublishFailure['reason']): void;
  dead(reason: 'too-large' | 'damaged' | 'refused'): void;
}

export interface EventSenderDeps {
  queues: SourceQueues;
  fence: {
    /** Of the activation of a changed query: calls back when what it belongs behind is published. `seq`: where the stream has the last of what it is kept behind, 0: not told. */
    keepBehind(position: OutboxPosition, passed: (seq: number) => void): void;
  };
  publisher: Publisher;
  subjects: Subjects;
  maxInFlight: number;
  /** after so many refusals an event is given up, as `dead`; default: never */
  maxAttempts?: number;
  counts: SenderCounts;
  /** default: an event that a stream has got before is done, unless an older one of its source is behind it */
  repeats?: RepeatRules;
  sparing: SparingLog;
  /** whether there is room for what comes of it */
  mayTake: () => boolean;
  /** all events of an entry are published, or given up; `seq`: where the stream has its source's last, 0: not known */
  onFinished: (position: OutboxPosition, seq: number) => void;
  /** what could be sent was sent */
  onTurn: () => void;
}

/** Which events a stream is to have again although it has got them before. */
export interface RepeatRules {
  /** The stream has it no more, or may not. */
  isLost(place: Place): boolean;
  /** Whether it is sent until the stream takes it, having been dropped so often. */
  isAwaited(place: Place, holds: number): boolean;
}

/** What the pauses of a sender make of ten minutes: a stream may know what it got for days, and others wait behind it. */
export const MOST_HOLDS = 160;

const TAKEN_ANYWHERE: RepeatRules = { isLost: () => false, isAwaited: (_place, holds) => holds < MOST_HOLDS };

const RETRY_FIRST_MS = 100;
const RETRY_MOST_MS = 5_000;
const EMPTY = new Uint8Array(0);

/**
 * Many sources at once, each source's events one after the other, the next only when the former is certain. So the first
 * appearances of a source's events are in the order of its revisions, whatever fails. Between sources there is no order,
 * but for the activation of a changed query (activation-fence.ts). What fails is sent again with the
 * same `Nats-Msg-Id`, for ever. So is one that the stream drops as a repeat, but has before an older one of its source (which
 * it had forgotten, and took again): until it has forgotten the newer, too, so that a source's last event is the newest. An event that can never be published (it is larger than the server or the stream takes)
 * goes to `kaa.v1.dead-letter.{epr}.events` as an empty message whose headers say what and why, since otherwise it would
 * hold back its source for good.
 */
export function createEventSender({
  queues,
  fence,
  publisher,
  subjects,
  maxInFlight,
  maxAttempts = Infinity,
  counts,
  repeats = TAKEN_ANYWHERE,
  sparing,
  mayTake,
  onFinished,
  onTurn,
}: EventSenderDeps): EventSender {
  const retries = new Set<NodeJS.Timeout>();
  /** sources whose present event was refused, and since when there are such; for the line that it goes on */
  let refused = 0;
  let refusedSinceMs = 0;
  /** what lines there are about that */
  const told = new Set<string>();
  let held = 0;
  let inFlight = 0;
  let scheduled = false;
  let stopped = false;
  let paused = false;
  const quiet: (() => void)[] = [];
  let problem: string | undefined;

  /** After what is at hand now: acknowledgements and commits come many at a time, and callers are answered first. */
  const schedule = () => {
    if (scheduled || stopped) return;
    scheduled = true;
    setImmediate(send);
  };

  const send = () => {
    scheduled = false;
    while (!stopped && !paused && inFlight < maxInFlight && publisher.ready() && mayTake()) {
      const source = queues.nextReady();
      if (source === undefined) break;
      sendPresent(source);
    }
    onTurn();
  };

  const sendPresent = (source: Source) => {
    let event: StoredEvent;
    try {
      event = queues.present(source);
    } catch (error) {
      const position = queues.discard(source);
      counts.dead('damaged');
      sparing.tell(
        'damaged',
        { source: source.id, order: position.order, error: (error as Error).message },
        'A stored outbox entry is damaged and was given up.',
        'error',
      );
      onFinished(position, source.lastSeq);
      return;
    }
    if (!source.isBehind && isOfChangedQuery(event)) {
      fence.keepBehind(queues.position(source), (seq) => {
        source.isBehind = true;
        source.lastSeq = Math.max(source.lastSeq, seq);
        queues.offer(source);
        schedule();
      });
      return;
    }
    inFlight++;
    publisher.publish(messageOf(source, event), (failure, place) => {
      inFlight--;
      if (failure === undefined) succeeded(source, event, place);
      else failed(source, event, failure);
      if (inFlight === 0) for (const done of quiet.splice(0)) done();
      schedule();
    });
  };

  const messageOf = (source: Source, event: StoredEvent): OutgoingMessage => {
    const subject = subjects.ofEvent(source.id, event);
    const id = ['Nats-Msg-Id', messageIdOf(source.id, event)] as const;
    if (source.dead === undefined) return { subject, headers: [id], payload: event.payload };
    return {
      subject: subjects.deadEvents,
      headers: [id, ['Original-Subject', subject], ['Error', source.dead]],
      payload: EMPTY,
    };
  };

  const succeeded = (source: Source, event: StoredEvent, place: Place | undefined) => {
    if (source.dead === undefined) {
      if (place !== undefined && isOutOfPlace(source, place)) {
        if (++source.holds === 1) held++;
        return later(source, source.holds);
      }
      counts.published(event, place);
      if (place !== undefined) source.lastSeq = place.seq;
    }
    advance(source);
  };

  const isOutOfPlace = (source: Source, place: Place): boolean =>
    place.isRepeat &&
    place.seq > 0 &&
    (place.seq < source.lastSeq || repeats.isLost(place)) &&
    repeats.isAwaited(place, source.holds);

  const advance = (source: Source) => {
    if (source.attempts > 0 && --refused === 0) goesOn();
    if (source.holds > 0) held--;
    const finished = queues.advance(source);
    if (finished !== undefined) onFinished(finished, source.lastSeq);
  };

  /** Others may have been taken meanwhile: only when none is refused any more it is over. */
  const goesOn = () => {
    problem = undefined;
    if (told.size === 0) return;
    const seconds = Math.round((performance.now() - refusedSinceMs) / 1000);
    sparing.over([...told], { seconds }, 'Events that were refused are published now.');
    told.clear();
  };

  const failed = (source: Source, event: StoredEvent, { reason, detail }: PublishFailure) => {
    const about = {
      subject: subjects.ofEvent(source.id, event),
      messageId: messageIdOf(source.id, event),
      reason,
      detail,
    };
    if (reason === 'too-large') {
      counts.dead(reason);
      if (source.dead === undefined) {
        sparing.tell('dead', about, 'An event can never be published: dead letter.', 'error');
        source.dead = detail;
        queues.offer(source);
      } else {
        sparing.tell(
          'not even dead',
          about,
          'Not even the dead letter of an event can be published; it was given up.',
          'error',
        );
        advance(source);
      }
      return;
    }
    counts.failed(reason);
    if (reason === 'disconnected') return queues.offer(source);
    problem = detail;
    if (++source.attempts === 1 && ++refused === 1) refusedSinceMs = performance.now();
    if (source.attempts >= maxAttempts) {
      sparing.tell(
        'given up',
        { ...about, attempts: source.attempts },
        'An event is refused again and again; it was given up.',
        'error',
      );
      counts.dead('refused');
      return advance(source);
    }
    // a broker that refuses refuses thousands
    if (source.attempts >= 2) {
      told.add(reason);
      sparing.tell(
        reason,
        { ...about, attempts: source.attempts },
        'Events are not published yet; trying again.',
      );
    }
    later(source, source.attempts);
  };

  const later = (source: Source, attempts: number) => {
    const delayMs = Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** (attempts - 1)) * (0.5 + Math.random() / 2);
    const timer = setTimeout(() => {
      retries.delete(timer);
      queues.offer(source);
      schedule();
    }, delayMs);
    retries.add(timer);
  };

  return {
    schedule,
    pause() {
      paused = true;
      return inFlight === 0 ? Promise.resolve() : new Promise((resolve) => quiet.push(resolve));
    },
    resume() {
      paused = false;
      schedule();
    },
    problem: () => problem,
    held: () => held,
    stop() {
      stopped = true;
      for (const timer of retries) clearTimeout(timer);
    },
  };
}

/** The second revision of a filter is the activation of its first query: there is nothing of a former one. */
function isOfChangedQuery({ kind, revision }: StoredEvent): boolean {
  return kind === 'filter-activated' && revision > 2;
}
