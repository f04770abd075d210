import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { type Config, readApplications } from './config/index.js';
import type { HealthReport } from './gateway/index.js';
import { type Catalogue, createCatalogue } from './model/catalogue.js';
import {
  type ConfigurationScope,
  createPeerClient,
  createTekton,
  createTektonApplications,
  type PeerMetrics,
  type PeerToken,
  type ReadConfiguration,
  type Reread,
} from './peers/index.js';
import type { Store } from './storage/index.js';

/** The applications of this installation, and what else Tekton decides where it is asked. */
export interface Applications {
  catalogue(): Catalogue;
  /** The same array as long as it has not changed. */
  restrictedMetadataKeys(): readonly string[];
  /** Resolves when they are known, or as far as they are after some seconds. */
  start(): Promise<void>;
  /** Takes up another configuration. */
  reload(config: Config): void;
  /** Present where another service has them: asks it now. Resolves when that came to something. */
  reread?: () => Promise<Reread>;
  /** present where other services announce changes */
  changed?: (scope: ConfigurationScope, correlationId: string) => void;
  health(): HealthReport['components'];
  stop(): Promise<void>;
}

export interface ApplicationsDeps {
  config: Config;
  store: Store;
  log: Logger;
  metrics: Registry;
  peerMetrics: PeerMetrics;
  /** for Tekton; absent: it is not told who asks */
  token: PeerToken | undefined;
}

export function createApplications(deps: ApplicationsDeps): Applications {
  return deps.config.kaa.tekton.enabled ? fromTekton(deps) : fromConfiguration(deps.config);
}

function fromConfiguration(initial: Config): Applications {
  let config = initial;
  let catalogue = catalogueOf(config);
  return {
    catalogue: () => catalogue,
    restrictedMetadataKeys: () => config.kaa.epr.restrictedMetadataKeys,
    start: async () => undefined,
    reload(next) {
      config = next;
      catalogue = catalogueOf(config);
    },
    health: () => ({}),
    stop: async () => undefined,
  };
}

function catalogueOf(config: Config): Catalogue {
  return createCatalogue(
    Object.entries(config.applications).map(([name, application]) => ({ name, ...application })),
  );
}

/** Whole configurations are some kilobytes; this is to bound the work on one that is none. */
const MAX_CONFIGURATION_BYTES = 4 * 1024 * 1024;
const MOST_IGNORED = 100;

/** Reads applications of Tekton as those of the file are read. */
export function readerOf(log: Logger): ReadConfiguration {
  return (kaa, flaws) => {
    const found = readApplications(kaa, flaws);
    if (typeof found === 'string') return found;
    const { ignored, ...rest } = found;
    if (ignored.length > 0)
      log.debug({ ignored: ignored.slice(0, MOST_IGNORED) }, 'keys from Tekton that are not of this service');
    const named = [...found.applications].map(
      ([name, application]) => [name, { name, ...application }] as const,
    );
    return { ...rest, applications: new Map(named) };
  };
}

function fromTekton({ config, store, log, metrics, peerMetrics, token }: ApplicationsDeps): Applications {
  const client = createPeerClient(
    {
      name: 'tekton',
      url: config.kaa.tekton.url,
      ...(token === undefined ? {} : { token }),
      limits: {
        connections: 2,
        maxAnswerBytes: MAX_CONFIGURATION_BYTES,
        // one reading at a time, with pauses of its own, which an announcement or an operator may end
        failuresToOpen: Infinity,
      },
    },
    { log, metrics: peerMetrics },
  );
  const { instanceName: instance } = config.service;
  const followed = createTektonApplications({
    tekton: createTekton(client, { url: config.kaa.tekton.url, instance }, readerOf(log)),
    store,
    async hasEndpoints(scope) {
      const sort = { by: 'createdDate', direction: 'desc' } as const;
      const { records } = await store.find({ scope, sort, offset: 0, limit: 1, withTotal: false });
      return records.length > 0;
    },
    log,
    metrics,
  });
  const own = config.kaa.epr.restrictedMetadataKeys;
  let theirs = followed.restrictedMetadataKeys();
  let restricted = own;
  return {
    catalogue: () => followed.catalogue(),
    restrictedMetadataKeys() {
      const now = followed.restrictedMetadataKeys();
      if (now !== theirs) restricted = [...new Set([...own, ...now])];
      theirs = now;
      return restricted;
    },
    start: () => followed.start(),
    // those of the file have no effect
    reload: () => undefined,
    reread: () => followed.reread(randomUUID()),
    changed: (scope, correlationId) => followed.changed(scope, correlationId),
    health: () => ({ tekton: followed.status() }),
    async stop() {
      await client.close();
      await followed.stop();
    },
  };
}
