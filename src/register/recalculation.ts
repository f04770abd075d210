import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { SavedFilter } from '../model/filter.js';
import type { Store } from '../storage/index.js';
import type { FilterSetSource, WorkerPool } from '../workers/index.js';
import type { FilterChanges } from './filter-changes.js';
import type { FilterIndex } from './filter-index.js';
import { createPace, pause } from './pace.js';
import type { Pipeline } from './pipeline.js';
import { createSpeed, type Speed } from './recalculation-speed.js';
import { type RecalculationMetrics, watchRecalculation } from './recalculation-metrics.js';
import { makeStep, type Pass, type Step } from './recalculation-pass.js';
import { createWatch, type Watch } from './recalculation-watch.js';
import { createRetiredFilters } from './retired-filters.js';
import type { FilterProgress } from './types.js';

/** Brings pending filters to active: every record of the application is evaluated, in the background. */
export interface Recalculation {
  /** There may be pending filters in this application. */
  wake(application: string): void;
  /** These filters have former queries, or are deleted: their memberships are to be dropped. */
  cleanUp(filters: readonly SavedFilter[]): void;
  /** Of a pending filter; `stamp` is another one whenever something else is told. Undefined: nothing is known yet. */
  progressOf(filter: SavedFilter): { progress: FilterProgress; stamp: number } | undefined;
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
  metrics: RecalculationMetrics;
  now: () => number;
  log: Logger;
}

const RETRY_MS = 500;
/** How often it is noted how far a pass is: what a crash makes it do again. */
const NOTE_EVERY_MS = 1000;
const TELL_EVERY_MS = 30_000;
const LOOK_EVERY_MS = 1000;
/** Filters that are made active by one write. */
const AT_ONCE = 1000;
/** So many of the filters that became active are named in the line that tells of them. */
const NAMED = 10;

/** An application whose pending filters are recalculated. */
interface Job {
  application: string;
  /** asked for again while it runs */
  again: boolean;
  /** undefined: it is about to begin */
  pass: Pass | undefined;
  speed: Speed;
  watch: Watch;
}

export function createRecalculation(deps: RecalculationDeps): Recalculation {
  const { store, pipeline, index, changes, metrics, log } = deps;
  const jobs = new Map<string, Job>();
  const running = new Set<Promise<void>>();
  const stop = new AbortController();
  const stopping = stop.signal;
  const pace = createPace(() => pipeline.load, stopping);
  const passDeps = { ...deps, pace, stopping };
  const retired = createRetiredFilters(deps);
  let cleaning = false;

  watchRecalculation(metrics, {
    filters: () => index.counts(),
    passes: () =>
      Array.from(jobs.values(), ({ application, pass, watch: { idleMs } }) => ({
        application,
        idleMs,
        ...shareOf(pass),
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
    const started: Job = { application, again: false, pass: undefined, speed: createSpeed(), watch };
    jobs.set(application, started);
    track(
      persist(`recalculation of "${application}"`, () => recalculate(started)).finally(() => {
        jobs.delete(application);
        if (started.again) wake(application);
      }),
    );
  }

  /** One pass serves all filters that are pending when it begins; those that come later are for the next. */
  async function recalculate(job: Job): Promise<void> {
    const { application, watch } = job;
    for (;;) {
      job.again = false;
      job.pass ??= await watch.during('reads of the storage', beginPass(application));
      if (job.pass === undefined || stopping.aborted) return;
      const { pass } = job;
      await walk(pass, job);
      if (stopping.aborted) return;
      await watch.during('writes to the storage', activateAll(pass, watch));
      if (stopping.aborted) return;
      await watch.during('writes to the storage', store.putPass(application, undefined));
      watch.gotOn();
      job.pass = undefined;
    }
  }

  /** A new one, or the one that a former process left. Undefined: no filter is pending. */
  async function beginPass(application: string): Promise<Pass | undefined> {
    const stored = await store.getPass(application);
    const [total, pending] = [await store.count({ application }), index.pendingOf(application)];
    if (pending.length === 0) return undefined;
    const numbers = pending.map(({ number }) => number);
    const left = stored === undefined ? [] : numbers.filter((number) => number <= stored.target);
    const goesOn = stored !== undefined && left.length > 0;
    const target = goesOn ? stored.target : numbers.reduce((a, b) => Math.max(a, b));
    const pass: Pass = {
      application,
      target,
      correlationId: randomUUID(),
      startedMs: performance.now(),
      total,
      evaluated: goesOn ? stored.evaluated : 0,
      submitted: 0,
    };
    if (goesOn && stored.after !== undefined) pass.after = stored.after;
    const { correlationId, evaluated } = pass;
    const filters = goesOn ? left.length : pending.length;
    log.info(
      { application, filters, endpoints: total, evaluated, correlationId },
      goesOn ? 'the recalculation of filters goes on' : 'filters are recalculated',
    );
    return pass;
  }

  async function walk(pass: Pass, { speed, watch }: Job): Promise<void> {
    let notedMs = performance.now();
    let toldMs = notedMs;
    let stale = 0;
    const take = ({ evaluated, after, ...step }: Step) => {
      stale += step.stale;
      pass.evaluated += evaluated;
      if (after !== undefined) pass.after = after;
      speed.observe(pass.evaluated, performance.now());
      metrics.evaluated.inc({ application: pass.application }, evaluated);
    };
    for (;;) {
      const step = await pace.step(async (size) => {
        const made = await makeStep(pass, size, { ...passDeps, watch });
        if (made !== undefined) take(made);
        return made;
      });
      const nowMs = performance.now();
      if (stopping.aborted || nowMs - notedMs > NOTE_EVERY_MS) {
        notedMs = nowMs;
        const { target, after, evaluated } = pass;
        const noted = { target, evaluated, ...(after === undefined ? {} : { after }) };
        await watch.during('writes to the storage', store.putPass(pass.application, noted));
        // they were deleted, or have other queries by now
        if ((index.oldestPending(pass.application) ?? Infinity) > pass.target) return;
      }
      if (stopping.aborted) return;
      if (nowMs - toldMs > TELL_EVERY_MS) {
        toldMs = nowMs;
        tellOf(pass, speed);
      }
      if (step?.after !== undefined) continue;
      // elsewhere others write: it ends only when a walk from the beginning finds nothing
      if (store.soleWriter || stale === 0) return;
      stale = 0;
      delete pass.after;
    }
  }

  function tellOf(pass: Pass, speed: Speed): void {
    const { application, correlationId, total } = pass;
    const { evaluated } = shareOf(pass);
    const secondsLeft = speed.secondsFor(total - evaluated);
    log.info(
      {
        application,
        evaluated,
        endpoints: total,
        secondsLeft,
        share: Math.round(pace.share * 100) / 100,
        correlationId,
      },
      'filters are being recalculated',
    );
  }

  /** Some at a time: changes that callers make meanwhile come between them. */
  async function activateAll(pass: Pass, watch: Watch): Promise<void> {
    const { application, correlationId } = pass;
    const waiting = index.pendingOf(application, pass.target);
    const active: SavedFilter[] = [];
    for (let from = 0; from < waiting.length && !stopping.aborted; from += AT_ONCE) {
      const some = waiting.slice(from, from + AT_ONCE);
      const made = await Promise.all(some.map((filter) => activate(filter, correlationId)));
      watch.gotOn();
      for (const [i, filter] of some.entries()) {
        if (!made[i]) continue;
        active.push(filter);
        log.debug({ filter: filter.name, filterId: filter.id }, 'a filter is active');
      }
    }
    if (stopping.aborted) return;
    const seconds = (performance.now() - pass.startedMs) / 1000;
    metrics.passes.inc({ application });
    metrics.seconds.observe(seconds);
    log.info(
      {
        application,
        active: active.length,
        names: active.slice(0, NAMED).map(({ name }) => name),
        endpoints: pass.total,
        written: pass.submitted,
        seconds: Math.round(seconds * 100) / 100,
        correlationId,
      },
      'filters were recalculated',
    );
  }

  async function activate(pending: SavedFilter, correlationId: string): Promise<boolean> {
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
    if (changed.kind === 'done') return changed.answer;
    await pause(RETRY_MS, stopping);
    return false;
  }

  function cleanUp(filters: readonly SavedFilter[]): void {
    retired.add(filters);
    if (cleaning || stopping.aborted || retired.size === 0) return;
    cleaning = true;
    track(
      persist('clean-up of filters', () => retired.drop(stopping)).finally(() => {
        cleaning = false;
        cleanUp([]);
      }),
    );
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

  function progressOf(filter: SavedFilter): ReturnType<Recalculation['progressOf']> {
    const job = jobs.get(filter.application);
    if (job?.pass === undefined) return undefined;
    const { pass, speed } = job;
    const { evaluated, total } = shareOf(pass);
    const isWaiting = filter.number > pass.target;
    const secondsLeft = speed.secondsFor(total - evaluated + (isWaiting ? total : 0));
    const progress: FilterProgress = {
      evaluated: isWaiting ? 0 : evaluated,
      total,
      state: isWaiting ? 'waiting' : 'evaluating',
    };
    if (secondsLeft !== undefined) progress.secondsLeft = secondsLeft;
    return { progress, stamp: 2 * evaluated + (isWaiting ? 2 : 1) };
  }

  return {
    wake,
    cleanUp,
    progressOf,
    async stop() {
      stop.abort();
      clearInterval(looking);
      await Promise.all(running);
    },
  };
}

/** Endpoints come and go while it goes on: it tells of those that there were. */
function shareOf(pass: Pass | undefined): { evaluated: number; total: number } {
  if (pass === undefined) return { evaluated: 0, total: 0 };
  return { evaluated: Math.min(pass.evaluated, pass.total), total: pass.total };
}
