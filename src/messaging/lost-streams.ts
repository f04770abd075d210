import type { Logger } from 'pino';
import type { StreamFound } from './jetstream-api.js';

export interface LostStreamsDeps {
  log: Logger;
  /** for what must outlive this process; absent: only what is deleted while it runs is noticed */
  store?: {
    getText(name: string): Promise<string | undefined>;
    putText(name: string, text: string): Promise<void>;
  };
}

const STORED_AS = 'events-streams';

/**
 * Warns when a stream over our events, that was there when it was last told, is gone, or is another one of the same name. What
 * was there is kept in the store, so that one that is deleted while nobody runs is noticed at the next start. Resolves when
 * that is done; never rejects. While the store is away, nothing is said: it comes with a later look.
 */
export function createLostStreams({
  log,
  store,
}: LostStreamsDeps): (streams: readonly StreamFound[]) => Promise<void> {
  /** names, and when they were made; undefined: not read yet */
  let former: Map<string, string> | undefined;
  let stored: string | undefined;
  let last: Promise<void> = Promise.resolve();

  async function recall(): Promise<Map<string, string>> {
    stored = await store?.getText(STORED_AS);
    return new Map(stored === undefined ? [] : Object.entries(JSON.parse(stored) as Record<string, string>));
  }

  async function look(streams: readonly StreamFound[]): Promise<void> {
    const present = new Map(streams.map(({ name, created }) => [name, created]));
    former ??= await recall();
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
    const text = JSON.stringify(Object.fromEntries([...present].sort()));
    if (text === stored) return;
    await store?.putText(STORED_AS, text);
    stored = text;
  }

  return (streams) =>
    (last = last
      .then(() => look(streams))
      .catch((error: unknown) =>
        log.debug(
          { err: error },
          'which streams there were is not known, or not stored; tried at the next look',
        ),
      ));
}
