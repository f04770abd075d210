import type { OutboxEntry, Store } from '../storage/index.js';
import type { OrderMark } from './frame.js';

export type OutboxToCompare = Pick<Store, 'readOutbox' | 'newestOrder'>;

const PAGE = 1000;
/** The log is behind by milliseconds. If it is behind by more than this, something else is wrong. */
const MOST = 100_000;

/**
 * What was committed and is not in the log: the process ended between the two. `complete`: together they are all that
 * was ever committed. That is counted, not trusted: entries have numbers in one sequence.
 */
export async function findUnlogged(
  store: OutboxToCompare,
  { through, beyond }: OrderMark,
): Promise<{ entries: OutboxEntry[]; complete: boolean }> {
  const newest = store.newestOrder!();
  const entries: OutboxEntry[] = [];
  const due = newest - through - beyond.length;
  if (due < 0 || due > MOST) return { entries, complete: false };
  const logged = new Set(beyond);
  for (let after = { source: '', order: through }; ;) {
    const page = await store.readOutbox(PAGE, after);
    for (const entry of page) if (!logged.has(entry.position.order)) entries.push(entry);
    if (page.length < PAGE) return { entries, complete: entries.length === due };
    after = page.at(-1)!.position;
  }
}
