import type { Logger } from 'pino';
import type { Store } from '../storage/index.js';
import type { IncomingMessage } from './connectivity-processor.js';

/**
 * Finds the message that ends the process, not just a thread. When processes of this instance begin again and again, messages that
 * were given some times are worked on one at a time, with nothing else beside them, and each is noted in the store before and
 * forgotten after: a note that is there says that the process ended over this very message. Other times nothing is noted.
 */
export interface ProcessDeaths {
  /** Notes that a process begins. Never rejects: what can't be read is not known. */
  begin(): Promise<void>;
  /** whether a message is to be worked on alone; of one without a place in a stream nobody knows it */
  isSuspect(message: Pick<IncomingMessage, 'sequence' | 'deliveries'>): boolean;
  /** Notes that it is worked on now; answers how often it was before, without an end. Rejects when the storage does. */
  enter(message: Noted): Promise<number>;
  /** It came to something, whatever. Never rejects. */
  leave(message: Noted): Promise<void>;
}

type Noted = Pick<IncomingMessage, 'sequence' | 'arrivedMs'>;

export interface ProcessDeathsDeps {
  store: Pick<Store, 'getText' | 'putText' | 'removeText'>;
  log: Logger;
}

const STARTS = 'connectivity-starts';
const WINDOW_MS = 3_600_000;
/** So many within that time are more than updates are, at least of few replicas; of more it does no harm. */
const MANY_STARTS = 4;
const MOST_KEPT = 20;
/** A process that ends gives it back without a word, and so once more. */
const SUSPECT_DELIVERIES = 3;

export function createProcessDeaths({ store, log }: ProcessDeathsDeps): ProcessDeaths {
  let isCareful = false;

  const nameOf = ({ sequence, arrivedMs }: Noted) => `connectivity-alone-${sequence}-${arrivedMs}`;

  return {
    async begin() {
      try {
        const nowMs = Date.now();
        const text = await store.getText(STARTS);
        const former = text === undefined ? [] : (JSON.parse(text) as number[]);
        const recent = [...former.filter((ms) => ms > nowMs - WINDOW_MS && ms <= nowMs), nowMs];
        isCareful = recent.length >= MANY_STARTS;
        await store.putText(STARTS, JSON.stringify(recent.slice(-MOST_KEPT)));
        if (!isCareful) return;
        setTimeout(() => (isCareful = false), WINDOW_MS).unref();
        log.info(
          { starts: recent.length },
          'The register was started several times within an hour: connectivity events that were given before are worked on one at a time.',
        );
      } catch (error) {
        log.debug({ err: error }, 'how often the register was started is not known');
      }
    },
    isSuspect: ({ sequence, deliveries }) =>
      isCareful && sequence !== undefined && deliveries > SUSPECT_DELIVERIES,
    async enter(message) {
      const name = nameOf(message);
      const before = Number((await store.getText(name)) ?? 0);
      await store.putText(name, String(before + 1));
      return before;
    },
    async leave(message) {
      await store
        .removeText(nameOf(message))
        .catch((error: unknown) => log.debug({ err: error }, 'a note of a message could not be removed'));
    },
  };
}
