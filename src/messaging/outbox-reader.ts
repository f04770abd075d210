import type { OutboxEntry } from '../storage/index.js';
import { pause } from './connection.js';
import type { SparingLog } from './sparing-log.js';

const RETRY_FIRST_MS = 250;
const RETRY_MOST_MS = 5_000;

/** Reads of the outbox, until one succeeds, or `stopping` says that there is to be none: then nothing. */
export type OutboxReader = (read: () => Promise<OutboxEntry[]>) => Promise<OutboxEntry[]>;

export function createOutboxReader(sparing: SparingLog, stopping: AbortSignal): OutboxReader {
  return async (read) => {
    for (let delayMs = RETRY_FIRST_MS; !stopping.aborted; delayMs = Math.min(RETRY_MOST_MS, delayMs * 2)) {
      try {
        return await read();
      } catch (error) {
        sparing.tell(
          'outbox not read',
          { error: (error as Error).message },
          'The outbox can not be read; trying again.',
        );
        await pause(delayMs, stopping);
      }
    }
    return [];
  };
}
