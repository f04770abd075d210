import { join } from 'node:path';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { createAccessControl } from './access-control.js';
import { createApplications } from './applications.js';
import { createBroker, listeners } from './broker.js';
import { type Config, describeChanges } from './config/index.js';
import { createCredentials } from './credentials.js';
import { type HealthReport, startGateway } from './gateway/index.js';
import { openLiveEvents, outboxBehindLog } from './live/index.js';
import { createPeerMetrics, type Reread } from './peers/index.js';
import { createRegister, type RegisterSettings } from './register/index.js';
import { createReplicas, fenceStore } from './replicas/index.js';
import { SYSTEM_TENANT } from './model/system-tenant.js';
import { dataFolder, openStore, type Store, type StoreOptions } from './storage/index.js';
import { ownVersion } from './version.js';
import { createWorkerPool, type WorkerPool } from './workers/index.js';

export { listenFault } from './gateway/index.js';

export interface RunningService {
  /** where REST and live events are served */
  url: string;
  /** where health and metrics are served */
  managementUrl: string;
  /** Why it is not ready yet, though it is started; undefined: nothing was missing when it started, or it is there by now. */
  awaits(): string | undefined;
  /** Takes up what can change in a running service. */
  reload(config: Config): Reloaded;
  /** Stops taking work, ends what is under way within the time limit of the configuration, closes everything. */
  stop(): Promise<void>;
}

export interface Reloaded {
  /** settings that changed and need a restart */
  restart: string[];
  /** what asking for the applications once more comes to, where another service has them */
  applications?: Promise<Reread>;
}

/** Builds every part from the configuration and starts them in order; `stop` goes the way back. Rejects with a message that says the remedy. */
export async function startService(initial: Config, log: Logger): Promise<RunningService> {
  let config = initial;
  const undo: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).reverse())
      await step().catch((error: unknown) => log.error({ err: error }, 'a part did not stop as it should'));
  };
  try {
    const metrics = new Registry();
    collectDefaultMetrics({ register: metrics });

    const opened = await openStore(storeOptions(config));
    undo.push(() => opened.close());
    const { replication } = opened;
    const replicas =
      replication === undefined
        ? undefined
        : await createReplicas({
            replication,
            id: config.service.replicaId,
            validMs: config.service.replicaLeaseMs,
            log,
            metrics,
          });
    if (replicas !== undefined) undo.push(() => replicas.stop());
    const store = replicas === undefined ? opened : fenceStore(opened, replicas);
    for (const { name, purpose } of store.indexes) log.debug({ index: name }, purpose);
    for (const note of store.notes) log.warn(note);

    const folder = dataFolder(config.storage.url);
    const live = await openLiveEvents({
      ...(folder === undefined ? {} : { folder: join(folder, 'live-events') }),
      store,
      bounds: () => ({ bytes: config.liveEvents.recentBytes, ageMs: config.liveEvents.recentAgeMs }),
      log,
      metrics,
    });
    undo.push(() => live.close());

    const peerMetrics = createPeerMetrics(metrics);
    const accessControl = createAccessControl({ config, log, metrics, peerMetrics });
    undo.push(() => accessControl.close());
    const { access, resources, signIn, tokenOf } = accessControl;

    const credentials = createCredentials({ config, log, peerMetrics, tokenOf });
    undo.push(() => credentials.close());

    const token = tokenOf?.(SYSTEM_TENANT);
    const applications = createApplications({ config, store, log, metrics, peerMetrics, token });
    const catalogue = () => applications.catalogue();
    undo.push(() => applications.stop());
    await Promise.all([applications.start(), accessControl.start()]);

    let settings = registerSettings(config, applications.restrictedMetadataKeys());
    // the same object as long as nothing changes: it is asked for with every command
    const currentSettings = () => {
      const restricted = applications.restrictedMetadataKeys();
      if (restricted !== settings.limits.restrictedKeys) settings = registerSettings(config, restricted);
      return settings;
    };

    const pool = createWorkerPool(config.workers.threads, { log });
    undo.push(() => pool.close());

    const mates =
      replicas === undefined || replication === undefined
        ? undefined
        : {
            id: config.service.replicaId,
            live: () => replicas.live(),
            onLive: (listener: () => void) => replicas.onLive(listener),
            readOutboxOf: (sources: readonly string[]) => replication.readOutboxOf(sources),
          };
    const broker = createBroker(config, outboxBehindLog(store, live), mates, log, metrics, {
      texts: store,
      submit: (commands) => Promise.all(commands.map((command) => register.endpoints.submit(command))),
      answerNow: (command) => register.endpoints.answerNow(command),
      catalogue,
      ...listeners(applications, accessControl),
      // the embedded store has one process
      kept: { past: (sinceMs) => live.past(sinceMs), isShared: folder === undefined },
    });
    const register = await createRegister({
      store,
      ...(replicas === undefined ? {} : { replicas }),
      pool,
      sink: broker,
      live,
      catalogue,
      settings: currentSettings,
      ...(credentials.issuer === undefined ? {} : { issuer: credentials.issuer }),
      ...(resources === undefined ? {} : { resources }),
      log,
      metrics,
    });
    undo.push(() => broker.stop());
    undo.push(() => register.stop());
    await broker.start();
    await register.resume();
    const served = broker.serve({
      register,
      limits: () => ({ nesting: config.limits.nesting, bodyBytes: config.server.maxBodyBytes }),
    });
    undo.push(() => served.stop(config.service.gracefulShutdownMs));

    const gateway = await startGateway({
      register,
      access,
      ...(signIn === undefined ? {} : { signIn }),
      options: {
        host: config.server.host,
        port: config.server.port,
        managementHost: config.management.host,
        managementPort: config.management.port,
        ...(config.server.publicUrl === undefined ? {} : { publicUrl: config.server.publicUrl }),
        pathPrefixes: config.server.pathPrefixes,
        ...(config.server.maxConnections === undefined
          ? {}
          : { maxConnections: config.server.maxConnections }),
        limits: () => ({ bodyBytes: config.server.maxBodyBytes, ...config.limits }),
        version: ownVersion(),
        info: { instance: config.service.instanceName, replica: config.service.replicaId },
      },
      log,
      metrics,
      republishing: broker.republishing,
      health: () => {
        const replica = replicas === undefined ? {} : { replica: replicas.status() };
        const parts = {
          ...replica,
          ...applications.health(),
          ...credentials.health(),
          ...broker.health(),
        };
        return health(store, pool, { ...accessControl.health(), ...parts });
      },
    });
    undo.push(() => gateway.stop(config.service.gracefulShutdownMs));

    return {
      url: urlOf(config.server.host, gateway.port),
      managementUrl: urlOf(config.management.host, gateway.managementPort),
      awaits: () =>
        catalogue().isAwaited
          ? 'Tekton could not be read yet, so no application is known; it is asked again and again'
          : accessControl.awaits(),
      reload(next) {
        const { restart } = describeChanges(config, next);
        config = {
          ...config,
          limits: next.limits,
          liveEvents: next.liveEvents,
          applications: next.applications,
          kaa: {
            ...config.kaa,
            tenants: next.kaa.tenants,
            security: {
              ...config.kaa.security,
              roleGrants: next.kaa.security.roleGrants,
              signIn: next.kaa.security.signIn,
            },
          },
          logging: next.logging,
        };
        accessControl.reload(config);
        applications.reload(config);
        settings = registerSettings(config, applications.restrictedMetadataKeys());
        log.level = config.logging.level;
        const asked = applications.reread?.();
        return { restart, ...(asked === undefined ? {} : { applications: asked }) };
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function health(
  store: Store,
  pool: WorkerPool,
  parts: HealthReport['components'],
): Promise<HealthReport> {
  const storage = await store.ping().then(
    () => ({ status: 'UP' as const }),
    (error: Error) => ({ status: 'DOWN' as const, details: { message: error.message } }),
  );
  const { down, ...counts } = pool.status();
  const workers =
    down === undefined
      ? { status: 'UP' as const, details: counts }
      : { status: 'DOWN' as const, details: { ...counts, message: down } };
  return { components: { storage, workers, ...parts } };
}

function storeOptions(config: Config): StoreOptions {
  const { url, durability, username, password } = config.storage;
  return {
    url,
    durability,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
}

function registerSettings(config: Config, restrictedKeys: readonly string[]): RegisterSettings {
  const { limits } = config;
  return {
    limits: {
      metadataKeys: limits.metadataKeys,
      endpointBytes: limits.endpointBytes,
      metadataKeyPattern: limits.metadataKeyPattern,
      nesting: limits.nesting,
      restrictedKeys,
    },
    originatorReplicaId: config.service.replicaId,
    metadataOnRegistration: config.kaa.epr.metadataOnRegistration,
    withEvents: true,
    queueLimit: limits.queue,
    filters: {
      maxDepth: limits.filterDepth,
      maxConditions: limits.filterConditions,
      maxPatternBytes: limits.filterPatternBytes,
      maxPatterns: limits.filterPatterns,
      filtersPerApplication: limits.filtersPerApplication,
    },
    batchTaskRetentionMs: limits.batchTaskRetentionMs,
  };
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
