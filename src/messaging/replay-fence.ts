import type { ActivationFence } from './activation-fence.js';

/**
 * The order that {@link ActivationFence} keeps, where groups of events are given in the order of their commits: the
 * activation of a changed query is sent when all that were given before it are.
 */
export interface ReplayFence extends Pick<ActivationFence, 'keepBehind'> {
  /** `number` grows with each. */
  given(number: number): void;
  /** All of it was sent or given up. Each once. */
  finished(number: number): void;
}

export function createReplayFence(): ReplayFence {
  /** numbers in their order; those before the first that is not finished are taken out */
  let line: number[] = [];
  let head = 0;
  const finished = new Set<number>();
  const kept = new Map<number, () => void>();

  const advance = () => {
    while (head < line.length && finished.delete(line[head]!)) head++;
    if (head > 1024 && head * 2 > line.length) {
      line = line.slice(head);
      head = 0;
    }
    const first = line[head];
    const passed = first === undefined ? undefined : kept.get(first);
    if (passed === undefined) return;
    kept.delete(first!);
    passed();
  };

  return {
    given: (number) => void line.push(number),
    finished(number) {
      finished.add(number);
      advance();
    },
    keepBehind({ order }, passed) {
      kept.set(order, passed);
      advance();
    },
  };
}
