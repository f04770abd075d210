import type { InputLine } from './read-lines.js';

/** What became of one line. */
export type LineResult =
  | { kind: 'registered' }
  | { kind: 'alreadyThere' }
  | { kind: 'updated' }
  | { kind: 'blank' }
  | { kind: 'failed'; status?: number; code: string; message: string };

export interface Counts {
  registered: number;
  alreadyThere: number;
  updated: number;
  failed: number;
  blank: number;
}

export const NO_COUNTS: Counts = { registered: 0, alreadyThere: 0, updated: 0, failed: 0, blank: 0 };

/** A line on its way. */
export interface Entry {
  line: InputLine;
  settle(result: LineResult): void;
}

export interface Failure {
  line: number;
  input: string;
  /** absent: it was not sent */
  status?: number;
  code: string;
  message: string;
}

/**
 * Keeps what became of the lines in their order, whatever the order of the answers: counts and failures move on only
 * when every line before is settled. So "done up to line n" is always true, and an import that goes on there counts
 * and reports nothing twice.
 */
export interface Ledger {
  open(line: InputLine): Entry;
  counts(): Readonly<Counts>;
  /** every line up to this one is settled */
  doneLine(): number;
  /** lines opened and not yet behind {@link doneLine} */
  openLines(): number;
}

interface Slot {
  line: InputLine;
  result: LineResult | undefined;
}

export function createLedger(
  start: { line: number; counts: Counts },
  onFailure: (failure: Failure) => void,
): Ledger {
  const counts = { ...start.counts };
  let done = start.line;
  let slots: Slot[] = [];
  let head = 0;

  const advance = (): void => {
    for (let slot = slots[head]; slot?.result !== undefined; slot = slots[head]) {
      counts[slot.result.kind]++;
      if (slot.result.kind === 'failed') {
        const { kind: _kind, ...why } = slot.result;
        onFailure({ line: slot.line.number, input: inputOf(slot.line), ...why });
      }
      done = slot.line.number;
      head++;
    }
    if (head > 1024 && head * 2 > slots.length) {
      slots = slots.slice(head);
      head = 0;
    }
  };

  return {
    open(line) {
      const slot: Slot = { line, result: undefined };
      slots.push(slot);
      return {
        line,
        settle(result) {
          if (slot.result !== undefined) return;
          slot.result = result;
          if (slots[head] === slot) advance();
        },
      };
    },
    counts: () => counts,
    doneLine: () => done,
    openLines: () => slots.length - head,
  };
}

const SHOWN_BYTES = 4096;

function inputOf(line: InputLine): string {
  return line.tooLong ? `${line.bytes.toString('utf8', 0, SHOWN_BYTES)}...` : line.bytes.toString('utf8');
}
