import type { CheckedLine } from './check-line.js';
import type { Entry } from './ledger.js';

/** Brings lines of one kind to the register. Faults that end the import reject; those of a line settle it. */
export interface Sender<Kind extends CheckedLine['kind']> {
  /** Takes a line. Resolves when there is room for the next. */
  send(entry: Entry, checked: CheckedLine & { kind: Kind }): Promise<void>;
  /** Resolves when every line taken so far is settled. */
  drain(): Promise<void>;
}
