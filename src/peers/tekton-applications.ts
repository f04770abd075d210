import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { type Application, AWAITED, type Catalogue, createCatalogue } from '../model/catalogue.js';
import {
  changesOf,
  fromStoredForm,
  NONE,
  storedForm,
  type Taken,
  takePart,
  takeWhole,
} from './known-applications.js';
import type { ConfigurationScope, ServiceConfiguration, Tekton } from './tekton.js';
import { createTektonMetrics } from './tekton-metrics.js';
import type { PeerAnswer } from './types.js';

/** Applications, versions and restricted metadata keys as Tekton has them, followed while the service runs. */
export interface TektonApplications {
  catalogue(): Catalogue;
  restrictedMetadataKeys(): readonly string[];
  /**
   * Takes up what was known when the service last ran, then asks Tekton. Resolves at its answer, or after `startMs`; what is
   * missing then is asked for again and again. Rejects when the storage does.
   */
  start(): Promise<void>;
  /** Something was changed there: it is read soon, once for many. */
  changed(scope: ConfigurationScope, correlationId: string): void;
  /** Reads all of it soon. Resolves when that is in force, or has failed; it is tried again then, as always. */
  reread(correlationId: string): Promise<Reread>;
  status(): TektonStatus;
  stop(): Promise<void>;
}

export type Reread = { ok: true; applications: number } | { ok: false; error: string };

/** For health: down until there is a configuration, be it the last known one. */
export interface TektonStatus {
  status: 'UP' | 'DOWN';
  details: {
    applications: number;
    /** when Tekton last gave the whole of it; absent: never */
    readAt?: string;
    /** why the last reading failed, if it did: what is known is in force */
    error?: string;
    /** what of the last reading can't be read, and is as it was: applications, and versions as `application/version` */
    faulty?: readonly string[];
  };
}

export interface TektonApplicationsDeps {
  tekton: Tekton;
  /** for what must outlive this process */
  store: {
    getText(name: string): Promise<string | undefined>;
    putText(name: string, text: string): Promise<void>;
  };
  /** whether a deleted application, or version, has anything that is still read */
  hasEndpoints: (scope: { application: string; version?: string }) => Promise<boolean>;
  log: Logger;
  metrics: Registry;
  times?: Partial<TektonTimes>;
}

export interface TektonTimes {
  /** how long a start waits */
  startMs: number;
  /** all is read again after this, less up to a tenth: for announcements that were lost */
  rereadMs: number;
  /** an announcement is followed within this, so that many are one reading and replicas do not come all at once */
  mergeMs: number;
  /** the pause after a reading that failed: at random from a half of this, doubled each time up to the most */
  retryFirstMs: number;
  retryMostMs: number;
}

export const TEKTON_TIMES: TektonTimes = {
  startMs: 5_000,
  rereadMs: 300_000,
  mergeMs: 200,
  retryFirstMs: 1_000,
  retryMostMs: 30_000,
};

const STORED_AS = 'tekton-applications';
const ALL: ConfigurationScope = {};
/** Failures, warnings and changes that are listed in the log. */
const MOST_TOLD = 20;
/** Characters of a name that can have any length. */
const MOST_SHOWN = 300;
const REMEDY = 'Remedy: see that Tekton runs, and that kaa.tekton.url and service.instance.name are right.';

export function createTektonApplications(deps: TektonApplicationsDeps): TektonApplications {
  const { tekton, store, log } = deps;
  const times = { ...TEKTON_TIMES, ...deps.times };
  const stopping = new AbortController();
  let known = NONE;
  let catalogue = AWAITED;
  /** when the whole was last read, Unix ms */
  let readMs: number | undefined;
  let stored = '';
  let error: string | undefined;
  let faulty: readonly string[] = [];
  const told = new Set<string>();
  /** since the last reading that succeeded */
  const toldErrors = new Set<string>();
  /** what is to be read next */
  let wanted: { scope: ConfigurationScope; correlationId: string } | undefined;
  /** who waits for the next reading */
  let asking: ((came: Reread) => void)[] = [];
  let wake: () => void = () => undefined;
  let running: Promise<void> = Promise.resolve();
  const metrics = createTektonMetrics(deps.metrics, () => ({
    applications: known.applications.length,
    ageSeconds: readMs === undefined ? undefined : (Date.now() - readMs) / 1000,
  }));

  /** Waits, `wakeable`: until something is wanted, at the longest. False: that it was. */
  const pause = (ms: number, wakeable = false) =>
    new Promise<boolean>((resolve) => {
      const end = (over: boolean) => {
        clearTimeout(timer);
        stopping.signal.removeEventListener('abort', cancel);
        wake = () => undefined;
        resolve(over);
      };
      const cancel = () => end(true);
      const timer = setTimeout(end, ms, true);
      if (wakeable) wake = () => end(false);
      stopping.signal.addEventListener('abort', cancel);
      if (stopping.signal.aborted) cancel();
    });

  const want = (scope: ConfigurationScope, correlationId: string) => {
    wanted = { scope: wanted === undefined ? scope : wider(wanted.scope, scope), correlationId };
    wake();
  };

  /** Says a thing once, until a whole reading says it no more. */
  const tell = (warnings: readonly string[]) => {
    const fresh = warnings.filter((warning) => !told.has(warning));
    for (const warning of fresh) told.add(warning);
    for (const warning of fresh.slice(0, MOST_TOLD)) log.warn(`Configuration from Tekton: ${warning}`);
    if (fresh.length > MOST_TOLD)
      log.warn(`Configuration from Tekton: ${fresh.length - MOST_TOLD} more of this kind.`);
  };

  async function ask(
    scope: ConfigurationScope,
    correlationId: string,
  ): Promise<PeerAnswer<ServiceConfiguration>> {
    const answer = await tekton.read(scope, correlationId, stopping.signal);
    metrics.reads.inc({ scope: nameOf(scope), result: answer.kind });
    return answer;
  }

  /** Reads what is meant and puts it into force; false: to be tried again. */
  async function follow(scope: ConfigurationScope, correlationId: string): Promise<boolean> {
    const { application } = scope;
    if (application !== undefined) {
      const part = await ask(scope, correlationId);
      const taken = part.kind === 'ok' ? takePart(known, { ...scope, application }, part.value) : undefined;
      if (taken !== undefined) {
        apply(taken, correlationId);
        await keep();
        return true;
      }
      if (part.kind === 'unavailable') return failed(part.message);
      // it is deleted, or the narrowed form says nothing: the whole does
    }
    const whole = await ask(ALL, correlationId);
    if (whole.kind !== 'ok') return failed(whole.message);
    readMs = Date.now();
    if (toldErrors.size > 0) log.info('Tekton was read again.');
    error = undefined;
    toldErrors.clear();
    faulty = faultyOf(whole.value);
    const taken = takeWhole(known, whole.value);
    for (const warning of told) if (!taken.warnings.includes(warning)) told.delete(warning);
    apply(taken, correlationId);
    await forget();
    await keep();
    return true;
  }

  function failed(message: string): false {
    if (stopping.signal.aborted) return false;
    if (!toldErrors.has(message) && toldErrors.size < MOST_TOLD)
      log.warn({ error: message }, `Tekton can not be read; trying again, for ever. ${inForce()} ${REMEDY}`);
    toldErrors.add(message);
    error = message;
    return false;
  }

  function inForce(): string {
    if (readMs === undefined) return 'Until then no application is known, and the service is not ready.';
    return `What it gave at ${new Date(readMs).toISOString()} stays in force.`;
  }

  function apply({ known: next, warnings }: Taken, correlationId: string): void {
    const changes = changesOf(known, next);
    known = next;
    catalogue = createCatalogue(known.applications, known.deleted);
    tell(warnings);
    if (changes.length === 0) return;
    const listed = changes.slice(0, MOST_TOLD);
    const more = changes.length - listed.length;
    log.info(
      { correlationId, changes: listed, ...(more > 0 && { more }) },
      'The configuration from Tekton has changed.',
    );
  }

  /** What was deleted and has nothing left is not kept in mind. */
  async function forget(): Promise<void> {
    try {
      const left: Application[] = [];
      for (const application of known.deleted) {
        const { name, versions } = application;
        const some: string[] = [];
        for (const version of versions)
          if (await deps.hasEndpoints({ application: name, version })) some.push(version);
        if (some.length > 0) left.push({ ...application, versions: some });
      }
      known = { ...known, deleted: left };
      catalogue = createCatalogue(known.applications, known.deleted);
    } catch (caught) {
      log.debug({ err: caught }, 'what deleted applications have left is not known');
    }
  }

  async function keep(): Promise<void> {
    if (readMs === undefined) return;
    const text = storedForm(known, readMs);
    if (text === stored) return;
    try {
      await store.putText(STORED_AS, text);
      stored = text;
    } catch (caught) {
      log.warn(
        { error: (caught as Error).message },
        'The configuration from Tekton is in force, but could not be stored for the next start; it will be tried again.',
      );
    }
  }

  async function recall(): Promise<void> {
    const text = await store.getText(STORED_AS);
    if (text === undefined) return;
    const recalled = fromStoredForm(text);
    if (recalled === undefined)
      return log.warn('What was known of Tekton is of another version of this service and is not taken up.');
    ({ known, readMs } = recalled);
    stored = text;
    catalogue = createCatalogue(known.applications, known.deleted);
  }

  async function run(first: () => void): Promise<void> {
    let failures = 0;
    want(ALL, randomUUID());
    while (!stopping.signal.aborted) {
      if (wanted === undefined) {
        if (await pause(times.rereadMs * (1 - Math.random() / 10), true)) want(ALL, randomUUID());
        else await pause(Math.random() * times.mergeMs);
        continue;
      }
      const { scope, correlationId } = wanted;
      const waiting = asking;
      wanted = undefined;
      asking = [];
      const done = await follow(scope, correlationId);
      first();
      for (const tell of waiting) tell(cameTo());
      failures = done ? 0 : failures + 1;
      if (done) continue;
      const isWoken = wanted !== undefined;
      // who was away may have changed more than was announced
      want(ALL, correlationId);
      const most = Math.min(times.retryMostMs, times.retryFirstMs * 2 ** (failures - 1));
      // who announces something is there again
      if (isWoken || !(await pause(most * (0.5 + Math.random() / 2), true)))
        await pause(Math.random() * times.mergeMs);
    }
    for (const tell of asking) tell(cameTo());
  }

  function cameTo(): Reread {
    if (stopping.signal.aborted) return { ok: false, error: 'The service stops.' };
    return error === undefined ? { ok: true, applications: known.applications.length } : { ok: false, error };
  }

  return {
    catalogue: () => catalogue,
    restrictedMetadataKeys: () => known.restrictedMetadataKeys,
    async start() {
      await recall();
      let isAnswered = false;
      const answered = new Promise<void>((resolve) => {
        const first = () => {
          isAnswered = true;
          resolve();
        };
        running = run(first).catch((caught: unknown) =>
          log.error({ err: caught }, 'The configuration from Tekton is not followed any more.'),
        );
      });
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, times.startMs)));
      await Promise.race([answered, late]);
      clearTimeout(timer);
      if (isAnswered) return;
      log.warn(`Tekton has not answered within ${times.startMs / 1000} s. ${inForce()} ${REMEDY}`);
    },
    changed: want,
    reread(correlationId) {
      return new Promise((resolve) => {
        asking.push(resolve);
        want(ALL, correlationId);
      });
    },
    status() {
      const details: TektonStatus['details'] = { applications: known.applications.length };
      if (readMs !== undefined) details.readAt = new Date(readMs).toISOString();
      if (error !== undefined) details.error = error;
      if (faulty.length > 0) details.faulty = faulty;
      return { status: readMs === undefined ? 'DOWN' : 'UP', details };
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

function faultyOf(read: ServiceConfiguration): string[] {
  const versions = [...read.faultyVersions].flatMap(([name, own]) =>
    [...own].map((each) => `${name}/${each}`),
  );
  return [...read.faulty, ...versions].slice(0, MOST_TOLD).map((name) => name.slice(0, MOST_SHOWN));
}

/** The narrowest that has both. */
function wider(a: ConfigurationScope, b: ConfigurationScope): ConfigurationScope {
  if (a.application === undefined || a.application !== b.application) return ALL;
  const { application, version } = a;
  return version !== undefined && version === b.version ? a : { application };
}

function nameOf({ application, version }: ConfigurationScope): string {
  return application === undefined ? 'all' : version === undefined ? 'application' : 'version';
}
