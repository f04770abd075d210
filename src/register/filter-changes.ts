import { encodeFilterEvent } from '../avro/index.js';
import type { Query } from '../filters/index.js';
import { encodeEvents, type EventKind } from '../model/event.js';
import type { SavedFilter } from '../model/filter.js';
import type { FilterWrite, OutboxEntry, Store } from '../storage/index.js';
import type { FilterIndex } from './filter-index.js';
import type { FilterSets } from './filter-sets.js';
import type { Pipeline } from './pipeline.js';
import { savedQueryOf, SET_ASIDE } from './saved-queries.js';

/** One change of one saved filter, decided when it is its turn, on the filter as it stands then. */
export interface FilterChange<T> {
  /** an application whose next filter number `decide` may need; one that it does not use is lost, which is no harm */
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
 * wait share one such pause.
 */
export interface FilterChanges {
  /** Rejects with what the storage rejected with; then it is unknown whether the change was made. */
  make<T>(change: FilterChange<T>): Promise<Changed<T>>;
  /** No more is asked of the storage unbidden. */
  stop(): void;
}

export interface FilterChangesDeps {
  store: Store;
  pipeline: Pick<Pipeline, 'exclusively'>;
  index: FilterIndex;
  sets: FilterSets;
  /** raises the application's filter-set version to at least this number, and answers it */
  version: (application: string, atLeast: number) => number;
  /** called when all of a round is known that concerns an application */
  settle: (application: string) => void;
  originatorReplicaId: string;
  committed: (entries: readonly OutboxEntry[]) => void;
  /** called when it is not known what a write came to */
  doubt: () => void;
  /** a filter was found to be otherwise than was known */
  recovered: (filter: SavedFilter) => void;
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
/** Rounds of one size that share the taking of numbers. */
const AHEAD = 16;
const RETRY_MS = 500;

export function createFilterChanges(deps: FilterChangesDeps): FilterChanges {
  const { store } = deps;
  const waiting: Waiting[] = [];
  /** that this process has taken, and not given yet */
  const numbersAhead = new Map<string, { first: number; count: number }>();
  /** the storage may hold filters otherwise than is known here: a write's answer was lost, or another replica writes */
  let inDoubt = false;
  let timer: NodeJS.Timeout | undefined;

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
    const round = waiting.splice(0, MAX_CHANGES);
    if (waiting.length > 0) schedule();
    try {
      await settleDoubt();
      await decideAndWrite(round);
    } catch (error) {
      inDoubt = true;
      deps.doubt();
      for (const item of round) item.reject(error);
    }
    if (inDoubt) settleLater();
  }

  /** Filters that were changed already in this round are written before the next change of them is decided. */
  async function decideAndWrite(round: readonly Waiting[]): Promise<void> {
    const numbers = await takeNumbers(round);
    const touched = new Set<string>();
    let writes: Decided[] = [];
    for (const item of round) {
      let decision = decide(item, numbers);
      if (decision?.write !== undefined && isTouched(touched, decision.write)) {
        await write(writes);
        writes = [];
        touched.clear();
        decision = decide(item, numbers);
      }
      if (decision === undefined) continue;
      if (decision.write === undefined) {
        item.resolve({ kind: 'done', answer: decision.answer });
        continue;
      }
      touched.add(decision.write.id).add(`${decision.write.application}/${decision.write.name}`);
      writes.push({ item, decision });
    }
    await write(writes);
  }

  /** Undefined: it threw, and its caller was told. */
  function decide(item: Waiting, numbers: ReadonlyMap<Waiting, number>): Decision<unknown> | undefined {
    try {
      return item.change.decide(numbers.get(item) ?? 0);
    } catch (error) {
      item.reject(error);
      return undefined;
    }
  }

  /**
   * Numbers are taken here, where nothing else is written: every record that was evaluated before carries a lower
   * version. A number that was taken earlier could be passed by another filter's, and records would look as if they had
   * been evaluated against a filter that nobody knew.
   */
  async function takeNumbers(round: readonly Waiting[]): Promise<Map<Waiting, number>> {
    const byApplication = new Map<string, Waiting[]>();
    for (const item of round) {
      const application = item.change.numberOf;
      if (application === undefined) continue;
      const items = byApplication.get(application);
      if (items === undefined) byApplication.set(application, [item]);
      else items.push(item);
    }
    const taken = new Map<Waiting, number>();
    for (const [application, items] of byApplication) {
      let number = await takeOf(application, items.length);
      for (const item of items) taken.set(item, number++);
    }
    return taken;
  }

  /**
   * The first of so many numbers. Where nobody else takes any, some more are taken with them, for the rounds that come:
   * they are given in their order all the same, and to take them costs a flush. What a process leaves of them is lost.
   */
  async function takeOf(application: string, count: number): Promise<number> {
    let ahead = numbersAhead.get(application);
    if (ahead === undefined || ahead.count < count) {
      const wanted = store.soleWriter ? count * AHEAD : count;
      ahead = { first: await store.takeFilterNumbers(application, wanted), count: wanted };
      numbersAhead.set(application, ahead);
    }
    const { first } = ahead;
    ahead.first += count;
    ahead.count -= count;
    return first;
  }

  async function write(items: readonly Decided[]): Promise<void> {
    if (items.length === 0) return;
    const writes = items.map(({ decision }) => writeOf(decision));
    const results = await store.commitFilters(writes);
    const entries: OutboxEntry[] = [];
    const applications = new Set<string>();
    results.forEach((result, i) => {
      const { item, decision } = items[i]!;
      applications.add(decision.write.application);
      if (result.kind !== 'written') {
        inDoubt = true;
        return item.resolve({ kind: result.kind });
      }
      if (result.outbox !== undefined) entries.push({ position: result.outbox, events: writes[i]!.events! });
      makeKnown(decision.write, decision.query);
      item.resolve({ kind: 'done', answer: decision.answer });
    });
    for (const application of applications) deps.settle(application);
    if (entries.length > 0) deps.committed(entries);
  }

  /** Takes up what the storage holds, before anything else is decided or numbered. */
  async function settleDoubt(): Promise<void> {
    if (!inDoubt) return;
    const stored = await store.loadFilters();
    const changed = stored.filter((filter) => {
      const known = deps.index.byId(filter.id);
      return filter.deletedMs === undefined
        ? known?.revision !== filter.revision || known.retired.length !== filter.retired.length
        : known !== undefined;
    });
    for (const filter of changed) makeKnown(filter);
    for (const application of new Set(changed.map((filter) => filter.application))) deps.settle(application);
    inDoubt = false;
    for (const filter of changed) deps.recovered(filter);
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
    const version = deps.version(application, filter.number);
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

  return {
    make,
    stop() {
      clearTimeout(timer);
      inDoubt = false;
    },
  };
}

function isTouched(touched: Set<string>, filter: SavedFilter): boolean {
  return touched.has(filter.id) || touched.has(`${filter.application}/${filter.name}`);
}
