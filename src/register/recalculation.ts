import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { SavedFilter } from '../model/filter.js';
import { headOf } from '../model/record.js';
import type { Store } from '../storage/index.js';
import type { FilterChanges } from './filter-changes.js';
import type { FilterIndex } from './filter-index.js';
import type { Pipeline } from './pipeline.js';

/** Brings pending filters to active: every record of the application is evaluated, in the background. */
export interface Recalculation {
  /** There may be pending filters in this application. */
  wake(application: string): void;
  /** These filters have former queries, or are deleted: their memberships are to be dropped. */
  cleanUp(filters: readonly SavedFilter[]): void;
  /** of the pass under way, or about to begin */
  progressOf(application: string): { evaluated: number; total: number } | undefined;
  /** Resolves when nothing is under way any more. What is not finished goes on after the next start. */
  stop(): Promise<void>;
}

export interface RecalculationDeps {
  store: Store;
  pipeline: Pipeline;
  index: FilterIndex;
  changes: FilterChanges;
  now: () => number;
  log: Logger;
}

/** Filters that are cleaned up at a time. */
const CLEANED_AT_ONCE = 32;

/** Records that are evaluated at a time: enough to keep the workers busy, few enough to let other writes through. */
const PAGE = 256;
const RETRY_MS = 500;

interface Job {
  evaluated: number;
  total: number;
  /** asked for again while it runs */
  again: boolean;
}

export function createRecalculation(deps: RecalculationDeps): Recalculation {
  const { store, pipeline, index, changes, log } = deps;
  const jobs = new Map<string, Job>();
  const running = new Set<Promise<void>>();
  /** filters with retired numbers, by id, as they stood last */
  const retiring = new Map<string, SavedFilter>();
  let cleaning = false;
  let stopping = false;

  function track(work: Promise<void>): void {
    running.add(work);
    void work.finally(() => running.delete(work));
  }

  function wake(application: string): void {
    const job = jobs.get(application);
    if (job !== undefined) job.again = true;
    if (job !== undefined || stopping || !index.hasPending(application)) return;
    const started: Job = { evaluated: 0, total: 0, again: false };
    jobs.set(application, started);
    track(
      persist(`recalculation of "${application}"`, () => recalculate(application, started)).finally(() => {
        jobs.delete(application);
        if (started.again) wake(application);
      }),
    );
  }

  /** One pass serves all filters that are pending when it begins; those that come later are for the next. */
  async function recalculate(application: string, job: Job): Promise<void> {
    for (;;) {
      job.again = false;
      const pending = index.pendingOf(application);
      if (pending.length === 0 || stopping) return;
      const target = pending.reduce((newest, filter) => Math.max(newest, filter.number), 0);
      job.evaluated = 0;
      job.total = await store.count({ application });
      const correlationId = randomUUID();
      log.info(
        { application, filters: pending.length, endpoints: job.total, correlationId },
        'filters are recalculated',
      );
      // records that meet a fault stay stale and are found again, so the pass ends only when a scan finds none
      while (!stopping && (await scan(application, target, correlationId, job)) > 0);
      if (stopping) return;
      await Promise.all(pending.map((filter) => activate(filter, correlationId)));
    }
  }

  /** Evaluates every stale record once; answers how many there were. */
  async function scan(application: string, target: number, correlationId: string, job: Job): Promise<number> {
    let found = 0;
    let after: string | undefined;
    do {
      const page = await store.scanStale(application, target, PAGE, after);
      await Promise.all(page.records.map((record) => evaluate(headOf(record).endpointId, correlationId)));
      found += page.records.length;
      job.evaluated += page.records.length;
      after = page.next;
    } while (after !== undefined && !stopping);
    return found;
  }

  async function evaluate(endpointId: string, correlationId: string): Promise<void> {
    const outcome = await pipeline.submit({
      type: 'evaluate',
      endpointId,
      correlationId,
      timestampMs: deps.now(),
    });
    if (outcome.kind === 'retry' && outcome.code !== 'stopping') await pause(RETRY_MS);
  }

  async function activate(pending: SavedFilter, correlationId: string): Promise<void> {
    const changed = await changes.make<boolean>({
      decide: () => {
        const filter = index.byId(pending.id);
        // deleted, or its query changed meanwhile: then it has another number, and another pass
        if (filter === undefined || filter.number !== pending.number || filter.status === 'active')
          return { answer: false };
        const write: SavedFilter = { ...filter, status: 'active', revision: filter.revision + 1 };
        const cause = { correlationId, timestampMs: deps.now() };
        return { write, expectedRevision: filter.revision, event: 'filter-activated', cause, answer: true };
      },
    });
    if (changed.kind !== 'done') await pause(RETRY_MS);
    else if (changed.answer) log.info({ filter: pending.name, filterId: pending.id }, 'a filter is active');
  }

  function cleanUp(filters: readonly SavedFilter[]): void {
    for (const filter of filters) if (filter.retired.length > 0) retiring.set(filter.id, filter);
    if (cleaning || stopping || retiring.size === 0) return;
    cleaning = true;
    track(
      persist('clean-up of filters', dropAllRetired).finally(() => {
        cleaning = false;
        cleanUp([]);
      }),
    );
  }

  async function dropAllRetired(): Promise<void> {
    while (retiring.size > 0 && !stopping) {
      const some = [...take(retiring.values(), CLEANED_AT_ONCE)];
      await Promise.all(some.map(dropRetired));
    }
  }

  async function dropRetired(filter: SavedFilter): Promise<void> {
    for (const number of filter.retired) await store.dropMemberships(filter.application, number);
    if (filter.deletedMs !== undefined) await store.removeFilter(filter.application, filter.id);
    else await forgetRetired(filter);
    if (retiring.get(filter.id) === filter) retiring.delete(filter.id);
  }

  async function forgetRetired(filter: SavedFilter): Promise<void> {
    const dropped = new Set(filter.retired);
    await changes.make<null>({
      decide: () => {
        const present = index.byId(filter.id);
        if (present === undefined) return { answer: null };
        const retired = present.retired.filter((number) => !dropped.has(number));
        if (retired.length === present.retired.length) return { answer: null };
        // not a change that anybody sees: the revision stays
        const cause = { correlationId: randomUUID(), timestampMs: deps.now() };
        return { write: { ...present, retired }, expectedRevision: present.revision, cause, answer: null };
      },
    });
  }

  /** Repeats work that fails, until it succeeds or the service stops: the storage may be away. */
  async function persist(what: string, work: () => Promise<void>): Promise<void> {
    while (!stopping) {
      try {
        return await work();
      } catch (error) {
        log.warn({ err: error }, `${what} failed; it is tried again`);
        await pause(RETRY_MS);
      }
    }
  }

  return {
    wake,
    cleanUp,
    progressOf(application) {
      const job = jobs.get(application);
      return job === undefined
        ? undefined
        : { evaluated: Math.min(job.evaluated, job.total), total: job.total };
    },
    async stop() {
      stopping = true;
      await Promise.all(running);
    },
  };
}

function* take<T>(items: Iterable<T>, most: number): Generator<T> {
  let taken = 0;
  for (const item of items) {
    if (taken++ === most) return;
    yield item;
  }
}
