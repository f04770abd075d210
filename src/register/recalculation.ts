import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { Logger } from 'pino';
import type { SavedFilter } from '../model/filter.js';
import type { Replicas } from '../replicas/index.js';
import type { Store, StoredPass } from '../storage/index.js';
import type { FilterSetSource, WorkerPool } from '../workers/index.js';
import type { FilterChanges } from './filter-changes.js';
import type { FilterIndex } from './filter-index.js';
import { createActivation } from './filter-activation.js';
import { createPace, pause } from './pace.js';
import type { Pipeline } from './pipeline.js';
import { createProgressReader, shareOf } from './recalculation-progress.js';
import { createSpeed, type Speed } from './recalculation-speed.js';
import { type RecalculationMetrics, watchRecalculation } from './recalculation-metrics.js';
import { createPass, type Pass, type Round, type Step } from './recalculation-pass.js';
import { makeStep } from './recalculation-step.js';
import { createWatch, type Watch } from './recalculation-watch.js';
import { createRetiredFilters } from './retired-filters.js';

/** Brings pending filters to active: every record of the application is evaluated, in the background. */
export interface Recalculation {
  /** There may be pending filters in this application. */
  wake(application: string): void;
  /** These filters have former queries, or are deleted: their memberships are to be dropped. */
  cleanUp(filters: readonly SavedFilter[]): void;
  /** What tells of pending filters, for one answer. */
  progressReader(): ReturnType<typeof createProgressReader>;
  /** Resolves when nothing is under way any more. What is not finished goes on after the next start. */
  stop(): Promise<void>;
}

export interface RecalculationDeps {
  store: Store;
  pipeline: Pipeline;
  pool: WorkerPool;
  /** as the workers must have them */
  filters: FilterSetSource;
  index: FilterIndex;
  changes: FilterChanges;
  replicas: Replicas;
  metrics: RecalculationMetrics;
  now: () => number;
  log: Logger;
}

const RETRY_MS = 500;
/** How often it is noted how far a pass is: what a crash makes it do again. */
const NOTE_EVERY_MS = 1000;
const TELL_EVERY_MS = 30_000;
const LOOK_EVERY_MS = 1000;
/** How often it is tried to get what another replica has. */
const LEASE_EVERY_MS = 1000;
const CLEAN_UP = 'clean-up of filters';
/** So many of the filters that became active are named in the line that tells of them. */
const NAMED = 10;

/** An application whose pending filters are recalculated. */
interface Job {
  application: string;
  correlationId: string;
  /** asked for again while it runs */
  again: boolean;
  /** undefined: it is about to begin */
  pass: Pass | undefined;
  /** The filters up to `target` begin when all replicas know so many changes. */
  wanted: { target: number; changes: number } | undefined;
  /** endpoints, as they were counted last */
  total: number;
  speed: Speed;
  watch: Watch;
  told: Told;
}

/** What the log is told of at the end of a pass. */
interface Told {
  /** of the process's clock */
  sinceMs: number;
  active: number;
  /** of the first of them */
  names: string[];
  /** records that were given to the pipeline */
  written: number;
}

export function createRecalculation(deps: RecalculationDeps): Recalculation {
  const { store, pipeline, index, changes, replicas, metrics, log } = deps;
  const jobs = new Map<string, Job>();
  const running = new Set<Promise<void>>();
  const stop = new AbortController();
  const stopping = stop.signal;
  // each record that is tried again waits for it
  setMaxListeners(0, stopping);
  const pace = createPace(() => pipeline.load, stopping);
  const stepDeps = { ...deps, stopping };
  const activation = createActivation({ ...deps, stopping });
  const retired = createRetiredFilters(deps);
  let cleaning = false;

  watchRecalculation(metrics, {
    filters: () => index.counts(),
    passes: () =>
      Array.from(jobs.values(), (job) => ({
        application: job.application,
        idleMs: job.watch.idleMs,
        ...shareOf(job.pass?.rounds.at(-1), job.total),
      })),
    share: () => (jobs.size === 0 ? 0 : pace.share),
  });

  const looking = setInterval(() => {
    for (const { watch } of jobs.values()) watch.look();
  }, LOOK_EVERY_MS);
  looking.unref();

  function track(work: Promise<void>): void {
    running.add(work);
    void work.finally(() => running.delete(work));
  }

  function wake(application: string): void {
    const job = jobs.get(application);
    if (job !== undefined) job.again = true;
    if (job !== undefined || stopping.aborted || index.oldestPending(application) === undefined) return;
    const watch = createWatch(application, log);
    const started: Job = {
      application,
      correlationId: randomUUID(),
      again: false,
      pass: undefined,
      wanted: undefined,
      total: 0,
      speed: createSpeed(),
      watch,
      told: { sinceMs: performance.now(), active: 0, names: [], written: 0 },
    };
    jobs.set(application, started);
    track(
      persist(`recalculation of "${application}"`, () => recalculate(started)).finally(() => {
        jobs.delete(application);
        if (started.again) wake(application);
      }),
    );
  }

  /**
   * Until no filter is pending: those that come meanwhile join the pass where it is. Of several replicas, one does it; the others
   * wait whether it lives to its end.
   */
  async function recalculate(job: Job): Promise<void> {
    const { application, watch } = job;
    const lease = leaseOf(application);
    const isWanted = () => index.oldestPending(application) !== undefined;
    do {
      job.again = false;
      if (!(await hold(lease, isWanted, watch))) return;
      const pass = (job.pass ??= await watch.during('reads of the storage', takeUp(job)));
      await walk(pass, job);
      if (stopping.aborted) return;
      if (!replicas.holds(lease)) {
        log.warn(headOfLines(job), 'another replica goes on with the recalculation');
        job.pass = undefined;
        job.wanted = undefined;
        continue;
      }
      await watch.during('writes to the storage', store.putPass(application, undefined));
      watch.gotOn();
    } while (isWanted());
    await replicas.releaseLease(lease);
    const { sinceMs, active, names, written } = job.told;
    log.info(
      { ...headOfLines(job), active, names, written, seconds: secondsSince(sinceMs) },
      'filters were recalculated',
    );
  }

  /** False: it is not wanted any more, or told to stop. */
  async function hold(lease: string, isWanted: () => boolean, watch?: Watch): Promise<boolean> {
    while (!stopping.aborted && isWanted()) {
      if (replicas.holds(lease) || (await replicas.takeLease(lease))) return true;
      watch?.gotOn();
      await pause(LEASE_EVERY_MS, stopping);
    }
    return false;
  }

  /** A new pass, or the one that a former process left. */
  async function takeUp(job: Job): Promise<Pass> {
    const { application } = job;
    const stored = await store.getPass(application);
    job.total = await store.count({ application });
    const pass = createPass(store.soleWriter, stored);
    const { evaluated } = shareOf(pass.rounds[0], job.total);
    const pending = index.pendingOf(application).length;
    log.info(
      { ...headOfLines(job), filters: pending, evaluated },
      pass.target > 0 ? 'the recalculation of filters goes on' : 'filters are recalculated',
    );
    return pass;
  }

  async function walk(pass: Pass, job: Job): Promise<void> {
    const { application, correlationId, watch } = job;
    let notedMs = performance.now();
    let lineMs = notedMs;
    for (;;) {
      await settleRounds(pass, job);
      if (stopping.aborted || pass.rounds.length === 0 || !replicas.holds(leaseOf(application))) return;
      const step = await pace.step(async (size) => {
        const { target, after } = pass;
        const made = await makeStep({ application, target, after, correlationId }, size, {
          ...stepDeps,
          watch,
        });
        if (made !== undefined) take(made, pass, job);
        return made;
      });
      const nowMs = performance.now();
      if (stopping.aborted || nowMs - notedMs > NOTE_EVERY_MS) {
        notedMs = nowMs;
        await watch.during('writes to the storage', store.putPass(application, noteOf(pass, job)));
        // elsewhere it takes as long as an index of them all
        if (store.soleWriter) job.total = await store.count({ application });
      }
      if (stopping.aborted) return;
      if (nowMs - lineMs > TELL_EVERY_MS) {
        lineMs = nowMs;
        tellOf(pass, job);
      }
      if (step?.after === undefined) job.total = await store.count({ application });
    }
  }

  function take(made: Step & { written: number }, pass: Pass, job: Job): void {
    pass.passed(made);
    job.told.written += made.written;
    job.speed.observe(pass.walked, performance.now());
    metrics.evaluated.inc({ application: job.application }, made.evaluated);
  }

  /** Ends the rounds that are done, or whose filters are deleted or have other queries; begins one for those that wait. */
  async function settleRounds(pass: Pass, job: Job): Promise<void> {
    const { application, total, watch } = job;
    for (let oldest = pass.rounds[0]; oldest !== undefined; oldest = pass.rounds[0]) {
      if (oldest.isDone) await watch.during('writes to the storage', end(oldest, job));
      if (stopping.aborted || (index.oldestPending(application) ?? Infinity) <= oldest.target) break;
      pass.end();
    }
    const newest = index.newestPending(application);
    if (newest === undefined || newest <= pass.target || !pass.mayBegin(total)) return;
    job.wanted ??= { target: newest, changes: changes.known };
    if (pass.rounds.length === 0)
      await watch.during('other replicas', replicas.untilKnown(job.wanted.changes, stopping));
    if (!replicas.allKnow(job.wanted.changes)) return;
    if (job.wanted.target > pass.target) pass.begin(job.wanted.target);
    job.wanted = undefined;
  }

  function tellOf({ walked, rounds }: Pass, job: Job): void {
    const { application, speed, told } = job;
    const perSecond = speed.perSecond();
    const { evaluated, total } = shareOf(rounds.at(-1), job.total);
    log.info(
      {
        ...headOfLines(job),
        walked,
        active: told.active,
        pending: index.pendingOf(application).length,
        // for all that are there now
        secondsLeft: perSecond === undefined ? undefined : Math.ceil((total - evaluated) / perSecond),
        share: Math.round(pace.share * 100) / 100,
      },
      'filters are being recalculated',
    );
  }

  async function end(
    { target, sinceMs }: Round,
    { application, correlationId, watch, told }: Job,
  ): Promise<void> {
    for await (const filter of activation.activate(
      index.pendingOf(application, target),
      correlationId,
      watch,
    )) {
      told.active++;
      if (told.names.length < NAMED) told.names.push(filter.name);
      log.debug({ filter: filter.name, filterId: filter.id }, 'a filter is active');
    }
    if (stopping.aborted) return;
    metrics.rounds.inc({ application });
    metrics.seconds.observe(secondsSince(sinceMs));
  }

  function cleanUp(filters: readonly SavedFilter[]): void {
    retired.add(filters);
    if (cleaning || stopping.aborted || retired.size === 0) return;
    cleaning = true;
    track(
      persist(CLEAN_UP, dropRetired).finally(() => {
        cleaning = false;
        cleanUp([]);
      }),
    );
  }

  /** When no replica goes by a former query any more: else it could make members under it again. */
  async function dropRetired(): Promise<void> {
    if (!(await hold(CLEAN_UP, () => retired.size > 0))) return;
    await replicas.untilKnown(changes.known, stopping);
    await retired.drop(stopping);
    await replicas.releaseLease(CLEAN_UP);
  }

  /** Repeats work that fails, until it succeeds or the service stops: the storage may be away. */
  async function persist(what: string, work: () => Promise<void>): Promise<void> {
    while (!stopping.aborted) {
      try {
        return await work();
      } catch (error) {
        if (!stopping.aborted) log.warn({ err: error }, `${what} failed; it is tried again`);
        await pause(RETRY_MS, stopping);
      }
    }
  }

  function progressReader(): ReturnType<Recalculation['progressReader']> {
    return createProgressReader({
      store,
      replicas,
      own(application) {
        const job = jobs.get(application);
        if (job?.pass === undefined) return undefined;
        return { rounds: job.pass.rounds, total: job.total, perSecond: job.speed.perSecond() };
      },
    });
  }

  return {
    wake,
    cleanUp,
    progressReader,
    async stop() {
      stop.abort();
      clearInterval(looking);
      await Promise.all(running);
    },
  };
}

function headOfLines({ application, correlationId, total }: Job) {
  return { application, correlationId, endpoints: total };
}

function noteOf(pass: Pass, { total, speed }: Job): StoredPass {
  const perSecond = speed.perSecond();
  return { ...pass.stored(), total, ...(perSecond === undefined ? {} : { perSecond }) };
}

function leaseOf(application: string): string {
  return `recalculation of ${application}`;
}

function secondsSince(startMs: number): number {
  return Math.round((performance.now() - startMs) / 10) / 100;
}
