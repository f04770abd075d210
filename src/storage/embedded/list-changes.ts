import type { Changes } from './draft.js';
import { bytesOfNumber, entryOf, NOTHING, numberOf, type List } from './tables.js';

/** Changes of counts, written once at the end. */
export class CountChanges {
  private readonly changes = new Map<string, { list: List; by: number }>();

  add(list: List, by: number): void {
    const name = list.join('\n'); // no name of ours holds a line break
    const change = this.changes.get(name);
    if (change) change.by += by;
    else this.changes.set(name, { list, by });
  }

  write(changes: Changes): void {
    for (const { list, by } of this.changes.values()) {
      if (by === 0) continue;
      const count = numberOf(changes.get('counts', list)) + by;
      if (count > 0) changes.put('counts', list, bytesOfNumber(count));
      else changes.remove('counts', list);
    }
  }
}

/** Plans an entry of a list (`by` 1), or that it goes (-1), and its count. */
export function changeEntry(
  changes: Changes,
  counts: CountChanges,
  list: List,
  createdMs: number,
  id: string,
  by: 1 | -1,
): void {
  const entry = entryOf(list, createdMs, id);
  if (by > 0) changes.put('lists', entry, NOTHING);
  else changes.remove('lists', entry);
  counts.add(list, by);
}
