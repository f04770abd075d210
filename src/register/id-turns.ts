/** Work on one id is done one after the other; on different ids, at once. */
export interface IdTurns {
  /** Undefined, and nothing is done, when more on this id waits already than may. Rejects as the work does. */
  take<T>(id: string, work: () => Promise<T>): Promise<T> | undefined;
}

const MOST_WAITING = 10;

/** @param mostWaiting on one id; without a bound (Infinity) nothing is refused */
export function createIdTurns(mostWaiting = MOST_WAITING): IdTurns {
  const lines = new Map<string, { length: number; last: Promise<unknown> }>();
  return {
    take(id, work) {
      const line = lines.get(id) ?? { length: 0, last: Promise.resolve() };
      if (line.length > mostWaiting) return undefined;
      line.length++;
      lines.set(id, line);
      const done = line.last.then(work).finally(() => {
        if (--line.length === 0) lines.delete(id);
      });
      line.last = done.catch(() => undefined);
      return done;
    },
  };
}
