import { hintsOf, NO_QUERY_LIMITS, parseQuery, type Query } from '../filters/index.js';
import { type JsonObject, type JsonValue, pointerToken } from '../model/json.js';
import { headOf, metadataOf } from '../model/record.js';
import type { ReadEffort, Store } from '../storage/index.js';
import type { ExplainedCondition, FilterPreview } from './types.js';

/** So many conditions of one query are counted by themselves; the others are only numbered. */
const EXPLAINED = 100;

const JOINING = ['$and', '$or', '$nor'];

interface Counted {
  path: string;
  condition: JsonObject;
  query: Query;
  letsThrough: number;
  /** that told the count; null: it is evaluated on each endpoint */
  index: string | null;
}

type Read = FilterPreview['explain']['read'];
type Found = Pick<FilterPreview, 'matchedEndpointsCount' | 'sample'> & { read: Read };

/**
 * What a query would match in an application. Conditions that an index tells are counted from it; when it tells all,
 * the endpoints are found as by a search. For others each endpoint of the application is read once, and the query and those
 * conditions are evaluated on it: O(endpoints of the application * conditions).
 */
export async function previewQuery(store: Store, wanted: Wanted): Promise<FilterPreview> {
  const { application, query, among } = wanted;
  const all = [...conditionsIn(query.source, '')];
  const counted = all.slice(0, EXPLAINED).map(countedOf);
  let entries = 0;
  // an index counts what the caller may not see, too
  for (const each of among === undefined ? counted : []) {
    const known = await store.countIndexed(application, each.query);
    if (known === undefined) continue;
    each.index = known.index;
    each.letsThrough = known.count;
    entries += known.entries ?? 0;
  }
  const left = counted.filter(({ index }) => index === null);
  const { read, ...found } =
    left.length === 0 && among === undefined
      ? await findMatching(store, wanted)
      : await evaluateAll(store, wanted, left);
  const endpoints = among === undefined ? await store.count({ application }) : (read.records ?? 0);
  return {
    ...found,
    explain: {
      endpoints,
      read: read.entries === null ? read : { ...read, entries: read.entries + entries },
      conditions: counted.map(({ path, condition, letsThrough, index }): ExplainedCondition => ({
        path,
        condition,
        letsThrough,
        // what came and went since they were counted
        selectivity: endpoints === 0 ? null : Math.min(1, letsThrough / endpoints),
        index,
      })),
      omittedConditions: all.length - counted.length,
      dependsOn: {
        metadataKeys: query.keys === null ? null : [...query.keys].sort(),
        applicationVersion: query.usesVersion,
      },
      hints: hintsOf(query.source),
    },
  };
}

interface Wanted {
  application: string;
  query: Query;
  sampleSize: number;
  /** only these endpoints */
  among?: ReadonlySet<string>;
}

async function findMatching(store: Store, { application, query, sampleSize }: Wanted): Promise<Found> {
  const page = await store.find({ ...newest(application, sampleSize), where: query, withTotal: true });
  return { matchedEndpointsCount: page.total ?? 0, sample: page.records, read: readOf(page.read) };
}

/** One pass along the application's list. */
async function evaluateAll(
  store: Store,
  { application, query, sampleSize, among }: Wanted,
  conditions: readonly Counted[],
): Promise<Found> {
  let evaluated = 0;
  let matched = 0;
  const page = await store.find({
    ...newest(application, sampleSize),
    ...(among === undefined ? {} : { endpointIds: [...among] }),
    withTotal: false,
    // never one more than the page takes, so that the walk goes to the end
    test(record) {
      const { endpointId, version } = headOf(record);
      const document = { endpointId, applicationVersion: version, metadata: metadataOf(record) };
      evaluated++;
      for (const each of conditions) if (each.query.matches(document)) each.letsThrough++;
      return query.matches(document) && ++matched <= sampleSize;
    },
  });
  const read = { ...readOf(page.read), records: evaluated };
  return { matchedEndpointsCount: matched, sample: page.records, read };
}

function newest(application: string, limit: number) {
  return {
    scope: { application },
    sort: { by: 'createdDate', direction: 'desc' },
    offset: 0,
    limit,
  } as const;
}

function readOf(effort: ReadEffort | undefined): Read {
  if (effort === undefined) return { by: null, records: null, entries: null };
  const { by, records, entries, counted } = effort;
  return { by: [...by], records, entries: entries + counted };
}

function countedOf({ path, condition }: { path: string; condition: JsonObject }): Counted {
  const parsed = parseQuery(condition, NO_QUERY_LIMITS);
  // a part of a query that was taken is a query
  if (!parsed.ok) throw new Error(`The condition at ${path} was not taken: ${parsed.faults[0]?.message}`);
  return { path, condition, query: parsed.query, letsThrough: 0, index: null };
}

/** The conditions that a query joins: each on one field, at the place that a JSON pointer says. */
function* conditionsIn(
  query: JsonObject,
  pointer: string,
): Generator<{ path: string; condition: JsonObject }> {
  for (const [name, operand] of Object.entries(query)) {
    const path = `${pointer}/${pointerToken(name)}`;
    if (!JOINING.includes(name)) {
      yield { path, condition: { [name]: operand } };
      continue;
    }
    const clauses = operand as JsonValue[];
    for (let i = 0; i < clauses.length; i++) yield* conditionsIn(clauses[i] as JsonObject, `${path}/${i}`);
  }
}
