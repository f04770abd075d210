import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { AccessControl } from './access-control.js';
import type { Applications } from './applications.js';
import type { Config } from './config/index.js';
import type { HealthReport } from './gateway/index.js';
import {
  type ConfigurationChange,
  createMessaging,
  createNoBroker,
  type MessagingDeps,
  type MessagingOptions,
  type RelayMates,
  type ServedDeps,
  type ServedRequests,
} from './messaging/index.js';
import type { Republishing } from './model/republishing.js';
import type { EventSink } from './register/index.js';
import type { OutboxToPublish } from './storage/index.js';

/** What this service tells and hears over NATS, or that there is none. */
export interface Broker extends EventSink {
  republishing: Republishing | undefined;
  start(): Promise<void>;
  serve(deps: ServedDeps): Pick<ServedRequests, 'stop'>;
  stop(): Promise<void>;
  health(): HealthReport['components'];
}

type ConsumerDeps = Pick<
  MessagingDeps,
  'texts' | 'submit' | 'answerNow' | 'catalogue' | 'kept' | 'onConfiguration' | 'onTenant'
>;

export function createBroker(
  config: Config,
  store: OutboxToPublish,
  mates: RelayMates | undefined,
  log: Logger,
  metrics: Registry,
  deps: ConsumerDeps,
): Broker {
  if (config.nats.urls.length === 0)
    return {
      ...createNoBroker(store, log),
      republishing: undefined,
      serve: () => ({ stop: async () => undefined }),
      health: () => ({}),
    };
  const messaging = createMessaging({
    options: messagingOptions(config),
    store,
    ...(mates === undefined ? {} : { mates }),
    log,
    metrics,
    ...deps,
  });
  return {
    ...messaging.sink,
    start: () => messaging.start(),
    republishing: messaging.republishing,
    serve: (served) => messaging.serve(served),
    stop: () => messaging.stop(),
    health: () => ({ nats: messaging.status() }),
  };
}

/** What other services announce, and who wants to know. */
export function listeners(
  { changed }: Applications,
  { announcements }: AccessControl,
): Pick<ConsumerDeps, 'onConfiguration' | 'onTenant'> {
  const onTenant = announcements === undefined ? {} : { onTenant: announcements };
  if (changed === undefined) return onTenant;
  const onConfiguration = {
    changed({ correlationId, application, version }: ConfigurationChange) {
      const ofVersion = version === undefined ? {} : { version };
      changed(application === undefined ? {} : { application, ...ofVersion }, correlationId);
    },
    missed: () => changed({}, randomUUID()),
  };
  return { onConfiguration, ...onTenant };
}

function messagingOptions(config: Config): MessagingOptions {
  const { urls, jetstream, tls, ...credentials } = config.nats;
  const { tekton, scmp, tenantManager } = config.kaa;
  const { enabled: _enabled, ...tlsFiles } = tls ?? {};
  return {
    urls,
    instance: config.service.instanceName,
    replicaId: config.service.replicaId,
    communicationService: config.kaa.epr.communicationInstanceName,
    connectivityMetadata: config.kaa.epr.connectivityMetadata,
    ...(tekton.enabled ? { configurationProvider: scmp.providerInstanceName } : {}),
    ...(tenantManager.enabled ? { tenantManager: tenantManager.instanceName } : {}),
    ...credentials,
    ...(tls === undefined ? {} : { tls: tlsFiles }),
    ...jetstream,
  };
}
