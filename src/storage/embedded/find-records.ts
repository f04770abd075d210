import { createdOf, headOf, isTombstone, metadataOf } from '../../model/record.js';
import type { PagePlace, RecordPage, RecordQuery, Scope } from '../port.js';
import { createPacer } from './pacer.js';
import { byId, comparePlaces, newestFirst, oldestFirst } from './places.js';
import { isIn, walkOf, type ScopeWalk } from './scope-walk.js';
import { isKey, numbersOf, type Tables, type View } from './tables.js';

/** So many ids are sorted rather than looked for among all records. */
const SORTED = 5000;

/** O(1), but for a scope of a filter and a version, or of a version alone: O(records of the narrowest list). */
export async function countRecords(tables: Tables, view: View, scope: Scope): Promise<number> {
  const walk = walkOf(tables, view, scope);
  if (!walk?.rest) return walk?.size ?? 0;
  const sort = { by: 'createdDate', direction: 'desc' } as const;
  return countFitting(tables, view, { scope, sort, offset: 0, limit: 0, withTotal: true }, walk);
}

/**
 * A page, on one view of the store. Costs, beside the page itself:
 * - by date: O(log n) with a cursor, else O(log n + offset)
 * - by id: O(records of the scope) when they are at most 5,000, else O(all records up to the page)
 * - `where`, `test`: O(records of the scope up to the page); with a total, all of them
 * - `endpointIds`: O(ids)
 *
 * Other work comes in between every 2 ms, but not in the middle of a record's `where` or `test`.
 */
export async function findRecords(tables: Tables, view: View, query: RecordQuery): Promise<RecordPage> {
  const page: RecordPage = { records: [] };
  const walk = walkOf(tables, view, query.scope);
  if (walk) await fillPage(tables, view, query, walk, page);
  if (query.withTotal) {
    if (!walk) page.total = 0;
    else page.total = isCounted(query, walk) ? walk.size : await countFitting(tables, view, query, walk);
  }
  return page;
}

async function fillPage(
  tables: Tables,
  view: View,
  query: RecordQuery,
  walk: ScopeWalk,
  page: RecordPage,
): Promise<void> {
  const fits = fitOf(tables, view, query, walk);
  const pacer = createPacer(fits ? 1 : undefined);
  let toSkip = query.after ? 0 : query.offset;
  let last: PagePlace | undefined;
  for (const endpointId of candidates(tables, view, query, walk, query.after)) {
    if (pacer.isDue()) await pacer.pause();
    if (!fits && toSkip > 0) {
      toSkip--;
      continue;
    }
    if (page.records.length === query.limit && !fits) {
      if (last) page.next = last;
      return;
    }
    const record = tables.records.getBinary(endpointId, { transaction: view });
    if (record === undefined || (fits && !fits(record, endpointId)) || toSkip-- > 0) continue;
    if (page.records.length === query.limit) {
      if (last) page.next = last;
      return;
    }
    page.records.push(record);
    last = { createdMs: createdOf(record), endpointId };
  }
}

async function countFitting(
  tables: Tables,
  view: View,
  query: RecordQuery,
  walk: ScopeWalk,
): Promise<number> {
  const fits = fitOf(tables, view, query, walk);
  const pacer = createPacer(fits ? 1 : undefined);
  let total = 0;
  const inAnyOrder = { ...query, sort: { by: 'createdDate', direction: 'desc' } } as const;
  for (const endpointId of candidates(tables, view, inAnyOrder, walk)) {
    if (pacer.isDue()) await pacer.pause();
    const record = tables.records.getBinary(endpointId, { transaction: view });
    if (record && (!fits || fits(record, endpointId))) total++;
  }
  return total;
}

/** Whether the count of the list is the total. */
function isCounted(query: RecordQuery, walk: ScopeWalk): boolean {
  return !query.endpointIds && !query.where && !query.test && !walk.rest;
}

function walksAllIds(query: RecordQuery, walk: ScopeWalk): boolean {
  return !query.endpointIds && query.sort.by === 'endpointId' && walk.size > SORTED;
}

/** What a candidate must still fulfil; `undefined`: nothing. */
function fitOf(
  tables: Tables,
  view: View,
  query: RecordQuery,
  walk: ScopeWalk,
): ((record: Uint8Array, endpointId: string) => boolean) | undefined {
  if (isCounted(query, walk) && !walksAllIds(query, walk)) return undefined;
  const { where, test, scope } = query;
  const isListed = !query.endpointIds && !walksAllIds(query, walk);
  const rest = isListed ? walk.rest : scope;
  const filterNumber = isListed ? undefined : scope.filterNumber;
  const isMember = (endpointId: string) =>
    numbersOf(tables.memberships.getBinaryFast(endpointId, { transaction: view })).includes(filterNumber!);
  return (record, endpointId) => {
    if (isTombstone(record) || (rest && !isIn(record, rest))) return false;
    if (filterNumber !== undefined && !isMember(endpointId)) return false;
    if (test && !test(record)) return false;
    if (!where) return true;
    const applicationVersion = headOf(record).version;
    return where.matches({ endpointId, applicationVersion, metadata: metadataOf(record) });
  };
}

/** Endpoint ids in the order of the query, from right after a place; at least all that are in the scope. */
function* candidates(
  tables: Tables,
  view: View,
  query: RecordQuery,
  walk: ScopeWalk,
  after?: PagePlace,
): Generator<string> {
  const { by, direction } = query.sort;
  if (walksAllIds(query, walk)) {
    yield* byId(tables, view, direction, after?.endpointId);
    return;
  }
  if (query.endpointIds || by === 'endpointId') {
    const compare = comparePlaces(by, direction);
    const places = query.endpointIds
      ? placesOf(tables, view, query.endpointIds)
      : [...newestFirst(tables, view, walk.list)];
    places.sort(compare);
    for (const place of places) if (!after || compare(after, place) < 0) yield place.endpointId;
    return;
  }
  const places = direction === 'desc' ? newestFirst : oldestFirst;
  for (const place of places(tables, view, walk.list, after)) yield place.endpointId;
}

function placesOf(tables: Tables, view: View, endpointIds: readonly string[]): PagePlace[] {
  return [...new Set(endpointIds)].filter(isKey).flatMap((endpointId) => {
    const record = tables.records.getBinaryFast(endpointId, { transaction: view });
    return record === undefined ? [] : [{ createdMs: createdOf(record), endpointId }];
  });
}

/**
 * Records of an application that were evaluated with an older filter set, newest first. O(records passed over).
 *
 * @param after what was answered as `next`: the place of the last record
 */
export async function scanStaleRecords(
  tables: Tables,
  view: View,
  query: { application: string; filterSet: number; limit: number; after?: string },
): Promise<{ records: Uint8Array[]; next?: string }> {
  const pacer = createPacer();
  const records: Uint8Array[] = [];
  const walk = walkOf(tables, view, { application: query.application });
  let next: string | undefined;
  for (const place of walk ? newestFirst(tables, view, walk.list, parsePlace(query.after)) : []) {
    if (pacer.isDue()) await pacer.pause();
    const record = tables.records.getBinaryFast(place.endpointId, { transaction: view });
    if (record === undefined || record.readUInt32LE(4) >= query.filterSet) continue;
    if (records.length === query.limit) return next === undefined ? { records } : { records, next };
    records.push(new Uint8Array(record.subarray(0, record.length)));
    next = `${place.createdMs}/${place.endpointId}`;
  }
  return { records };
}

function parsePlace(text: string | undefined): PagePlace | undefined {
  if (text === undefined) return undefined;
  const slash = text.indexOf('/');
  return { createdMs: Number(text.slice(0, slash)), endpointId: text.slice(slash + 1) };
}
