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
import type { History } from './history.js';
import type { Rest, StoredFilter } from './rest.js';

export interface SavedFilter {
  filter: StoredFilter;
  /** its queries, one after the other, and when each was in force */
  stretches: readonly (InForce & { query: JsonObject })[];
  /** members at a moment since it is active with its last query; `gone`: the filter is deleted */
  baseline: Baseline | 'unknown' | 'gone';
}

export interface CheckInput {
  rest: Rest;
  /** the stored records */
  documents: ReadonlyMap<string, FilterDocument>;
  history: History;
  published: PublishedFlips;
}

const SHOWN = 5;

/** Asserts that list, count, another evaluator and the events of a filter agree. */
export async function checkFilter(
  t: Test,
  { filter, stretches, baseline }: SavedFilter,
  { rest, documents, history, published }: CheckInput,
): Promise<void> {
  const { id, name } = filter;
  if (baseline !== 'gone') {
    const matches = evaluatorOf(stretches.at(-1)!.query);
    const evaluated = new Set<string>();
    for (const [endpointId, document] of documents) if (matches(document)) evaluated.add(endpointId);
    const members = await rest.memberIds(id);
    t.same(differenceOf(members, evaluated), NONE, `${name}: the list is what the evaluator says`);
    if (baseline !== 'unknown') {
      const folded = foldMembers(id, published, baseline);
      t.same(folded.faults.slice(0, SHOWN), [], `${name}: matched and unmatched alternate`);
      t.same(differenceOf(folded.members, evaluated), NONE, `${name}: events lead to the same members`);
    }
    t.equal(filter.matchedEndpointsCount, evaluated.size, `${name}: the count is ${evaluated.size}`);
  }

  const evaluators = stretches.map(({ query }) => evaluatorOf(query));
  const wrong: object[] = [];
  for (const endpointId of history.endpointIds()) {
    const flips = published.of(id, endpointId);
    const expected = evaluators.map((matches) => expectedFlips(matches, history.states(endpointId)));
    if (!isExplained(flips, expected, endpointId, stretches))
      wrong.push({ endpointId, published: flips, expected });
  }
  t.same(wrong.slice(0, SHOWN), [], `${name}: its events are the flips while it was active, all of them`);
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

const NONE = { missing: [], surplus: [] };

function differenceOf(
  found: ReadonlySet<string>,
  wanted: ReadonlySet<string>,
): { missing: string[]; surplus: string[] } {
  return {
    missing: [...wanted].filter((id) => !found.has(id)).slice(0, SHOWN),
    surplus: [...found].filter((id) => !wanted.has(id)).slice(0, SHOWN),
  };
}
