import type { ConnectivityMetrics } from './connectivity-metrics.js';
import type { IncomingMessage } from './connectivity-processor.js';
import type { SparingLog } from './sparing-log.js';

/**
 * What becomes of messages of no use: a dead letter, and then they are acknowledged. While none can be written, they are
 * given back to the broker, to be given again later and later; only so many, for what is not acknowledged counts against
 * what the broker hands out (`max_ack_pending`), and the rest is not to wait for them. What is too much is given up: the
 * broker is told not to give it again.
 */
export interface UnusableMessages {
  /** Resolves when it is answered for. Never rejects. */
  put(message: IncomingMessage, error: string, result: 'undecodable' | 'fatal'): Promise<void>;
  /** those that this process gave back for that */
  held(): number;
  /** why they can't be written, with the remedy; undefined: none is held */
  problem(): string | undefined;
}

export interface UnusableMessagesDeps {
  metrics: Pick<ConnectivityMetrics, 'message'>;
  sparing: SparingLog;
  /** how many may be held, by all processes that share the consumer */
  maxHeld: number;
  /** the processes */
  sharers: () => number;
}

const AGAIN_FIRST_MS = 250;
const AGAIN_MOST_MS = 30_000;

/** The kind of the lines. */
const WAITS = 'dead letter waits';
const TEXTS = {
  undecodable: 'A message does not decode: dead letter.',
  fatal: 'A message fails or kills worker threads each time it is given, or ends the process: dead letter.',
};

export function createUnusableMessages(deps: UnusableMessagesDeps): UnusableMessages {
  const { metrics, sparing, maxHeld, sharers } = deps;
  /** by place in the stream: until when it is with the broker; it may then come to another process */
  const heldUntilMs = new Map<number, number>();
  let problem = '';
  let told = false;

  const held = () => {
    const nowMs = performance.now();
    for (const [sequence, untilMs] of heldUntilMs) if (untilMs < nowMs) heldUntilMs.delete(sequence);
    return heldUntilMs.size;
  };

  const hasRoom = () => {
    const most = Math.max(1, Math.floor(maxHeld / sharers()));
    return heldUntilMs.size < most || held() < most;
  };

  return {
    async put(message, error, result) {
      const { subject, sequence, data } = message;
      const about = { subject, sequence, error, bytes: data.length };
      const failure = await message.bury(error);
      if (sequence !== undefined) heldUntilMs.delete(sequence);
      const delayMs = againAfterMs(message.deliveries);
      if (failure === undefined) {
        metrics.message(result);
        sparing.tell(`dead letter: ${result}`, about, TEXTS[result]);
        message.acknowledge();
        if (!told || held() > 0) return;
        told = false;
        sparing.over([WAITS], {}, 'Dead letters that waited are written now.');
        return;
      }
      // nobody refused it
      if (failure.reason === 'disconnected') return message.giveBack(delayMs);
      problem = failure.detail;
      if (sequence !== undefined && hasRoom()) {
        // a little longer: until it has come again it is one of those
        heldUntilMs.set(sequence, performance.now() + delayMs * 1.2 + 1_000);
        message.giveBack(delayMs);
        told = true;
        sparing.tell(
          WAITS,
          { ...about, reason: failure.reason },
          `A dead letter can not be written, so its message is not acknowledged; trying again. ${problem}`,
        );
        return;
      }
      metrics.message('lost');
      message.giveUp(problem);
      sparing.tell(
        'dead letter lost',
        { ...about, reason: failure.reason, held: heldUntilMs.size },
        sequence === undefined
          ? `A dead letter can not be written, and nobody keeps its message: it is lost. ${problem}`
          : `A dead letter can not be written, and as many wait as may wait: its message is given up. It is in its stream still, at its sequence, if that keeps what is done with. ${problem}`,
        'error',
      );
    },
    held,
    problem: () => (held() === 0 ? undefined : problem),
  };
}

/** When a message that was given so often is to be given again. */
export function againAfterMs(deliveries: number): number {
  return Math.min(AGAIN_MOST_MS, AGAIN_FIRST_MS * 2 ** (deliveries - 1));
}
