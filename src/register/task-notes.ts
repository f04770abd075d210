import { setTimeout as sleep } from 'node:timers/promises';

/** Stores how far something is, now and then, while it goes on. */
export interface TaskNotes {
  /** No more; resolves when nothing is being written. */
  stop(): Promise<void>;
}

export interface TaskNotesDeps {
  /** how much is done; what has not changed is not noted again */
  done: () => number;
  /** whether anybody would read it */
  isWanted: () => boolean;
  write: () => Promise<void>;
}

const EVERY_MS = 1_000;
/** A large one is noted more rarely: at most such a part of the time is spent on it. */
const MOST_SHARE = 0.05;

export function startTaskNotes({ done, isWanted, write }: TaskNotesDeps): TaskNotes {
  const stopping = new AbortController();
  const { signal } = stopping;

  const run = async () => {
    let noted = done();
    let pauseMs = EVERY_MS;
    while (!signal.aborted) {
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      const now = done();
      if (signal.aborted || now === noted || !isWanted()) continue;
      const beganMs = performance.now();
      // the next one says it, if this one fails
      const isWritten = await write().then(
        () => true,
        () => false,
      );
      if (isWritten) noted = now;
      pauseMs = Math.max(EVERY_MS, (performance.now() - beganMs) / MOST_SHARE);
    }
  };

  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
