import { createdOf, headOf, isTombstone, metadataOf } from '../../model/record.js';
import type { Query } from '../../filters/index.js';
import type { IndexedCount, PagePlace, RecordPage, RecordQuery, Scope } from '../port.js';
import { countFitting, fillPage, type Fits, type Moment, type Search } from './fill-page.js';
import { createPacer } from './pacer.js';
import { byId, byIdIn, comparePlaces } from './places.js';
import { noReading, noteWays } from './reading.js';
import { inLists, inOneApplication, isIn, walkOf, type ScopeWalk } from './scope-walk.js';
import { isKey, listOf } from './tables.js';
import { choosePath, type Path, placesOn } from './values/access.js';
import type { ValueIndexes } from './values/indexes.js';

/** So many ids are sorted rather than looked for in a longer list. */
const SORTED = 5000;
/** Candidates that are held in memory at once, to be sorted. */
const GATHERED = 100_000;
/** What reading and testing a record costs, in entries of an index. */
const RECORD_COST = 8;

/** O(1), but for a scope of a filter and a version: O(the shorter list); or of a version without its application: O(records of the tenant). */
export async function countRecords(moment: Moment, scope: Scope): Promise<number> {
  const search = { ...moment, reading: noReading() };
  const walk = walkOf(moment.lists, scope);
  return walk === undefined ? 0 : countScope(search, walk);
}

async function countScope(search: Search, walk: ScopeWalk): Promise<number> {
  if (walk.also.length === 0 && !walk.rest) return walk.size;
  const { lists, reading } = search;
  const { rest } = walk;
  return countFitting(search, listed(search, lists.newestFirst(walk.list)), {
    place: inLists(lists, reading, walk.also),
    ...(rest ? { record: (record) => isIn(record, rest) } : {}),
  });
}

/**
 * A page, on one view of the store. Costs, beside the page itself:
 * - by date: O(log n) with a cursor, else O(log n + offset)
 * - by id: O(records of the scope) when they are at most 5,000; else along the ids of the application, or of all
 * - `where`: along the way with the fewest entries, see {@link choosePath}; records are read where that way does not
 *   decide them. Without an index O(records of the scope up to the page); with a total, all of them
 * - `test`: O(records of the scope up to the page); with a total, all of them
 * - `endpointIds`: O(ids)
 *
 * Other work comes in between every 2 ms, but not in the middle of a record's `where` or `test`.
 */
export async function findRecords(
  moment: Moment,
  indexes: ValueIndexes,
  asked: RecordQuery,
): Promise<RecordPage> {
  const query = { ...asked, scope: inOneApplication(moment, asked.scope) };
  const search: Search = { ...moment, reading: noReading() };
  const page: RecordPage = { records: [], read: search.reading };
  const walk = walkOf(moment.lists, query.scope);
  if (walk === undefined) return query.withTotal ? { ...page, total: 0 } : page;
  const { application } = query.scope;
  const requirement = query.endpointIds === undefined ? query.where?.requirement : undefined;
  if (requirement === undefined || application === undefined) {
    await findOnList(search, query, walk, page);
    return page;
  }
  const { best, missing } = await choosePath(
    moment.tables,
    moment.view,
    search.reading,
    application,
    requirement,
    walk.size,
  );
  if (best && best.count <= walk.size && !isBarelyLess(best, walk)) {
    for (const key of best.keys) indexes.used(application, key);
    await findOnPath(search, query, walk, best, page);
  } else await findOnList(search, query, walk, page);
  indexes.lacked(application, missing, search.reading.records);
  return page;
}

/** O(entries of the index that are counted). A key without an index gets one, when there are many records. */
export async function countIndexed(
  { tables, view, lists }: Moment,
  indexes: ValueIndexes,
  application: string,
  where: Query,
): Promise<IndexedCount | undefined> {
  const walk = walkOf(lists, { application });
  if (walk === undefined || where.requirement === undefined) return undefined;
  const reading = noReading();
  const { requirement } = where;
  const { best, missing } = await choosePath(tables, view, reading, application, requirement, walk.size);
  indexes.lacked(application, missing, walk.size);
  if (best?.isTotal !== true) return undefined;
  for (const key of best.keys) indexes.used(application, key);
  return { count: best.count, index: best.by.join(', '), entries: reading.counted };
}

/** When each candidate has to be read, a way must leave out enough to be worth its entries. */
function isBarelyLess(path: Path, walk: ScopeWalk): boolean {
  return !path.exact && path.count > walk.size * 0.8;
}

async function findOnList(
  search: Search,
  query: RecordQuery,
  walk: ScopeWalk,
  page: RecordPage,
): Promise<void> {
  noteWays(search.reading, [nameOf(query, walk)]);
  await fillPage(search, candidates(search, query, walk), fitsOnList(search, query, walk), query, page);
  if (!query.withTotal) return;
  if (!query.endpointIds && !query.where && !query.test) page.total = await countScope(search, walk);
  else {
    const { after: _passed, ...whole } = query;
    const inAnyOrder: RecordQuery = { ...whole, sort: { by: 'createdDate', direction: 'desc' } };
    const fits = fitsOnList(search, inAnyOrder, walk);
    page.total = await countFitting(search, candidates(search, inAnyOrder, walk), fits);
  }
}

function nameOf(query: RecordQuery, walk: ScopeWalk): string {
  return query.endpointIds ? 'records' : `lists:${LIST_NAMES[walk.list[0] as string] ?? ''}`;
}

const LIST_NAMES: Readonly<Record<string, string>> = {
  '*': 'all',
  t: 'tenant',
  a: 'application',
  v: 'version',
  f: 'filter',
};

async function findOnPath(
  search: Search,
  query: RecordQuery,
  walk: ScopeWalk,
  path: Path,
  page: RecordPage,
): Promise<void> {
  const { tables, view, reading } = search;
  const { application, version, filterNumber } = query.scope;
  const all = [listOf.application(application!)];
  if (version !== undefined) all.push(listOf.version(application!, version));
  if (filterNumber !== undefined) all.push(listOf.filter(application!, filterNumber));
  // an index has only records of the application
  if (!path.sources.some(({ kind }) => kind === 'ids')) all.shift();
  const fits: Fits = {
    place: inLists(search.lists, reading, all),
    record: recordTest({ ...query, where: path.exact ? undefined : query.where }, walk.rest),
  };
  const isCounted = path.isTotal && !fits.place && !fits.record;
  const isTotalFree = !query.withTotal || isCounted;
  if (query.withTotal && isCounted) page.total = path.count;

  const expected = ((query.offset + query.limit + 1) * walk.size) / Math.max(path.count, 1);
  const isTooMany = path.count > GATHERED;
  if (isTooMany || (isTotalFree && expected * RECORD_COST < path.count)) {
    const most = isTooMany ? Infinity : path.count / RECORD_COST;
    noteWays(reading, [nameOf(query, walk)]);
    const onList = fitsOnList(search, query, walk);
    const isWhole = await fillPage(search, candidates(search, query, walk), onList, query, page, most);
    if (isWhole && isTotalFree) return void (isCounted && query.withTotal && noteWays(reading, path.by));
    if (isWhole) {
      const inAnyOrder: RecordQuery = { ...query, sort: { by: 'createdDate', direction: 'desc' } };
      delete inAnyOrder.after;
      page.total = path.distinct
        ? await countFitting(search, placesOn(tables, view, reading, path), fits)
        : await countFitting(
            search,
            candidates(search, inAnyOrder, walk),
            fitsOnList(search, inAnyOrder, walk),
          );
      return;
    }
    page.records.length = 0;
    delete page.next;
  }

  noteWays(reading, path.by);
  const places = await gather(search, path, fits, !isTotalFree);
  if (query.withTotal) page.total ??= places.length;
  const compare = comparePlaces(query.sort.by, query.sort.direction);
  places.sort(compare);
  const { after } = query;
  const from = after ? places.findIndex((place) => compare(after, place) < 0) : 0;
  // what was looked at for the total fits already
  const left = isTotalFree ? { record: fits.record } : {};
  if (from >= 0) await fillPage(search, from === 0 ? places : places.slice(from), left, query, page);
}

/** A path's places, each once, in no order. */
async function gather(
  { tables, view, reading }: Search,
  path: Path,
  fits: Fits,
  withRecords: boolean,
): Promise<PagePlace[]> {
  const pacer = createPacer(1);
  const seen = path.distinct ? undefined : new Set<string>();
  const places: PagePlace[] = [];
  for (const place of placesOn(tables, view, reading, path)) {
    if (pacer.isDue()) await pacer.pause();
    if (seen) {
      if (seen.has(place.endpointId)) continue;
      seen.add(place.endpointId);
    }
    if (fits.place && !fits.place(place)) continue;
    if (withRecords && fits.record) {
      const record = tables.records.getBinary(place.endpointId, { transaction: view });
      reading.records++;
      if (record === undefined || !fits.record(record, place.endpointId)) continue;
    }
    places.push(place);
  }
  return places;
}

/** Where candidates of a list come from. */
type Way = 'named' | 'list' | 'sorted' | 'ids of application' | 'ids of all';

function wayOf(query: RecordQuery, walk: ScopeWalk): Way {
  if (query.endpointIds) return 'named';
  if (query.sort.by === 'createdDate') return 'list';
  if (walk.size <= SORTED) return 'sorted';
  return query.scope.application === undefined ? 'ids of all' : 'ids of application';
}

/** Places in the order of the query, from right after its place; at least all that are in the scope. */
function* candidates(search: Search, query: RecordQuery, walk: ScopeWalk): Generator<PagePlace> {
  const { tables, view, lists, reading } = search;
  const { after, sort } = query;
  switch (wayOf(query, walk)) {
    case 'list': {
      const { list } = walk;
      const newest = sort.direction === 'desc';
      yield* listed(search, newest ? lists.newestFirst(list, after) : lists.oldestFirst(list, after));
      return;
    }
    case 'ids of application':
      yield* listed(
        search,
        byIdIn(tables, view, query.scope.application!, sort.direction, after?.endpointId),
      );
      return;
    case 'ids of all':
      // its date is looked at with the record
      for (const endpointId of byId(tables, view, sort.direction, after?.endpointId)) {
        reading.entries++;
        yield { createdMs: 0, endpointId };
      }
      return;
    case 'named':
    case 'sorted': {
      const compare = comparePlaces(sort.by, sort.direction);
      const places = query.endpointIds
        ? placesOf(search, query.endpointIds)
        : [...listed(search, lists.newestFirst(walk.list))];
      places.sort(compare);
      for (const place of places) if (!after || compare(after, place) < 0) yield place;
    }
  }
}

function* listed({ reading }: Search, places: Iterable<PagePlace>): Generator<PagePlace> {
  for (const place of places) {
    reading.entries++;
    yield place;
  }
}

/** What candidates of a list must still fulfil. */
function fitsOnList({ lists, reading }: Search, query: RecordQuery, walk: ScopeWalk): Fits {
  const way = wayOf(query, walk);
  if (way === 'ids of all') return { record: recordTest(query, query.scope) };
  const all = way === 'named' || way === 'ids of application' ? [walk.list, ...walk.also] : walk.also;
  const isOfApplication = ([kind]: readonly unknown[]) => way === 'ids of application' && kind === 'a';
  return {
    place: inLists(
      lists,
      reading,
      all.filter((list) => !isOfApplication(list)),
    ),
    record: recordTest(query, walk.rest),
  };
}

/** What is to be asked of a record; undefined: nothing. A tombstone never fits. */
function recordTest(
  { where, test }: Pick<RecordQuery, 'test'> & { where?: RecordQuery['where'] | undefined },
  rest: Scope | undefined,
): Fits['record'] {
  if (!where && !test && !rest) return undefined;
  return (record, endpointId) => {
    if (isTombstone(record) || (rest && !isIn(record, rest))) return false;
    if (test && !test(record)) return false;
    if (!where) return true;
    const applicationVersion = headOf(record).version;
    return where.matches({ endpointId, applicationVersion, metadata: metadataOf(record) });
  };
}

function placesOf({ tables, view, reading }: Search, endpointIds: readonly string[]): PagePlace[] {
  return [...new Set(endpointIds)].filter(isKey).flatMap((endpointId) => {
    const record = tables.records.getBinaryFast(endpointId, { transaction: view });
    reading.records++;
    return record === undefined ? [] : [{ createdMs: createdOf(record), endpointId }];
  });
}
