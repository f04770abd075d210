import type { JsonObject } from '../../model/json.js';
import { grouped, printable } from '../text.js';
import type { WantedFilter } from './filter-file.js';

/** A filter as the register answers it, as far as it is needed here. */
export interface SavedFilter {
  id: string;
  name: string;
  description: string;
  mongoQuery: JsonObject;
  status: 'pending' | 'active';
  matchedEndpointsCount: number;
  /** why it never becomes active */
  fault?: string;
  progress?: { evaluated: number; total: number; state: 'waiting' | 'evaluating' };
}

export interface ChangedFilter {
  wanted: WantedFilter;
  saved: SavedFilter;
}

/** What is to be done for the register to have the filters of a file. Filters are the same by their name. */
export interface Difference {
  added: WantedFilter[];
  changed: ChangedFilter[];
  unchanged: SavedFilter[];
  /** in the register and not in the file */
  gone: SavedFilter[];
}

export function compare(wanted: readonly WantedFilter[], saved: readonly SavedFilter[]): Difference {
  const byName = new Map(saved.map((filter) => [filter.name, filter]));
  const difference: Difference = { added: [], changed: [], unchanged: [], gone: [] };
  for (const filter of wanted) {
    const found = byName.get(filter.name);
    byName.delete(filter.name);
    if (found === undefined) difference.added.push(filter);
    else if (isAsWanted(found, filter)) difference.unchanged.push(found);
    else difference.changed.push({ wanted: filter, saved: found });
  }
  difference.gone.push(...byName.values());
  return difference;
}

export function isAsWanted(
  saved: Pick<SavedFilter, 'description' | 'mongoQuery'>,
  wanted: WantedFilter,
): boolean {
  return sameQuery(saved, wanted) && (wanted.description ?? saved.description) === saved.description;
}

/** As text, since the order of keys means something to `$eq` of a sub-document, and the register compares so too. */
export function sameQuery(a: { mongoQuery: JsonObject }, b: { mongoQuery: JsonObject }): boolean {
  return JSON.stringify(a.mongoQuery) === JSON.stringify(b.mongoQuery);
}

/** Whether there is something to do. */
export function isDifferent({ added, changed, gone }: Difference, prune: boolean): boolean {
  return added.length + changed.length > 0 || (prune && gone.length > 0);
}

const NO_TEXT = '(no description)';

/** For people: `+` new, `~` changed, `-` deleted; then a line of counts. */
export function renderDifference(difference: Difference, prune: boolean): string {
  const { added, changed, gone } = difference;
  const lines: string[] = [];
  for (const { name, description, mongoQuery } of added) {
    lines.push(`+ ${name}`);
    if (description) lines.push(`    ${description}`);
    lines.push(`    ${JSON.stringify(mongoQuery)}`);
  }
  for (const { wanted, saved } of changed) {
    lines.push(`~ ${saved.name}`);
    if (wanted.description !== undefined && wanted.description !== saved.description)
      lines.push(`  - ${saved.description || NO_TEXT}`, `  + ${wanted.description || NO_TEXT}`);
    if (!sameQuery(saved, wanted))
      lines.push(`  - ${JSON.stringify(saved.mongoQuery)}`, `  + ${JSON.stringify(wanted.mongoQuery)}`);
  }
  if (prune)
    for (const { name, mongoQuery } of gone) lines.push(`- ${name}`, `    ${JSON.stringify(mongoQuery)}`);
  return [...lines.map(printable), countsOf(difference, prune)].map((line) => `${line}\n`).join('');
}

function countsOf({ added, changed, unchanged, gone }: Difference, prune: boolean): string {
  const pending = unchanged.filter(({ status }) => status === 'pending').length;
  const parts = [
    `${grouped(added.length)} new`,
    `${grouped(changed.length)} changed`,
    `${grouped(unchanged.length)} unchanged${pending === 0 ? '' : ` (${grouped(pending)} not active yet)`}`,
  ];
  if (prune) parts.push(`${grouped(gone.length)} to delete`);
  else if (gone.length > 0)
    parts.push(`${grouped(gone.length)} not in the file, left as they are (--prune deletes them)`);
  return `${parts.join(', ')}.`;
}
