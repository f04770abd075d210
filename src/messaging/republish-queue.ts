import { FrameReader } from '../model/frames.js';
import { createEventSender, type RepeatRules } from './event-sender.js';
import type { RelayLimits } from './options.js';
import type { Place, Publisher } from './publisher.js';
import { createReplayFence } from './replay-fence.js';
import { createSourceQueues } from './source-queues.js';
import type { SparingLog } from './sparing-log.js';
import type { Subjects } from './subjects.js';

/** Groups of events on their way to the broker once more. */
export interface RepublishQueue {
  /** `number` grows with each. */
  add(number: number, events: Uint8Array): void;
  /** Resolves when there is room for more, or when it is cancelled. */
  room(): Promise<void>;
  /** Resolves when all were sent or given up, or when it is cancelled. */
  empty(): Promise<void>;
  cancel(): void;
  readonly isCancelled: boolean;
  /** Something may be sent now. */
  schedule(): void;
  /** why nothing moves, or not all of it */
  waiting(): string | undefined;
  /** Sends no more; resolves when nothing is under way. */
  stop(): Promise<void>;
}

export interface RepublishQueueDeps {
  publisher: Publisher;
  connectionError: () => string | undefined;
  subjects: Subjects;
  limits: RelayLimits;
  sparing: SparingLog;
  repeats: RepeatRules & {
    /** until when events that a stream drops are sent again and again, in one line */
    waiting(): string;
  };
  /** of each event that was sent */
  onSent: (place: Place | undefined) => void;
  /** of each that was given up */
  onFailed: () => void;
  /** of each group, when all of it was */
  onGroup: () => void;
}

/** Three quarters of a minute or so. The relay waits for ever, but for this one the relay waits. */
const MOST_ATTEMPTS = 12;

export function createRepublishQueue({
  publisher,
  connectionError,
  subjects,
  limits,
  sparing,
  repeats,
  onSent,
  onFailed,
  onGroup,
}: RepublishQueueDeps): RepublishQueue {
  const queues = createSourceQueues();
  const fence = createReplayFence();
  let isCancelled = false;
  let awaited: { isSo: () => boolean; resolve: () => void } | undefined;

  const look = () => {
    if (awaited === undefined || !(isCancelled || awaited.isSo())) return;
    const { resolve } = awaited;
    awaited = undefined;
    resolve();
  };
  const until = (isSo: () => boolean) =>
    new Promise<void>((resolve) => {
      awaited = { isSo, resolve };
      look();
    });

  const sender = createEventSender({
    queues,
    fence,
    publisher,
    subjects,
    maxInFlight: limits.maxInFlight,
    maxAttempts: MOST_ATTEMPTS,
    counts: {
      published: (_event, place) => onSent(place),
      failed: () => undefined,
      dead: onFailed,
    },
    repeats,
    sparing,
    mayTake: () => true,
    // sources stay known, with where the stream has the last event of each
    onFinished({ order }, seq) {
      fence.finished(order, seq);
      onGroup();
    },
    onTurn: look,
  });

  return {
    add(order, events) {
      const position = { source: new FrameReader(events).text(), order };
      if (queues.take({ position, events })) fence.given(order);
      sender.schedule();
    },
    room: () => until(() => queues.entries() * 2 < limits.maxEntries && queues.bytes() * 2 < limits.maxBytes),
    empty: () => until(() => queues.entries() === 0),
    cancel() {
      isCancelled = true;
      look();
    },
    get isCancelled() {
      return isCancelled;
    },
    schedule: () => sender.schedule(),
    waiting() {
      if (publisher.ready()) return sender.problem() ?? (sender.held() > 0 ? repeats.waiting() : undefined);
      const error = connectionError();
      return `There is no connection to a broker that takes events${error === undefined ? '' : ` (${error})`}.`;
    },
    async stop() {
      await sender.pause();
      sender.stop();
    },
  };
}
