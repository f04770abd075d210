import type { Logger } from 'pino';
import { refuse } from '../model/errors.js';
import { type Outcome, retry, type Retry } from '../model/outcome.js';
import { ABSENT, guardOf } from '../model/record.js';
import type { CommitResult, OutboxEntry, RecordWrite, Store } from '../storage/index.js';
import type { EvaluatedGroup } from '../workers/index.js';
import type { Pending } from './batch.js';
import { type LoadedBatch, NOT_COMPUTED } from './batch-evaluation.js';
import { retryFor } from './retry-for.js';

export interface BatchCommitDeps {
  store: Pick<Store, 'load' | 'commit'>;
  /** called after the durable commit, before the callers are answered */
  committed: (entries: readonly OutboxEntry[]) => void;
  answer: (pending: Pending, outcome: Outcome) => void;
  log: Logger;
}

type Evaluated = readonly (EvaluatedGroup | Retry)[];

/** What became of groups that are not simply as they were computed, by their place: done again, or a doubt. */
type Settled = Map<number, 'again' | 'token-taken' | Retry>;

const NOTHING_TO_CHECK: Settled = new Map();

/**
 * Commits a batch under the guards of its records, and answers its commands; not those that met a changed record: they are
 * returned, in their order, to be done again. Rejects, with nobody answered, when it is not known what the commit came to.
 *
 * @param isFresh the records are the storage's, not a cache's
 */
export async function commitBatch(
  batch: LoadedBatch & { isFresh: boolean },
  evaluated: Evaluated,
  deps: BatchCommitDeps,
): Promise<Pending[]> {
  const { groups } = batch;
  const { writes, places } = writesOf(batch, evaluated);
  const checking = batch.isFresh ? NOTHING_TO_CHECK : checkUnwritten(batch, evaluated, deps.store);
  const results = writes.length === 0 ? [] : await deps.store.commit(writes);
  const entries = results.flatMap((result, k) => entryOf(result, writes[k]!));
  if (entries.length > 0) deps.committed(entries);
  const settled = new Map(await checking);
  results.forEach((result, k) => {
    if (result.kind === 'conflict') settled.set(places[k]!, 'again');
    else if (result.kind === 'token-taken') settled.set(places[k]!, 'token-taken');
    else if (result.kind === 'rejected') {
      const { endpointId } = writes[k]!;
      deps.log.error(
        { endpointId, reason: result.message },
        'the storage can not hold what a write would make',
      );
      settled.set(places[k]!, retry('storage-unavailable', result.message));
    }
  });
  const again: Pending[] = [];
  groups.forEach((group, i) => {
    const computed = evaluated[i]!;
    const doubt = settled.get(i);
    group.pending.forEach((pending, k) => {
      if (doubt === undefined)
        deps.answer(pending, 'kind' in computed ? computed : (computed.outcomes[k] ?? NOT_COMPUTED));
      // the registration is the first of its group; what came behind it has yet to find that there is no endpoint
      else if (doubt === 'token-taken' && k === 0) deps.answer(pending, refuse('token-taken'));
      else if (typeof doubt === 'string') again.push(pending);
      else deps.answer(pending, doubt);
    });
  });
  return again;
}

/** `places`: of which group each is. */
function writesOf(
  { groups, records }: LoadedBatch,
  evaluated: Evaluated,
): { writes: RecordWrite[]; places: number[] } {
  const writes: RecordWrite[] = [];
  const places: number[] = [];
  evaluated.forEach((result, i) => {
    if ('kind' in result || result.write === undefined) return;
    const record = records[i];
    writes.push({
      endpointId: groups[i]!.endpointId,
      expected: record === undefined ? ABSENT : guardOf(record),
      ...result.write,
    });
    places.push(i);
  });
  return { writes, places };
}

function entryOf(result: CommitResult, { events }: RecordWrite): OutboxEntry[] {
  if (result.kind !== 'written' || result.outbox === undefined) return [];
  const { outbox: position, previous } = result;
  return [{ position, events: events!, ...(previous === undefined ? {} : { previous }) }];
}

/**
 * What comes to no write has no guard, so the records it was decided on are compared with the storage's. Answers for
 * those groups only that have to be done again, or could not be checked. Never rejects.
 */
async function checkUnwritten(
  { groups, records }: LoadedBatch,
  evaluated: Evaluated,
  store: Pick<Store, 'load'>,
): Promise<Settled> {
  const unwritten: number[] = [];
  evaluated.forEach((result, i) => {
    if (!('kind' in result) && result.write === undefined) unwritten.push(i);
  });
  if (unwritten.length === 0) return NOTHING_TO_CHECK;
  try {
    const stored = await store.load(
      unwritten.map((i) => groups[i]!.endpointId),
      { fresh: true },
    );
    const outdated = unwritten.filter((i, k) => !isSameState(records[i], stored[k]));
    return new Map(outdated.map((i) => [i, 'again']));
  } catch (error) {
    return new Map(unwritten.map((i) => [i, retryFor(error)]));
  }
}

function isSameState(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  const [one, other] = [a, b].map((record) => (record === undefined ? ABSENT : guardOf(record)));
  return one!.revision === other!.revision && one!.filterSet === other!.filterSet;
}
