/** Lets many through at a time, and some alone. */
export interface Gate {
  /** Resolves when it may go in: at once, unless somebody is, or waits to be, alone. */
  enter(): Promise<void>;
  leave(): void;
  /**
   * Runs a task when all who went in have left; meanwhile nobody goes in. Tasks run one after the other, and who waits
   * to go in does so between two of them: a stream of tasks holds nobody back for more than one.
   */
  exclusively<T>(task: () => Promise<T>): Promise<T>;
}

export function createGate(): Gate {
  let inside = 0;
  let alone = 0;
  let waiting: (() => void)[] = [];
  let empty: (() => void) | undefined;
  let last: Promise<unknown> = Promise.resolve();

  const run = async <T>(task: () => Promise<T>): Promise<T> => {
    if (inside > 0) await new Promise<void>((resolve) => (empty = resolve));
    return task();
  };

  /** They are inside from here on, so that the next task waits for them. */
  const letIn = () => {
    const go = waiting;
    waiting = [];
    inside += go.length;
    for (const resolve of go) resolve();
  };

  return {
    async enter() {
      if (alone === 0) inside++;
      else await new Promise<void>((resolve) => waiting.push(resolve));
    },
    leave() {
      inside--;
      if (inside > 0) return;
      empty?.();
      empty = undefined;
    },
    exclusively(task) {
      alone++;
      const result = last.then(() => run(task));
      last = result
        .catch(() => undefined)
        .then(() => {
          alone--;
          letIn();
        });
      return result;
    },
  };
}
