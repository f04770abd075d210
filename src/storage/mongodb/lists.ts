import type { Collection, Document } from 'mongodb';
import { createdOf } from '../../model/record.js';
import type { Query, Requirement } from '../../filters/index.js';
import type { IndexedCount, RecordPage, RecordQuery, Scope, StalePage } from '../port.js';
import { type EndpointDocument, LIVE } from './documents.js';
import { inOrder, MAX_TIME_MS } from './page-order.js';
import { translateQuery } from './translate-query.js';

type Endpoints = Collection<EndpointDocument>;
type Found = Pick<EndpointDocument, '_id' | 'record'>;

const SCAN_BATCH = 500;

export async function countScope(endpoints: Endpoints, scope: Scope): Promise<number> {
  return endpoints.countDocuments(scopeOf(scope), { maxTimeMS: MAX_TIME_MS });
}

/** By the server, along the index that the requirement of the query names. */
export async function countIndexed(
  endpoints: Endpoints,
  application: string,
  where: Query,
): Promise<IndexedCount | undefined> {
  const index = where.requirement && indexOf(where.requirement);
  if (index === undefined) return undefined;
  const fits = matching({ scope: { application }, where });
  return { count: await endpoints.countDocuments(fits, { maxTimeMS: MAX_TIME_MS }), index };
}

function indexOf(requirement: Requirement): string | undefined {
  switch (requirement.kind) {
    case 'key':
      return 'metadata';
    case 'version':
      return 'version_list';
    case 'id':
      return '_id_';
    case 'all':
    case 'any': {
      const names = new Set(requirement.of.map(indexOf));
      return names.size === 1 ? [...names][0] : undefined;
    }
  }
}

/**
 * A page. In every scope and order it goes along an index, at any depth the same. `where` is decided by the server, which
 * walks the list, or sorts what the index of metadata finds; `test` here.
 */
export async function findRecords(endpoints: Endpoints, query: RecordQuery): Promise<RecordPage> {
  const fits = matching(query);
  const [page, total] = await Promise.all([
    query.test === undefined
      ? readPage(endpoints, query, fits)
      : scanPage(endpoints, query, fits, query.test),
    !query.withTotal
      ? undefined
      : query.test === undefined
        ? endpoints.countDocuments(fits, { maxTimeMS: MAX_TIME_MS })
        : countTested(endpoints, fits, query.test),
  ]);
  const records = page.slice(0, query.limit);
  const last = records.at(-1);
  return {
    records: records.map((found) => found.record),
    ...(total === undefined ? {} : { total }),
    ...(last === undefined || page.length <= query.limit
      ? {}
      : { next: { createdMs: createdOf(last.record), endpointId: last._id } }),
  };
}

/** One more than the page, to know whether there is a next one. */
async function readPage(endpoints: Endpoints, query: RecordQuery, fits: Document): Promise<Found[]> {
  const page: Found[] = [];
  const most = query.limit + 1;
  for await (const found of inOrder(endpoints, fits, query, { skip: query.offset, most })) {
    page.push(found);
    if (page.length === most) break;
  }
  return page;
}

async function scanPage(
  endpoints: Endpoints,
  query: RecordQuery,
  fits: Document,
  test: (record: Uint8Array) => boolean,
): Promise<Found[]> {
  const page: Found[] = [];
  let toPassOver = query.offset;
  for await (const found of inOrder(endpoints, fits, query, { skip: 0, batch: SCAN_BATCH })) {
    if (!test(found.record) || toPassOver-- > 0) continue;
    page.push(found);
    if (page.length > query.limit) break;
  }
  return page;
}

async function countTested(
  endpoints: Endpoints,
  fits: Document,
  test: (record: Uint8Array) => boolean,
): Promise<number> {
  let total = 0;
  const cursor = endpoints
    .find(fits, { maxTimeMS: MAX_TIME_MS })
    .project<Found>({ record: 1 })
    .batchSize(SCAN_BATCH);
  for await (const { record } of cursor) if (test(record)) total++;
  return total;
}

function matching({
  scope,
  endpointIds,
  where,
}: Pick<RecordQuery, 'scope' | 'endpointIds' | 'where'>): Document {
  const parts: Document[] = [scopeOf(scope)];
  if (endpointIds !== undefined) parts.push({ _id: { $in: endpointIds } });
  if (where !== undefined) parts.push(translateQuery(where.source));
  return parts.length === 1 ? parts[0]! : { $and: parts };
}

/** Tombstones have none of these fields. */
function scopeOf({ tenant, application, version, filterNumber }: Scope): Document {
  const parts: Document = {};
  if (tenant !== undefined) parts['tenant'] = tenant;
  if (application !== undefined) parts['application'] = application;
  if (version !== undefined) parts['application_version'] = version;
  if (filterNumber !== undefined) parts['filters'] = filterNumber;
  return Object.keys(parts).length > 0 ? parts : LIVE;
}

export async function scanStale(
  endpoints: Endpoints,
  application: string,
  filterSet: number,
  limit: number,
  after: string | undefined,
): Promise<StalePage> {
  const behindId = after === undefined ? {} : { _id: { $gt: after } };
  const found = endpoints
    .find({ application, filterSet: { $lt: filterSet }, ...behindId })
    .project<Found>({ record: 1 })
    .sort({ _id: 1 })
    .limit(limit + 1);
  const records: Uint8Array[] = [];
  let bytes = 0;
  let last: string | undefined;
  for await (const { _id, record } of found) {
    if (records.length === limit || bytes >= MOST_BYTES)
      return { records, passed: records.length, ...(last === undefined ? {} : { next: last }) };
    records.push(record);
    bytes += record.length;
    last = _id;
  }
  return { records, passed: records.length };
}

/** Of the records of one page, but for the last of them. */
const MOST_BYTES = 4 * 1024 * 1024;
