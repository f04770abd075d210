import type { Test } from 'tap';
import type { JsonObject } from '../../../src/model/json.js';
import {
  type Baseline,
  type FilterDocument,
  type Flip,
  type InForce,
  type PublishedFlips,
  evaluatorOf,
  expectedFlips,
  foldMembers,
  isStretch,
} from './flips.js';
import type { Rest, StoredFilter } from './rest.js';

export interface SavedFilter {
  filter: StoredFilter;
  /** its queries, one after the other, and when each was in force; at most two */
  stretches: readonly (InForce & { query: JsonObject })[];
  /** members at a moment since it is active with its last query; `gone`: the filter is deleted */
  baseline: Baseline | 'unknown' | 'gone';
}

export interface CheckInput {
  rest: Rest;
  /** the stored records */
  documents: ReadonlyMap<string, FilterDocument>;
  /** what the endpoints were, by revision */
  history: {
    endpointIds(): Iterable<string>;
    states(endpointId: string): readonly { revision: number; document: FilterDocument | undefined }[];
  };
  published: PublishedFlips;
}

/** Something that must be so, and what shows that it is not: nothing, when it is. */
export interface Claim {
  says: string;
  faults: readonly unknown[];
}

const SHOWN = 5;

/** Asserts that list, count, another evaluator and the events of a filter agree. */
export async function checkFilter(t: Test, saved: SavedFilter, input: CheckInput): Promise<void> {
  for (const { says, faults } of await claimsOfFilter(saved, input)) t.same(faults.slice(0, SHOWN), [], says);
}

/** That list, count, another evaluator and the events of a filter agree. */
export async function claimsOfFilter(
  { filter, stretches, baseline }: SavedFilter,
  { rest, documents, history, published }: CheckInput,
): Promise<Claim[]> {
  const { id, name } = filter;
  const claims: Claim[] = [];
  if (baseline !== 'gone') {
    const matches = evaluatorOf(stretches.at(-1)!.query);
    const evaluated = new Set<string>();
    for (const [endpointId, document] of documents) if (matches(document)) evaluated.add(endpointId);
    const members = await rest.memberIds(id);
    claims.push({
      says: `${name}: the list is what the evaluator says`,
      faults: differencesOf(members, evaluated),
    });
    if (baseline !== 'unknown') {
      const folded = foldMembers(id, published, baseline);
      claims.push(
        { says: `${name}: matched and unmatched alternate`, faults: folded.faults },
        {
          says: `${name}: events lead to the same members`,
          faults: differencesOf(folded.members, evaluated),
        },
      );
    }
    const { matchedEndpointsCount: count } = filter;
    claims.push({
      says: `${name}: the count is ${evaluated.size}`,
      faults: count === evaluated.size ? [] : [count],
    });
  }

  const evaluators = stretches.map(({ query }) => evaluatorOf(query));
  const wrong: object[] = [];
  for (const endpointId of history.endpointIds()) {
    const flips = published.of(id, endpointId);
    const expected = evaluators.map((matches) => expectedFlips(matches, history.states(endpointId)));
    if (!isExplained(flips, expected, endpointId, stretches))
      wrong.push({ endpointId, published: flips, expected });
  }
  claims.push({ says: `${name}: its events are the flips while it was active, all of them`, faults: wrong });
  return claims;
}

/** Whether the flips can be cut into one stretch for each query. */
function isExplained(
  flips: readonly Flip[],
  expected: readonly (readonly Flip[])[],
  endpointId: string,
  [first, second]: readonly InForce[],
): boolean {
  if (second === undefined) return isStretch(flips, expected[0]!, endpointId, first!);
  for (let cut = 0; cut <= flips.length; cut++) {
    if (
      isStretch(flips.slice(0, cut), expected[0]!, endpointId, first!) &&
      isStretch(flips.slice(cut), expected[1]!, endpointId, second)
    )
      return true;
  }
  return false;
}

function differencesOf(found: ReadonlySet<string>, wanted: ReadonlySet<string>): string[] {
  return [
    ...[...wanted].filter((id) => !found.has(id)).map((id) => `${id} is missing`),
    ...[...found].filter((id) => !wanted.has(id)).map((id) => `${id} should not be there`),
  ];
}
