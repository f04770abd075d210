import type { Test } from 'tap';
import { startMongo } from '../../servers/index.js';
import type { Failure } from './cases.js';
import { libraryJudges, serverJudge, type Judge } from './judges.js';
import { emptyTally, tryPairs, type PairsTally } from './pairs.js';
import { trySequence, type SequencesTally } from './sequences.js';
import { tryWeather } from './weather.js';

export interface FuzzPlan {
  /** the first batch and the first sequence have this seed, the next ones the numbers after it */
  seed: number;
  /** at least so many documents are asked about so many filters */
  pairs: number;
  /** sequences of updates */
  sequences: number;
  /** filters in a set at the most, in every sixteenth sequence; the others have fewer */
  mostFilters: number;
  /** reports of the weather fleet */
  weatherUpdates: number;
}

export interface FuzzOutcome {
  failure?: Failure & { seed: number };
  pairs: PairsTally;
  sequences: SequencesTally;
}

/**
 * Ends at the first failure.
 * @param t of its methods only those that startMongo takes are used; where there is no server the libraries judge alone
 * @param tell hears how far it is
 */
export async function runFuzz(
  plan: FuzzPlan,
  t: Test,
  tell: (progress: string) => void,
): Promise<FuzzOutcome> {
  const judges: Judge[] = libraryJudges();
  const server = plan.pairs > 0 ? await startMongo(t) : undefined;
  if (server !== undefined) {
    const judge = await serverJudge(server.url, server.kind !== 'mongo-java-server');
    t.teardown(() => judge.close());
    judges.push(judge);
  }
  const pairs = emptyTally(judges);
  const sequences: SequencesTally = { updates: 0, flips: 0, evaluations: 0, largest: 0 };

  for (let { seed } = plan; pairs.pairs < plan.pairs; seed++) {
    const failure = await answered(() => tryPairs(seed, judges, pairs));
    if (failure !== undefined) return { failure: { seed, ...failure }, pairs, sequences };
    tell(`${pairs.pairs} of ${plan.pairs} pairs`);
  }
  for (let i = 0; i < plan.sequences; i++) {
    const seed = plan.seed + i;
    const failure = await answered(() => trySequence(seed, sizeOf(i, plan.mostFilters), 60, sequences));
    if (failure !== undefined) return { failure: { seed, ...failure }, pairs, sequences };
    tell(`${i + 1} of ${plan.sequences} sequences`);
  }
  if (plan.weatherUpdates > 0) {
    const { seed } = plan;
    const failure = await answered(() => tryWeather(seed, plan.mostFilters, plan.weatherUpdates, sequences));
    if (failure !== undefined) return { failure: { seed, ...failure }, pairs, sequences };
  }
  return { pairs, sequences };
}

/** What is thrown is a failure of its seed, too. */
async function answered(attempt: () => Promise<Failure | undefined>): Promise<Failure | undefined> {
  try {
    return await attempt();
  } catch (error) {
    return { against: 'any answer', case: { thrown: String((error as Error).stack) } };
  }
}

/** Small sets most often, of which many are made and fail soonest; but of too few filters an index has no use. */
function sizeOf(sequence: number, mostFilters: number): number {
  if (sequence % 16 === 15) return mostFilters;
  return sequence % 4 === 3 ? Math.ceil(mostFilters / 8) : Math.min(80, mostFilters);
}

/**
 * The least percentage of the pairs that each is asked about. What they are known to get wrong is a part of the rest: of
 * 20,000 pairs sift was asked about 55 to 68%, by seed.
 */
const LEAST_ASKED: Record<string, number> = { mingo: 40, sift: 45, rules: 100, server: 45 };
const LEAST_ASKED_OF_TWO = 45;
const LEAST_MATCHING = 10;

/** In what a run was not the proof that it should be: too little was asked. */
export function weaknessesOf({ pairs, sequences }: FuzzOutcome): string[] {
  const found: string[] = [];
  const expect = (what: string, count: number, of: number, least: number): void => {
    if (count * 100 < of * least) found.push(`${what}: ${count} of ${of}, fewer than ${least}%`);
  };
  for (const [name, count] of Object.entries(pairs.asked))
    expect(`pairs that ${name} was asked about`, count, pairs.pairs, LEAST_ASKED[name]!);
  if (pairs.asked['server'] !== undefined)
    expect(
      'pairs that two judges or more were asked about',
      pairs.askedOfTwo,
      pairs.pairs,
      LEAST_ASKED_OF_TWO,
    );
  expect('pairs that match', pairs.matching, pairs.pairs, LEAST_MATCHING);
  expect('flips in sequences', sequences.flips, sequences.updates, 100);
  return found;
}

/** What was done, a line each. */
export function summaryOf({ pairs, sequences }: FuzzOutcome, plan: FuzzPlan): string[] {
  const more = pairs.pairs > plan.pairs ? ` (${plan.pairs} were asked for; the last batch is whole)` : '';
  const share = (count: number): string =>
    `${count} (${Math.round((count / Math.max(pairs.pairs, 1)) * 100)}%)`;
  return [
    `${pairs.pairs} pairs of a document and a filter${more}; ${share(pairs.matching)} match; ${pairs.flips} flips between documents`,
    ...Object.entries(pairs.asked).map(
      ([name, count]) => `${name}: asked about ${share(count)}, left out ${share(pairs.pairs - count)}`,
    ),
    `two or three of mingo, sift and the server: asked about ${share(pairs.askedOfTwo)}`,
    `${sequences.updates} updates, up to ${sequences.largest} filters; ${sequences.flips} flips, ${sequences.evaluations} evaluations`,
  ];
}
