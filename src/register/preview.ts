import { NO_QUERY_LIMITS, parseQuery, type Query } from '../filters/index.js';
import { type JsonObject, type JsonValue, pointerToken } from '../model/json.js';
import { headOf, metadataOf } from '../model/record.js';
import type { Store } from '../storage/index.js';
import type { ExplainedCondition, FilterPreview } from './types.js';

/** So many conditions of one query are counted by themselves, each on every endpoint; the others are only numbered. */
const EXPLAINED = 100;

const JOINING = ['$and', '$or', '$nor'];

/**
 * What a query would match in an application. One pass along the application's list: each endpoint is read once, and the
 * query and its conditions are evaluated on it. O(endpoints of the application * conditions).
 */
export async function previewQuery(
  store: Store,
  application: string,
  query: Query,
  sampleSize: number,
): Promise<FilterPreview> {
  const all = [...conditionsIn(query.source, '')];
  const counted = all.slice(0, EXPLAINED).map(({ path, condition }) => {
    const parsed = parseQuery(condition, NO_QUERY_LIMITS);
    // a part of a query that was taken is a query
    if (!parsed.ok) throw new Error(`The condition at ${path} was not taken: ${parsed.faults[0]?.message}`);
    return { path, condition, query: parsed.query, letsThrough: 0 };
  });
  let endpoints = 0;
  let matched = 0;
  const { records } = await store.find({
    scope: { application },
    sort: { by: 'createdDate', direction: 'desc' },
    offset: 0,
    limit: sampleSize,
    withTotal: false,
    // never one more than the page takes, so that the walk goes to the end
    test(record) {
      const { endpointId, version } = headOf(record);
      const document = { endpointId, applicationVersion: version, metadata: metadataOf(record) };
      endpoints++;
      for (const each of counted) if (each.query.matches(document)) each.letsThrough++;
      return query.matches(document) && ++matched <= sampleSize;
    },
  });
  return {
    matchedEndpointsCount: matched,
    sample: records,
    explain: {
      endpoints,
      conditions: counted.map(({ path, condition, letsThrough }): ExplainedCondition => ({
        path,
        condition,
        letsThrough,
        selectivity: endpoints === 0 ? null : letsThrough / endpoints,
      })),
      omittedConditions: all.length - counted.length,
      dependsOn: {
        metadataKeys: query.keys === null ? null : [...query.keys].sort(),
        applicationVersion: query.usesVersion,
      },
    },
  };
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
