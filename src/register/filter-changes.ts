import type { Logger } from 'pino';
import { encodeFilterEvent } from '../avro/index.js';
import type { Query } from '../filters/index.js';
import { encodeEvents, type EventKind } from '../model/event.js';
import { newestVersionOf, type SavedFilter } from '../model/filter.js';
import type { Replicas } from '../replicas/index.js';
import type { FilterNews, FilterWrite, OutboxEntry, Replication, Store } from '../storage/index.js';
import type { FilterIndex } from './filter-index.js';
import type { FilterSets } from './filter-sets.js';
import type { Pipeline } from './pipeline.js';
import { savedQueryOf, SET_ASIDE } from './saved-queries.js';

/** One change of one saved filter, decided when it is its turn, on the filter as it stands then. */
export interface FilterChange<T> {
  /** an application whose next filter-set version `decide` may need */
  numberOf?: string;
  /** Answers what to write, or just the answer when nothing is to be written. May be asked twice. */
  decide: (filterNumber: number) => Decision<T>;
}

export type Decision<T> =
  | {
      write: SavedFilter;
      /** its query, where it was read already */
      query?: Query | undefined;
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
 * wait share one such pause. With several replicas a change is decided on all that was changed anywhere before it.
 */
export interface FilterChanges {
  /** Rejects with what the storage rejected with; then it is unknown whether the change was made. */
  make<T>(change: FilterChange<T>): Promise<Changed<T>>;
  /** Takes up what other replicas have changed until now. One small read when there is nothing; callers at the same time share it. */
  refresh(): Promise<void>;
  /**
   * For a read of what filters are. Nothing, as long as others do not answer for a change before this process knows it;
   * once they may take it for dead, as `refresh`.
   */
  refreshIfLate(): Promise<void>;
  /** So many changes are known here, of those that replicas count; 0 where there are none. */
  readonly known: number;
  /** Looks for changes of other replicas from now on. */
  start(): void;
  /** No more is asked of the storage unbidden. */
  stop(): void;
}

export interface FilterChangesDeps {
  store: Store;
  replicas: Pick<Replicas, 'announce' | 'whyNot'>;
  pipeline: Pick<Pipeline, 'exclusively'>;
  index: FilterIndex;
  sets: FilterSets;
  /** raises the application's filter-set version to at least this number, and answers it */
  version: (application: string, atLeast: number) => number;
  /** called when all of a round is known that concerns an application */
  settle: (application: string) => void;
  originatorReplicaId: string;
  /** changes that are known at the beginning */
  known: number;
  committed: (entries: readonly OutboxEntry[]) => void;
  /** called when it is not known what a write came to */
  doubt: () => void;
  /** a filter was found to be otherwise than was known: by a write whose answer was lost, or by another replica's */
  learned: (filter: SavedFilter) => void;
  log: Logger;
}

interface Waiting {
  change: FilterChange<unknown>;
  resolve: (changed: Changed<unknown>) => void;
  reject: (error: unknown) => void;
}

interface Decided {
  item: Waiting;
  decision: Extract<Decision<unknown>, { write: SavedFilter }>;
}

const MAX_CHANGES = 1000;
/** Another replica was first so often: given back to the callers. */
const MAX_RACES = 50;
const RETRY_MS = 500;
const LOOK_EVERY_MS = 250;

export function createFilterChanges(deps: FilterChangesDeps): FilterChanges {
  const { store } = deps;
  const { replication } = store;
  const waiting: Waiting[] = [];
  let { known } = deps;
  /** the storage may hold filters otherwise than is known here: a write's answer was lost */
  let inDoubt = false;
  let timer: NodeJS.Timeout | undefined;
  let looking: NodeJS.Timeout | undefined;
  let refreshing: Promise<void> | undefined;
  let stopped = false;

  function make<T>(change: FilterChange<T>): Promise<Changed<T>> {
    const made = new Promise<Changed<unknown>>((resolve, reject) => {
      waiting.push({ change, resolve, reject });
    });
    if (waiting.length === 1) schedule();
    return made as Promise<Changed<T>>;
  }

  /** At the end of this turn of the event loop: what arrives in one turn shares a round. */
  function schedule(): void {
    setImmediate(() => void deps.pipeline.exclusively(carryOut));
  }

  /** Never rejects: every change of the round is settled, whatever happens. */
  async function carryOut(): Promise<void> {
    let round = waiting.splice(0, MAX_CHANGES);
    if (waiting.length > 0) schedule();
    try {
      await takeNews();
      for (let race = 0; round.length > 0 && race < MAX_RACES; race++) {
        round = await decideAndWrite(round);
        if (round.length > 0) await takeNews();
      }
      for (const item of round) item.resolve({ kind: 'conflict' });
    } catch (error) {
      inDoubt = true;
      deps.doubt();
      for (const item of round) item.reject(error);
    }
    if (inDoubt) settleLater();
  }

  /**
   * Filters that were changed already in this round are written before the next change of them is decided. Answers those
   * that are to be decided anew, since another replica was first.
   */
  async function decideAndWrite(round: readonly Waiting[]): Promise<Waiting[]> {
    const touched = new Set<string>();
    let writes: Decided[] = [];
    /** of each application, the newest that was given in this group */
    let versions = new Map<string, number>();
    for (const [i, item] of round.entries()) {
      let decision = decide(item, versions);
      if (decision?.write !== undefined && isTouched(touched, decision.write)) {
        const late = await write(writes);
        if (late.length > 0) return [...late, ...round.slice(i)];
        writes = [];
        versions = new Map();
        touched.clear();
        decision = decide(item, versions);
      }
      if (decision === undefined) continue;
      if (decision.write === undefined) {
        item.resolve({ kind: 'done', answer: decision.answer });
        continue;
      }
      touched.add(decision.write.id).add(`${decision.write.application}/${decision.write.name}`);
      writes.push({ item, decision });
    }
    return write(writes);
  }

  /**
   * Undefined: it threw, and its caller was told.
   *
   * A version is given here, where all changes before are known: every record that was evaluated before carries a lower
   * one. One that was given earlier could be passed by another filter's, and records would look as if they had been
   * evaluated against a filter that nobody knew.
   */
  function decide(item: Waiting, versions: Map<string, number>): Decision<unknown> | undefined {
    const { numberOf } = item.change;
    let number = 0;
    if (numberOf !== undefined) {
      number = (versions.get(numberOf) ?? deps.version(numberOf, 0)) + 1;
      versions.set(numberOf, number);
    }
    try {
      return item.change.decide(number);
    } catch (error) {
      item.reject(error);
      return undefined;
    }
  }

  /** Answers those that another replica was faster than. */
  async function write(items: readonly Decided[]): Promise<Waiting[]> {
    if (items.length === 0) return [];
    const writes = items.map(({ decision }) => writeOf(decision));
    const results = await store.commitFilters(writes, replication === undefined ? undefined : known);
    const entries: OutboxEntry[] = [];
    const applications = new Set<string>();
    const late: Waiting[] = [];
    results.forEach((result, i) => {
      const { item, decision } = items[i]!;
      if (result.kind === 'behind') return void late.push(item);
      applications.add(decision.write.application);
      if (result.kind !== 'written') {
        inDoubt = true;
        return item.resolve({ kind: result.kind });
      }
      known = Math.max(known, result.change ?? 0);
      if (result.outbox !== undefined) entries.push({ position: result.outbox, events: writes[i]!.events! });
      makeKnown(decision.write, decision.query);
      item.resolve({ kind: 'done', answer: decision.answer });
    });
    for (const application of applications) deps.settle(application);
    if (entries.length > 0) deps.committed(entries);
    deps.replicas.announce(known);
    return late;
  }

  function refresh(): Promise<void> {
    if (replication === undefined) return Promise.resolve();
    return (refreshing ??= (async () => {
      if ((await replication.filterChanges()) > known) await deps.pipeline.exclusively(takeNews);
    })().finally(() => (refreshing = undefined)));
  }

  async function refreshIfLate(): Promise<void> {
    if (deps.replicas.whyNot() === undefined) return;
    // one under way may have asked before this process slept
    await refresh();
    await refresh();
  }

  /** Takes up what the storage holds, before anything else is decided or numbered. */
  async function takeNews(): Promise<void> {
    const news = replication === undefined ? await readAnew() : await readNews(replication);
    inDoubt = false;
    if (news === undefined) return;
    const changed = news.filters.filter(isNews);
    for (const filter of changed) makeKnown(filter);
    for (const [application, version] of news.versions)
      deps.sets.reach(application, deps.version(application, version));
    for (const application of new Set(changed.map((filter) => filter.application))) deps.settle(application);
    known = news.changes;
    deps.replicas.announce(known);
    for (const filter of changed) deps.learned(filter);
  }

  async function readAnew(): Promise<Omit<FilterNews, 'whole'> | undefined> {
    if (!inDoubt) return undefined;
    return { filters: await store.loadFilters(), versions: new Map(), changes: known };
  }

  async function readNews(others: Replication): Promise<Omit<FilterNews, 'whole'> | undefined> {
    if ((await others.filterChanges()) <= known) return undefined;
    const news = await others.readFilterChanges(known);
    return news.whole ? { ...news, filters: [...news.filters, ...goneOf(news.filters)] } : news;
  }

  function isNews(filter: SavedFilter): boolean {
    const present = deps.index.byId(filter.id);
    if (filter.deletedMs !== undefined) return present !== undefined;
    return (
      present?.revision !== filter.revision ||
      present.retired.length !== filter.retired.length ||
      present.number !== filter.number ||
      present.told !== filter.told
    );
  }

  /** What is known here, and is not there any more. */
  function goneOf(filters: readonly SavedFilter[]): SavedFilter[] {
    const there = new Set(filters.map(({ id }) => id));
    return [...deps.index.ids()]
      .filter((id) => !there.has(id))
      .map((id) => ({ ...deps.index.byId(id)!, deletedMs: 0, retired: [] }));
  }

  function settleLater(): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (inDoubt) schedule();
    }, RETRY_MS);
    timer.unref();
  }

  function makeKnown(filter: SavedFilter, query?: Query): void {
    const { application } = filter;
    const before = deps.index.byId(filter.id);
    const version = deps.version(application, newestVersionOf(filter));
    if (before !== undefined && (filter.deletedMs !== undefined || before.number !== filter.number)) {
      deps.sets.remove(application, before.number, version);
    }
    if (filter.deletedMs !== undefined) {
      deps.index.remove(filter.id);
    } else {
      deps.index.put(filter);
      if (filter.number !== SET_ASIDE) deps.sets.put(filter, version, () => query ?? savedQueryOf(filter));
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

  /** One look after the other, each a little later. */
  function look(): void {
    refresh()
      .catch((error: unknown) => {
        if (!stopped) deps.log.warn({ err: error }, 'changes of filters could not be looked for');
      })
      .finally(() => {
        if (!stopped) looking = setTimeout(look, LOOK_EVERY_MS).unref();
      });
  }

  return {
    make,
    refresh,
    refreshIfLate,
    get known() {
      return known;
    },
    start() {
      if (replication !== undefined) look();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
      clearTimeout(looking);
      inDoubt = false;
    },
  };
}

function isTouched(touched: Set<string>, filter: SavedFilter): boolean {
  return touched.has(filter.id) || touched.has(`${filter.application}/${filter.name}`);
}
