/** Lets a long walk give way to other work. */
export interface Pacer {
  isDue(): boolean;
  pause(): Promise<void>;
}

const WORK_MS = 2;
/** Steps between two looks at the clock, for steps of about a microsecond. */
const STEPS = 16;

/** @param every so many steps there is a look at the clock; 1 where one step may be long */
export function createPacer(every = STEPS): Pacer {
  let steps = 0;
  let startedMs = performance.now();
  return {
    isDue: () => ++steps % every === 0 && performance.now() - startedMs > WORK_MS,
    async pause() {
      await new Promise(setImmediate);
      startedMs = performance.now();
    },
  };
}
