/** What can be dropped and made again. */
export interface Engine {
  /** bytes */
  readonly size: number;
}

interface Entry<E extends Engine> {
  engine: E;
  size: number;
  isUsed: boolean;
}

/** A place for one engine, which is made when it is asked for first, and again after it was dropped. */
export interface EnginePlace<E extends Engine> {
  /** Runs something on the engine, whose size may grow by that. */
  use<T>(work: (engine: E) => T): T;
}

export interface EngineStore<E extends Engine> {
  place(create: () => E): EnginePlace<E>;
  /** bytes of all engines there are */
  readonly size: number;
}

/**
 * Holds engines up to a sum of bytes; those that were not used of late are dropped for others ("second chance": a use
 * costs no order to be kept).
 */
export function createEngineStore<E extends Engine>(maxBytes: number): EngineStore<E> {
  const entries: (Entry<E> & { owner: { entry: Entry<E> | undefined } })[] = [];
  let size = 0;
  let hand = 0;

  function makeRoom(): void {
    while (size > maxBytes && entries.length > 1) {
      if (hand >= entries.length) hand = 0;
      const entry = entries[hand]!;
      if (entry.isUsed) {
        entry.isUsed = false;
        hand++;
        continue;
      }
      size -= entry.size;
      entry.owner.entry = undefined;
      const last = entries.pop()!;
      if (last !== entry) entries[hand] = last;
    }
  }

  return {
    get size() {
      return size;
    },
    place: (create) => {
      const owner: { entry: Entry<E> | undefined } = { entry: undefined };
      return {
        use: (work) => {
          let entry = owner.entry;
          if (entry === undefined) {
            const added = { engine: create(), size: 0, isUsed: true, owner };
            entries.push(added);
            owner.entry = entry = added;
          }
          entry.isUsed = true;
          const result = work(entry.engine);
          const grown = entry.engine.size;
          if (grown !== entry.size) {
            size += grown - entry.size;
            entry.size = grown;
            if (size > maxBytes) makeRoom();
          }
          return result;
        },
      };
    },
  };
}
