import { encodeFilterEvent } from '../avro/index.js';
import { encodeEvents, type EventKind } from '../model/event.js';
import type { SavedFilter } from '../model/filter.js';
import type { FilterCommitResult, FilterWrite, OutboxEntry, Store } from '../storage/index.js';
import type { FilterIndex } from './filter-index.js';
import type { FilterSetLog } from './filter-set-log.js';
import type { Pipeline } from './pipeline.js';

/** One change of one saved filter, decided when it is its turn, on the filter as it stands then. */
export interface FilterChange<T> {
  /** Answers what to write, or just the answer when nothing is to be written. */
  decide: () => Decision<T>;
}

export type Decision<T> =
  | {
      write: SavedFilter;
      expectedRevision: number;
      event?: FilterEventKind;
      cause: { correlationId: string; timestampMs: number };
      answer: T;
    }
  | { write?: undefined; answer: T };

export type FilterEventKind = Extract<EventKind, `filter-${string}`>;

/** What became of a change: its answer, or that another filter had the name, or another replica was first. */
export type Changed<T> = { kind: 'done'; answer: T } | { kind: 'name-taken' } | { kind: 'conflict' };

/**
 * Changes of saved filters: durable first, then known to the index and the workers. They happen between batches of the
 * pipeline, so every write is computed either before or after a change and nothing is in the middle; many changes that
 * wait share one such pause.
 */
export interface FilterChanges {
  make<T>(change: FilterChange<T>): Promise<Changed<T>>;
}

export interface FilterChangesDeps {
  store: Store;
  pipeline: Pick<Pipeline, 'exclusively'>;
  index: FilterIndex;
  sets: FilterSetLog;
  /** raises the application's filter-set version to at least this number, and answers it */
  version: (application: string, atLeast: number) => number;
  originatorReplicaId: string;
  committed: (entries: readonly OutboxEntry[]) => void;
}

interface Waiting {
  decide: () => Decision<unknown>;
  resolve: (changed: Changed<unknown>) => void;
  reject: (error: unknown) => void;
}

const MAX_CHANGES = 1000;

export function createFilterChanges(deps: FilterChangesDeps): FilterChanges {
  const waiting: Waiting[] = [];

  function make<T>(change: FilterChange<T>): Promise<Changed<T>> {
    const made = new Promise<Changed<unknown>>((resolve, reject) => {
      waiting.push({ decide: change.decide, resolve, reject });
    });
    if (waiting.length === 1) setImmediate(() => void deps.pipeline.exclusively(carryOut));
    return made as Promise<Changed<T>>;
  }

  /** Decides and writes what waits; filters that were changed already in this round wait for the next. */
  async function carryOut(): Promise<void> {
    const round = waiting.splice(0, MAX_CHANGES);
    if (waiting.length > 0) setImmediate(() => void deps.pipeline.exclusively(carryOut));
    const touched = new Set<string>();
    let writes: { waiting: Waiting; decision: Extract<Decision<unknown>, { write: SavedFilter }> }[] = [];
    for (const item of round) {
      try {
        let decision = item.decide();
        if (decision.write !== undefined && isTouched(touched, decision.write)) {
          await write(writes);
          writes = [];
          touched.clear();
          decision = item.decide();
        }
        if (decision.write === undefined) {
          item.resolve({ kind: 'done', answer: decision.answer });
          continue;
        }
        touched.add(decision.write.id).add(`${decision.write.application}/${decision.write.name}`);
        writes.push({ waiting: item, decision });
      } catch (error) {
        item.reject(error);
      }
    }
    await write(writes);
  }

  async function write(
    items: { waiting: Waiting; decision: Extract<Decision<unknown>, { write: SavedFilter }> }[],
  ): Promise<void> {
    if (items.length === 0) return;
    const writes = items.map(({ decision }) => writeOf(decision));
    let results: FilterCommitResult[];
    try {
      results = await deps.store.commitFilters(writes);
    } catch (error) {
      for (const { waiting: item } of items) item.reject(error);
      return;
    }
    const entries: OutboxEntry[] = [];
    results.forEach((result, i) => {
      const { waiting: item, decision } = items[i]!;
      if (result.kind !== 'written') return item.resolve({ kind: result.kind });
      if (result.outbox !== undefined) entries.push({ position: result.outbox, events: writes[i]!.events! });
      makeKnown(decision.write);
      item.resolve({ kind: 'done', answer: decision.answer });
    });
    if (entries.length > 0) deps.committed(entries);
  }

  function makeKnown(filter: SavedFilter): void {
    const { application } = filter;
    const before = deps.index.byId(filter.id);
    const version = deps.version(application, filter.number);
    if (before !== undefined && (filter.deletedMs !== undefined || before.number !== filter.number)) {
      deps.sets.remove(application, before.number, version);
    }
    if (filter.deletedMs !== undefined) {
      deps.index.remove(filter.id);
    } else {
      deps.index.put(filter);
      deps.sets.put(filter, version);
    }
  }

  function writeOf(decision: Extract<Decision<unknown>, { write: SavedFilter }>): FilterWrite {
    const { write: filter, expectedRevision, event, cause } = decision;
    if (event === undefined) return { filter, expectedRevision };
    const payload = encodeFilterEvent(event, {
      ...cause,
      originatorReplicaId: deps.originatorReplicaId,
      filterId: filter.id,
      applicationName: filter.application,
      filterName: filter.name,
    });
    const events = [{ kind: event, revision: filter.revision, filterId: filter.id, payload }];
    const group = { source: filter.id, tenant: filter.tenant, application: filter.application, events };
    return { filter, expectedRevision, events: encodeEvents(group) };
  }

  return { make };
}

function isTouched(touched: Set<string>, filter: SavedFilter): boolean {
  return touched.has(filter.id) || touched.has(`${filter.application}/${filter.name}`);
}
