import type { Logger } from 'pino';
import type { StreamFound } from './jetstream-api.js';

/** Warns when a stream over our events, that was there when it was last told, is gone, or is another one of the same name. */
export function createLostStreams(log: Logger): (streams: readonly StreamFound[]) => void {
  let former = new Map<string, string>();
  return (streams) => {
    const present = new Map(streams.map(({ name, created }) => [name, created]));
    for (const [stream, created] of former) {
      const now = present.get(stream);
      if (now === created) continue;
      const what = now === undefined ? 'is gone, or takes our events no more' : 'was deleted and made anew';
      log.warn(
        { stream, created, ...(now !== undefined && { madeAnew: now }) },
        `The stream ${stream} ${what}: who had not read what was in it misses events. What is kept of them can be sent again: epr republish --since <the time of the oldest that is missing>.`,
      );
    }
    former = present;
  };
}
