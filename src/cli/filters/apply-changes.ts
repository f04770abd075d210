import { grouped, printable } from '../text.js';
import type { Difference, SavedFilter } from './difference.js';
import type { FilterFile, WantedFilter } from './filter-file.js';
import type { Applied, RegisterFilters } from './register-filters.js';

export interface AppliedChanges {
  saved: SavedFilter[];
  deleted: number;
  /** a line each */
  failures: string[];
}

const AT_ONCE = 16;

/** Adds and changes first, then deletes. What fails does not keep the others from being done. */
export async function applyChanges(
  filters: RegisterFilters,
  { added, changed, gone }: Difference,
  { file, prune }: { file: FilterFile; prune: boolean },
): Promise<AppliedChanges> {
  const result: AppliedChanges = { saved: [], deleted: 0, failures: [] };
  const take = (name: string, applied: Applied, wanted?: WantedFilter): void => {
    if (!applied.ok) {
      for (const { path, message } of applied.faults) {
        const place = wanted === undefined ? '' : `${file.placeOf(wanted.path + path)}: `;
        result.failures.push(
          printable(`${place}filter ${JSON.stringify(name)} (${applied.status}): ${message}`),
        );
      }
    } else if (applied.filter === null) result.deleted++;
    else result.saved.push(applied.filter);
  };
  await inGroups(added, async (wanted) => take(wanted.name, await filters.create(wanted), wanted));
  await inGroups(changed, async (change) =>
    take(change.saved.name, await filters.change(change), change.wanted),
  );
  if (prune) await inGroups(gone, async (saved) => take(saved.name, await filters.remove(saved)));
  return result;
}

async function inGroups<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += AT_ONCE) await Promise.all(items.slice(i, i + AT_ONCE).map(work));
}

export function summaryOf({ saved, deleted, failures }: AppliedChanges): string {
  const parts = [`${grouped(saved.length)} saved`];
  if (deleted > 0) parts.push(`${grouped(deleted)} deleted`);
  if (failures.length > 0) parts.push(`${grouped(failures.length)} not done`);
  return `${parts.join(', ')}.\n`;
}
