import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { createFollowLoop, type FollowTimes, type TenantList, type TenantManager } from '../peers/index.js';
import { createTenantMetrics } from './tenant-metrics.js';
import { createTenantIndex, type FoundTenant, type Tenant, type Tenants } from './tenants.js';

/**
 * Tenants as the tenant manager has them, followed while the service runs, and the system tenant, which is of the
 * configuration: with its client the tenant manager is asked. What the configuration says of it wins over what the tenant
 * manager says.
 */
export interface ManagedTenants extends Tenants {
  /** Asks the tenant manager. Resolves at its answer, or after `startMs`; what is missing then is asked for again and again. */
  start(): Promise<void>;
  /**
   * 21/TLE: a tenant was changed there, or is no more. Tenants are read again soon, once for many. One that is said to be no
   * more is forgotten at once, and is there again if the reading has it.
   */
  changed(change: TenantAnnouncement): void;
  /** Announcements may have been missed. */
  missed(): void;
  /** The configuration has another system tenant. */
  setSystemTenant(tenant: Tenant): void;
  status(): ManagedTenantsStatus;
  stop(): Promise<void>;
}

export interface TenantAnnouncement {
  kind: 'updated' | 'unregistered';
  tenantId: string;
  correlationId: string;
}

/** For health: down until the tenants were read once. */
export interface ManagedTenantsStatus {
  status: 'UP' | 'DOWN';
  details: {
    tenants: number;
    /** when they were last read; absent: never */
    readAt?: string;
    /** why the last reading failed, if it did: what is known is in force */
    error?: string;
    /** those of the last reading that can't be read, and are as they were */
    faulty?: readonly string[];
  };
}

export interface ManagedTenantsDeps {
  tenantManager: TenantManager;
  systemTenant: Tenant;
  log: Logger;
  metrics: Registry;
  times?: Partial<ManagedTenantsTimes>;
  /** ms that only grow */
  monotonicMs?: () => number;
}

export interface ManagedTenantsTimes extends FollowTimes {
  /** an unknown issuer makes tenants be read again at most so often */
  unknownMs: number;
  /** how long the bearer of a token of an unknown issuer waits for that */
  waitMs: number;
}

export const MANAGED_TENANTS_TIMES: ManagedTenantsTimes = {
  startMs: 5_000,
  rereadMs: 300_000,
  mergeMs: 200,
  leastMs: 1_000,
  retryFirstMs: 1_000,
  retryMostMs: 30_000,
  unknownMs: 10_000,
  waitMs: 3_000,
};

/** Those who wait for a reading because of an unknown issuer. Anybody can invent issuers, and must not keep others waiting. */
const MAX_WAITING = 256;
/** Failures, problems and changes that are listed. */
const MOST_TOLD = 20;
const REMEDY =
  'Remedy: see that the tenant manager runs, and that kaa.tenant-manager.url and kaa.tenants.kaa are right.';

export function createManagedTenants(deps: ManagedTenantsDeps): ManagedTenants {
  const { tenantManager, log, monotonicMs = () => performance.now() } = deps;
  const times = { ...MANAGED_TENANTS_TIMES, ...deps.times };
  let system = deps.systemTenant;
  const index = createTenantIndex();
  index.replace([system]);
  /** when they were last read, Unix ms */
  let readMs: number | undefined;
  let error: string | undefined;
  let faulty: readonly string[] = [];
  /** those that were said to be no more since the reading began that is under way: it may have them still */
  let gone = new Set<string>();
  /** one was said to be no more, and no reading since has said so */
  let isUnsure = false;
  /** a reading that an unknown issuer asked for */
  let askedMs = -Infinity;
  let asked: Promise<void> | undefined;
  let waiting = 0;
  /** since the last reading that succeeded */
  const toldErrors = new Set<string>();
  let toldProblems = new Set<string>();
  const metrics = createTenantMetrics(deps.metrics, () => ({
    tenants: index.list().length,
    ageSeconds: readMs === undefined ? undefined : (Date.now() - readMs) / 1000,
  }));

  const loop = createFollowLoop<null>({
    all: null,
    merge: () => null,
    follow: (_all, correlationId) => follow(correlationId),
    times,
    onFault: (caught) => log.error({ err: caught }, 'The tenants are not followed any more.'),
  });

  async function follow(correlationId: string): Promise<boolean> {
    gone = new Set();
    const answer = await tenantManager.read(correlationId, loop.signal);
    metrics.reads.inc({ result: answer.kind });
    if (answer.kind !== 'ok') {
      failed(answer.message);
      return false;
    }
    readMs = Date.now();
    if (toldErrors.size > 0) log.info('The tenant manager was read again.');
    error = undefined;
    isUnsure = gone.size > 0;
    toldErrors.clear();
    take(answer.value, correlationId);
    return true;
  }

  function failed(message: string): void {
    if (loop.signal.aborted) return;
    if (!toldErrors.has(message) && toldErrors.size < MOST_TOLD)
      log.warn({ error: message }, `Tenants can not be read; trying again, for ever. ${inForce()} ${REMEDY}`);
    toldErrors.add(message);
    error = message;
  }

  function inForce(): string {
    if (readMs === undefined)
      return 'Until then only tokens of the system tenant are taken, others are answered with 503, and the service is not ready.';
    return `What it gave at ${new Date(readMs).toISOString()} stays in force.`;
  }

  function take(list: TenantList, correlationId: string): void {
    const before = index.list();
    const problems = [...list.problems];
    // those that can't be read stay as they were
    const kept = before.filter(({ name }) => name !== system.name && list.faulty.has(name));
    const owners = new Map([system, ...kept].map(({ issuer, name }) => [issuer, name]));
    const fresh: Tenant[] = [];
    const refused = new Set(list.faulty);
    for (const { id: name, issuer, clientId, clientSecret } of list.tenants) {
      if (name === system.name || gone.has(name)) continue;
      const owner = owners.get(issuer);
      if (owner !== undefined) {
        refused.add(name);
        problems.push(`tenant ${name}: its issuer is that of ${owner}`);
        continue;
      }
      const secret = clientSecret === undefined ? {} : { clientSecret };
      const at = { issuer, authServerUrl: reachedAt(issuer, system), ownOriginOnly: true } as const;
      fresh.push({ name, ...at, clientId, ...secret });
    }
    faulty = [...refused].slice(0, MOST_TOLD);
    tellProblems(problems);
    index.replace([system, ...kept, ...fresh]);
    tellChanges(before, correlationId);
  }

  function tellProblems(problems: readonly string[]): void {
    const untold = problems.filter((problem) => !toldProblems.has(problem));
    toldProblems = new Set(problems);
    for (const problem of untold.slice(0, MOST_TOLD))
      log.warn(`Tenants: ${problem}. It stays as it was, and is not taken up where it is new.`);
    if (untold.length > MOST_TOLD) log.warn(`Tenants: ${untold.length - MOST_TOLD} more of this kind.`);
  }

  function tellChanges(before: readonly Tenant[], correlationId: string): void {
    const former = new Map(before.map((tenant) => [tenant.name, tenant]));
    const now = index.list();
    const names = new Set(now.map(({ name }) => name));
    const changes = {
      added: now.flatMap(({ name }) => (former.has(name) ? [] : [name])),
      changed: now.flatMap((tenant) => {
        const was = former.get(tenant.name);
        return was === undefined || was === tenant ? [] : [tenant.name];
      }),
      removed: before.flatMap(({ name }) => (names.has(name) ? [] : [name])),
    };
    const told = Object.entries(changes).filter(([, those]) => those.length > 0);
    if (told.length === 0) return;
    const shown = told.map(([what, those]) => [
      what,
      those.length > MOST_TOLD ? [...those.slice(0, MOST_TOLD), `... ${those.length} in all`] : those,
    ]);
    log.info({ correlationId, ...Object.fromEntries(shown) }, 'Tenants have changed.');
  }

  const notFound = (): FoundTenant => (readMs === undefined || error !== undefined ? 'away' : undefined);

  async function askFor(issuer: string): Promise<FoundTenant> {
    asked ??= loop.reread(randomUUID()).finally(() => (asked = undefined));
    waiting++;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => (timer = setTimeout(resolve, times.waitMs, 'late')));
    const came = await Promise.race([asked, late]);
    clearTimeout(timer);
    waiting--;
    return index.byIssuer(issuer) ?? (came === 'late' ? 'away' : notFound());
  }

  return {
    byIssuer(issuer) {
      const known = index.byIssuer(issuer);
      if (known !== undefined) return known;
      if (asked === undefined) {
        if (monotonicMs() - askedMs < times.unknownMs) return notFound();
        askedMs = monotonicMs();
      }
      return waiting >= MAX_WAITING ? 'away' : askFor(issuer);
    },
    byName: (name) => index.byName(name),
    list: () => index.list(),
    isComplete: () => readMs !== undefined && error === undefined && !isUnsure,
    onChange: (listener) => index.onChange(listener),
    async start() {
      if (await loop.start()) return;
      log.warn(
        `The tenant manager has not answered within ${times.startMs / 1000} s. ${inForce()} ${REMEDY}`,
      );
    },
    changed({ kind, tenantId, correlationId }) {
      const known = tenantId === system.name ? undefined : index.byName(tenantId);
      if (kind === 'unregistered' && known !== undefined) {
        gone.add(tenantId);
        isUnsure = true;
        index.replace(index.list().filter((tenant) => tenant !== known));
        log.info(
          { correlationId, removed: [tenantId] },
          'A tenant is said to be no more: its tokens are not taken from now on, unless the tenant manager still has it.',
        );
        // whoever comes with such a token waits for the reading that says so
        askedMs = -Infinity;
      }
      loop.want(null, correlationId);
    },
    missed: () => loop.want(null, randomUUID()),
    setSystemTenant(tenant) {
      const others = index.list().filter(({ name }) => name !== system.name && name !== tenant.name);
      system = tenant;
      index.replace([tenant, ...others.filter(({ issuer }) => issuer !== tenant.issuer)]);
      loop.want(null, randomUUID());
    },
    status() {
      const details: ManagedTenantsStatus['details'] = { tenants: index.list().length };
      if (readMs !== undefined) details.readAt = new Date(readMs).toISOString();
      if (error !== undefined) details.error = error;
      if (faulty.length > 0) details.faulty = faulty;
      return { status: readMs === undefined ? 'DOWN' : 'UP', details };
    },
    stop: () => loop.stop(),
  };
}

/**
 * Where this service reaches an issuer of which only the public address is known: an issuer beside that of the system tenant, as
 * one realm of a Keycloak is beside another, is reached beside where that is reached; any other one at its own address.
 */
export function reachedAt(issuer: string, { issuer: known, authServerUrl }: Tenant): string {
  const [publicBase, realm] = lastSegment(known);
  const [ownBase, ownRealm] = lastSegment(authServerUrl.replace(/\/+$/, ''));
  if (realm === '' || realm !== ownRealm || !issuer.startsWith(publicBase)) return issuer;
  return ownBase + issuer.slice(publicBase.length);
}

/** `https://a/realms/kaa` is `https://a/realms/` and `kaa`; without a path there is no last segment. */
function lastSegment(url: string): [base: string, segment: string] {
  const at = url.lastIndexOf('/') + 1;
  return at <= url.indexOf('//') + 2 ? [url, ''] : [url.slice(0, at), url.slice(at)];
}
