import type { RelationEnd } from '../model/relation.js';
import type { RelationPage, RelationQuery, Store } from '../storage/index.js';

const READ_AT_ONCE = 1000;

/** As the store's own page, of those ends only whose ids are named. O(links of the end in this direction). */
export async function findAmong(
  store: Pick<Store, 'findRelations'>,
  { offset, limit, after, ...of }: RelationQuery,
  ids: ReadonlySet<string>,
): Promise<RelationPage> {
  const ends: RelationEnd[] = [];
  let next: RelationEnd | undefined;
  do {
    const place = next === undefined ? { offset: 0 } : { offset: 0, after: next };
    const page: RelationPage = await store.findRelations({ ...of, ...place, limit: READ_AT_ONCE });
    for (const end of page.ends) if (ids.has(end.endpointId)) ends.push(end);
    next = page.next;
  } while (next !== undefined);
  const from = after === undefined ? offset : ends.findIndex((end) => isBehind(end, after));
  const shown = from === -1 ? [] : ends.slice(from, from + limit);
  const last = shown.at(-1);
  const hasMore = last !== undefined && last !== ends.at(-1);
  return { ends: shown, total: ends.length, ...(hasMore ? { next: last } : {}) };
}

/** Newest first, ids ascending within a date. */
function isBehind(end: RelationEnd, place: RelationEnd): boolean {
  if (end.createdMs !== place.createdMs) return end.createdMs < place.createdMs;
  return end.endpointId > place.endpointId;
}
