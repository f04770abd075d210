/** Lets a long walk give way to other work. */
export interface Pacer {
  isDue(): boolean;
  pause(): Promise<void>;
}

const WORK_MS = 2;
/** Steps between two looks at the clock. */
const STEPS = 16;

export function createPacer(): Pacer {
  let steps = 0;
  let startedMs = performance.now();
  return {
    isDue: () => ++steps % STEPS === 0 && performance.now() - startedMs > WORK_MS,
    async pause() {
      await new Promise(setImmediate);
      startedMs = performance.now();
    },
  };
}
