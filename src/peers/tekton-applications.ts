import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { type Application, AWAITED, type Catalogue, createCatalogue } from '../model/catalogue.js';
import { createFollowLoop, type FollowTimes } from './follow-loop.js';
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

/** `inForce`: a sentence that says what applies until it is read. */
export type Reread = { ok: true; applications: number } | { ok: false; error: string; inForce: string };

/** For health: down until there is a configuration, be it the last known one. */
export interface TektonStatus {
  status: 'UP' | 'DOWN';
  details: {
    applications: number;
    /** when Tekton last gave the whole of it; absent: never */
    readAt?: string;
    /** why the last reading failed, if it did: what is known is in force */
    error?: string;
    /** what of the last whole reading is not taken, and is as it was: applications, versions as `application/version` */
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

export type TektonTimes = Omit<FollowTimes, 'leastMs'>;

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
  const metrics = createTektonMetrics(deps.metrics, () => ({
    applications: known.applications.length,
    faulty: faulty.length,
    ageSeconds: readMs === undefined ? undefined : (Date.now() - readMs) / 1000,
  }));

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
    const answer = await tekton.read(scope, correlationId, loop.signal);
    metrics.reads.inc({ scope: nameOf(scope), result: answer.kind });
    return answer;
  }

  /** Reads what is meant and puts it into force; false: to be tried again. */
  async function follow(scope: ConfigurationScope, correlationId: string): Promise<boolean> {
    const { application } = scope;
    // what is faulty may be mended by a change elsewhere
    if (application !== undefined && faulty.length === 0) {
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
    const taken = takeWhole(known, whole.value);
    faulty = taken.faulty;
    for (const warning of told) if (!taken.warnings.includes(warning)) told.delete(warning);
    apply(taken, correlationId);
    await forget();
    await keep();
    return true;
  }

  function failed(message: string): false {
    if (loop.signal.aborted) return false;
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

  function cameTo(): Reread {
    const fault = loop.signal.aborted ? 'The service stops.' : error;
    return fault === undefined
      ? { ok: true, applications: known.applications.length }
      : { ok: false, error: fault, inForce: inForce() };
  }

  const loop = createFollowLoop({
    all: ALL,
    merge: wider,
    follow,
    times,
    onFault: (caught) =>
      log.error({ err: caught }, 'The configuration from Tekton is not followed any more.'),
  });

  return {
    catalogue: () => catalogue,
    restrictedMetadataKeys: () => known.restrictedMetadataKeys,
    async start() {
      await recall();
      if (await loop.start()) return;
      log.warn(`Tekton has not answered within ${times.startMs / 1000} s. ${inForce()} ${REMEDY}`);
    },
    changed: (scope, correlationId) => loop.want(scope, correlationId),
    async reread(correlationId) {
      await loop.reread(correlationId);
      return cameTo();
    },
    status() {
      const details: TektonStatus['details'] = { applications: known.applications.length };
      if (readMs !== undefined) details.readAt = new Date(readMs).toISOString();
      if (error !== undefined) details.error = error;
      if (faulty.length > 0)
        details.faulty = faulty.slice(0, MOST_TOLD).map((name) => name.slice(0, MOST_SHOWN));
      return { status: readMs === undefined ? 'DOWN' : 'UP', details };
    },
    stop: () => loop.stop(),
  };
}

function wider(a: ConfigurationScope, b: ConfigurationScope): ConfigurationScope {
  if (a.application === undefined || a.application !== b.application) return ALL;
  const { application, version } = a;
  return version !== undefined && version === b.version ? a : { application };
}

function nameOf({ application, version }: ConfigurationScope): string {
  return application === undefined ? 'all' : version === undefined ? 'application' : 'version';
}
