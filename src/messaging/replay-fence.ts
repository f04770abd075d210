import type { EventSenderDeps } from './event-sender.js';

/**
 * The order that an `ActivationFence` keeps, where groups of events are given in the order of their commits: the
 * activation of a changed query is sent when all that were given before it are.
 */
export interface ReplayFence {
  keepBehind: EventSenderDeps['fence']['keepBehind'];
  /** `number` grows with each. */
  given(number: number): void;
  /** All of it was sent or given up; `seq`: where the stream has the last of it. Each once. */
  finished(number: number, seq: number): void;
}

export function createReplayFence(): ReplayFence {
  /** numbers in their order; those before the first that is not finished are taken out */
  let line: number[] = [];
  let head = 0;
  /** where the stream has them, by number */
  const finished = new Map<number, number>();
  /** where it has the last of those that were taken out of the line */
  let passedSeq = 0;
  const kept = new Map<number, (seq: number) => void>();

  const advance = () => {
    for (let seq; head < line.length && (seq = finished.get(line[head]!)) !== undefined; head++) {
      finished.delete(line[head]!);
      passedSeq = Math.max(passedSeq, seq);
    }
    if (head > 1024 && head * 2 > line.length) {
      line = line.slice(head);
      head = 0;
    }
    const first = line[head];
    const passed = first === undefined ? undefined : kept.get(first);
    if (passed === undefined) return;
    kept.delete(first!);
    passed(passedSeq);
  };

  return {
    given: (number) => void line.push(number),
    finished(number, seq) {
      finished.set(number, seq);
      advance();
    },
    keepBehind({ order }, passed) {
      kept.set(order, passed);
      advance();
    },
  };
}
