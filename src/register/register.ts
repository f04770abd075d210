import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { parseSavedQuery, type QueryLimits } from '../filters/index.js';
import type { LiveEventLog } from '../live/index.js';
import type { Catalogue } from '../model/catalogue.js';
import type { SavedFilter } from '../model/filter.js';
import { guardOf, headOf } from '../model/record.js';
import { ALONE, type RunningReplicas } from '../replicas/index.js';
import type { FilterNews, OutboxEntry, Store } from '../storage/index.js';
import type { WorkerPool, WorkerSettings } from '../workers/index.js';
import { createBatchTasks } from './batch-tasks.js';
import { createEndpoints } from './endpoints.js';
import { createFilterChanges } from './filter-changes.js';
import { createFilterIndex } from './filter-index.js';
import { createFilterSets } from './filter-sets.js';
import { createFilters } from './filters.js';
import { createKeyedRequests } from './keyed-requests.js';
import { createPipelineMetrics, watchFilterSets, watchRelations, watchWorkers } from './metrics.js';
import { createOutdatedRecords } from './outdated-records.js';
import { createOwnTokens } from './own-tokens.js';
import { createPipeline, type Pipeline } from './pipeline.js';
import { createRecalculation } from './recalculation.js';
import { createRecalculationMetrics } from './recalculation-metrics.js';
import { createRelationRounds } from './relation-rounds.js';
import { createRelations } from './relations.js';
import { createRegistrations } from './registrations.js';
import { SET_ASIDE, setAside, takeBack } from './saved-queries.js';
import { createSeal } from './seal.js';
import type { EndpointResources } from './endpoint-resources.js';
import { createResourceCare } from './resource-care.js';
import type { TokenIssuer } from './token-issuer.js';
import type { EventSink, Register } from './types.js';

/** Takes a millisecond or two, in which no batch begins. */
const RECONSIDERED = 2000;
const RECONSIDER_EVERY_MS = 5000;
/** Smaller sets are quick however they are listed. */
const RECONSIDER_FROM_BYTES = 1024 * 1024;

export interface RegisterDeps {
  store: Store;
  /** where several processes share the storage; `store` refuses writes when this one must not write */
  replicas?: RunningReplicas;
  pool: WorkerPool;
  /** publishes what is committed */
  sink: EventSink;
  /** the sequence of live events; told before `sink` is, so that it lacks nothing that `sink` has cleared */
  live: LiveEventLog;
  catalogue: () => Catalogue;
  /** read whenever needed, so that a reload is taken up */
  settings: () => RegisterSettings;
  /** who issues tokens; absent: this service itself */
  issuer?: TokenIssuer;
  /** what endpoints have elsewhere; absent: nothing */
  resources?: EndpointResources;
  log: Logger;
  metrics: Registry;
  now?: () => number;
}

export interface RegisterSettings extends WorkerSettings {
  queueLimit: number;
  filters: QueryLimits & { filtersPerApplication: number };
  batchTaskRetentionMs: number;
}

export interface RunningRegister extends Register {
  /** Goes on with what a former process left: recalculations, clean-ups, batch tasks. */
  resume(): Promise<void>;
  /** Ends after what is under way; new writes are answered with `stopping`. */
  stop(): Promise<void>;
}

/** Reads the saved filters and puts the register's parts together. Costs O(filters). */
export async function createRegister(deps: RegisterDeps): Promise<RunningRegister> {
  const { store, pool, catalogue, settings, log } = deps;
  const now = deps.now ?? Date.now;
  const { live } = deps;
  const committed = (entries: readonly OutboxEntry[]) => {
    for (const sink of [live, deps.sink]) {
      try {
        sink.committed(entries);
      } catch (error) {
        // what is written is written, and is answered so
        log.error({ err: error, entries: entries.length }, 'committed events could not be handed on');
      }
    }
  };
  const doubt = () => {
    live.doubt();
    deps.sink.doubt();
  };

  const index = createFilterIndex();
  const sets = createFilterSets();
  const replicas = deps.replicas ?? ALONE;
  const stored = await readFilters(store);
  const { versions, filters: saved } = stored;
  const version = (application: string, atLeast: number) => {
    const raised = Math.max(versions.get(application) ?? 0, atLeast);
    versions.set(application, raised);
    return raised;
  };
  const unreadable = new Map<SavedFilter, string>();
  const readableAgain: SavedFilter[] = [];
  for (const filter of saved) {
    if (filter.deletedMs !== undefined) continue;
    index.put(filter);
    const filterSet = version(filter.application, filter.number);
    const parsed = parseSavedQuery(filter.queryText);
    if (!parsed.ok) unreadable.set(filter, parsed.faults[0]!.message);
    else if (filter.number === SET_ASIDE) readableAgain.push(filter);
    else sets.put(filter, filterSet, () => parsed.query);
  }

  /** A filter is active when every record was evaluated against it, and nothing but what knows it has written since. */
  const settle = (application: string) => {
    if (!store.soleWriter) return;
    const newest = versions.get(application) ?? 0;
    sets.settle(application, (index.oldestPending(application) ?? newest + 1) - 1, newest);
  };
  for (const [application, newest] of versions) {
    sets.reach(application, newest);
    settle(application);
  }
  const retired = saved.filter((filter) => filter.retired.length > 0 || unreadable.has(filter));

  const metrics = createPipelineMetrics(deps.metrics, () => pipeline.load);
  const pipeline: Pipeline = createPipeline({
    store,
    pool,
    filters: sets,
    ...(store.replication === undefined
      ? {}
      : { isAhead: (record) => isAhead(record, version), catchUp: () => changes.refresh() }),
    settings,
    queueLimit: () => settings().queueLimit,
    committed,
    doubt,
    metrics,
    log,
  });
  watchFilterSets(deps.metrics, sets);
  watchWorkers(deps.metrics, deps.pool);
  /** Documents show what is rare: queries are looked for by that, from time to time. */
  const reconsidering = setInterval(() => {
    if (sets.bytes > RECONSIDER_FROM_BYTES)
      void pipeline.exclusively(() => Promise.resolve(sets.reconsider(RECONSIDERED)));
  }, RECONSIDER_EVERY_MS);
  reconsidering.unref();
  const { originatorReplicaId } = settings();
  const changes = createFilterChanges({
    store,
    replicas,
    pipeline,
    index,
    sets,
    version,
    known: stored.changes,
    settle,
    originatorReplicaId,
    committed,
    doubt,
    log,
    learned: (filter) => {
      recalculation.wake(filter.application);
      recalculation.cleanUp([filter]);
    },
  });
  const recalculation = createRecalculation({
    store,
    pipeline,
    pool,
    filters: sets,
    index,
    changes,
    replicas,
    metrics: createRecalculationMetrics(deps.metrics),
    now,
    log,
  });
  const savedQueries = { index, changes, now, log };
  await deps.replicas?.begin(changes.known, async () => {
    // one that is under way may have begun too early
    await changes.refresh();
    await changes.refresh();
  });
  // before any write: it must not look as if it had been evaluated with them
  await Promise.all([
    ...Array.from(unreadable, ([filter, reason]) => setAside(filter, reason, savedQueries)),
    ...readableAgain.map((filter) => takeBack(filter, savedQueries)),
  ]);
  const tokenSecret = await store.secret('endpoint-tokens');
  const issuer = deps.issuer ?? createOwnTokens(tokenSecret);
  const limits = () => settings().limits;
  const care =
    deps.resources === undefined
      ? undefined
      : createResourceCare({
          store,
          resources: deps.resources,
          replicaId: originatorReplicaId,
          now,
          log,
        });
  const rounds = createRelationRounds({
    store,
    queueLimit: () => settings().queueLimit,
    committed,
    doubt,
    now,
    log,
  });
  watchRelations(deps.metrics, rounds);
  const relations = createRelations({ store, rounds, catalogue, now, log });
  const batches = createBatchTasks({
    store,
    replicas,
    pipeline,
    catalogue,
    issuer,
    care,
    limits,
    seal: createSeal(tokenSecret),
    now,
    retentionMs: () => settings().batchTaskRetentionMs,
    log,
  });

  const outdated = createOutdatedRecords({ store, replicas, pipeline, index, versions, now, log });

  const requests = createKeyedRequests({ store, secret: await store.secret('requests'), now, log });

  return {
    catalogue,
    requests,
    endpoints: createEndpoints({
      store,
      pipeline,
      catalogue,
      filters: index,
      changes,
      register: createRegistrations({
        store,
        pipeline,
        catalogue,
        issuer,
        relations,
        care,
        limits,
        now,
        log,
      }),
      relations,
      care,
      limits: () => settings().filters,
    }),
    filters: createFilters({
      store,
      catalogue,
      index,
      changes,
      replicas,
      recalculation,
      limits: () => settings().filters,
      now,
    }),
    relations,
    batches,
    live,
    async resume() {
      changes.start();
      outdated.start();
      for (const application of versions.keys()) recalculation.wake(application);
      recalculation.cleanUp(retired.map((filter) => index.byId(filter.id) ?? filter));
      requests.resume();
      care?.start();
      await batches.resume();
      relations.resume();
    },
    async stop() {
      clearInterval(reconsidering);
      const stopped = Promise.all([batches.stop(), recalculation.stop(), outdated.stop()]);
      requests.stop();
      changes.stop();
      await pipeline.stop();
      // after the last unregistration: what it leaves is dropped
      await relations.stop();
      await care?.stop();
      await stopped;
    },
  };
}

/** All of one moment, where others change them, too. */
async function readFilters(store: Store): Promise<Pick<FilterNews, 'changes' | 'versions' | 'filters'>> {
  if (store.replication !== undefined) return store.replication.readFilterChanges();
  const versions = await store.filterSetVersions();
  return { changes: 0, versions, filters: await store.loadFilters() };
}

function isAhead(record: Uint8Array, version: (application: string, atLeast: number) => number): boolean {
  const { filterSet } = guardOf(record);
  return filterSet > 0 && filterSet > version(headOf(record).application, 0);
}
