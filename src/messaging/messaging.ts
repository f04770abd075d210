import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Catalogue } from '../model/catalogue.js';
import type { Command } from '../model/command.js';
import type { Outcome, Retry } from '../model/outcome.js';
import type { Republishing } from '../model/republishing.js';
import type { OutboxToPublish, Store } from '../storage/index.js';
import {
  type Broadcast,
  type ChangeListener,
  type ConfigurationChange,
  configurationBroadcasts,
  type TenantChange,
  tenantBroadcasts,
} from './broadcasts.js';
import { createBroadcastListener } from './broadcast-listener.js';
import { createNatsLink } from './connection.js';
import { readPapers } from './connector.js';
import { createConnectivityConsumer } from './connectivity-consumer.js';
import { createConnectivityMetrics } from './connectivity-metrics.js';
import { type ConnectivityProcessor, createConnectivityProcessor } from './connectivity-processor.js';
import { createDeadLetters } from './dead-letters.js';
import { createDurabilityNotice } from './durability-notice.js';
import { memoryOf } from './jetstream-api.js';
import { createLostStreams } from './lost-streams.js';
import { createEventsStream } from './events-stream.js';
import { CONNECTIVITY_DEFAULTS, type MessagingOptions, RELAY_DEFAULTS, SERVED_DEFAULTS } from './options.js';
import { createOutboxOwners, type RelayMates } from './outbox-owners.js';
import { createOutboxRelay } from './outbox-relay.js';
import { createSharedRepublication } from './shared-republication.js';
import { createRepublication, type RepublicationDeps } from './republication.js';
import { createProcessDeaths } from './process-deaths.js';
import { createPublisher } from './publisher.js';
import type { EventSink } from '../register/index.js';
import type { ServedDeps } from './served/definition.js';
import { createServedRequests, type ServedRequests } from './served/served-requests.js';
import { createSparingLog } from './sparing-log.js';
import { connectedSubject, connectivitySubjects, createSubjects } from './subjects.js';
import { createUnusableMessages } from './unusable-messages.js';

/** How often an outbox that is shared is looked through: what is handed over can be lost. */
const SHARED_SWEEP_MS = 15_000;

export interface MessagingDeps {
  options: MessagingOptions;
  store: OutboxToPublish;
  /** for sending again */
  kept: Pick<RepublicationDeps, 'past' | 'isShared'>;
  /** where several replicas share the store's outbox */
  mates?: RelayMates;
  /** what outlives this process, and all `mates` see */
  texts?: Pick<Store, 'getText' | 'putText' | 'removeText'>;
  /** Gives commands to the register; the outcomes in their places. Commands on one endpoint take effect in this order. */
  submit: (commands: Command[]) => Promise<readonly Outcome[]>;
  /** what `submit` would answer, where the register can tell at once; absent: never */
  answerNow?: (command: Command) => Exclude<Outcome, Retry> | undefined;
  catalogue: () => Catalogue;
  /** hears `configurationProvider` */
  onConfiguration?: ChangeListener<ConfigurationChange>;
  /** hears `tenantManager` */
  onTenant?: ChangeListener<TenantChange>;
  log: Logger;
  metrics: Registry;
}

/** For health. A broker that is away makes nobody wait, so the part stays up; its details say how it stands. */
export interface MessagingStatus {
  status: 'UP';
  details: {
    connected: boolean;
    server?: string;
    error?: string;
    attempts?: number;
    /** outbox entries not known to be published, and how long the oldest has waited */
    backlog: number;
    oldestAgeMs: number;
    /** why they wait, where there is a connection */
    waiting?: string;
    connectivity?: string;
    requests?: string;
    announcements?: string;
  };
}

export interface Messaging {
  sink: EventSink;
  /** Returns at once, broker or no broker: connects in the background. Rejects when files that settings name can't be used. */
  start(): Promise<void>;
  /** Answers requests of other services from now on, whenever there is a connection. To be called once. */
  serve(deps: ServedDeps): ServedRequests;
  republishing: Republishing;
  status(): MessagingStatus;
  /** Publishes what is at hand while the broker takes it (5 s at the most), ends what is under way, closes the connection. */
  stop(): Promise<void>;
}

/**
 * Everything between the register and NATS: the outbox relay, the events stream, the consumer of connected events,
 * announcements of other services, served requests.
 */
export function createMessaging({
  options,
  store,
  kept,
  mates,
  texts,
  submit,
  answerNow,
  catalogue,
  onConfiguration,
  onTenant,
  log,
  metrics,
}: MessagingDeps): Messaging {
  const subjects = createSubjects(options.instance);
  const sparing = createSparingLog(log);
  const link = createNatsLink(options, { log, sparing, registry: metrics, isOwn: subjects.isOwn });
  const eventsStream =
    options.eventsStream === undefined
      ? undefined
      : createEventsStream(options.eventsStream, subjects.allEvents, log);
  const sweepMs = mates === undefined ? RELAY_DEFAULTS.sweepMs : SHARED_SWEEP_MS;
  const relayLimits = { ...RELAY_DEFAULTS, sweepMs, ...options.relay };
  const noteDurability = createDurabilityNotice(options.syncAlways === true, log);
  const noteLost = createLostStreams({ log, ...(texts === undefined ? {} : { store: texts }) });
  const publisher = createPublisher({
    link,
    log,
    subjects: [subjects.allEvents, subjects.allDead],
    ackTimeoutMs: relayLimits.ackTimeoutMs,
    eventsStream,
    streamsFound(streams) {
      noteDurability(streams);
      void noteLost(streams);
    },
    onReady() {
      relay.schedule();
      republication.schedule();
    },
  });
  const relay = createOutboxRelay({
    publisher,
    store,
    subjects,
    ...(mates === undefined ? {} : { owns: (source) => owners!.owns(source) }),
    limits: relayLimits,
    sparing,
    registry: metrics,
  });

  const republication = createRepublication({
    ...kept,
    publisher,
    connectionError: () => link.status().error,
    relay,
    streamMemory: (stream) => memoryOf(link.current(), stream),
    subjects,
    limits: relayLimits,
    log,
    sparing,
    registry: metrics,
  });

  const shared =
    mates === undefined || texts === undefined
      ? undefined
      : createSharedRepublication({ own: republication, replicas: mates, store: texts, log });
  const alone: Republishing = {
    begin: async (sinceMs) => republication.start(sinceMs),
    status: async () => republication.status(),
    cancel: () => republication.cancel(),
  };

  const owners =
    mates === undefined
      ? undefined
      : createOutboxOwners({ mates, link, subjectOf: subjects.ofReplica, sink: relay.sink, sparing });

  const deaths = texts === undefined ? undefined : createProcessDeaths({ store: texts, log });
  const limits = { ...CONNECTIVITY_DEFAULTS, ...options.connectivity };
  const consumer =
    options.communicationService === undefined ? undefined : createConsumer(options.communicationService);

  const broadcasts = heardBroadcasts();
  const announcements =
    broadcasts.length === 0
      ? undefined
      : createBroadcastListener({ link, broadcasts, log, sparing, registry: metrics });

  let served: ServedRequests | undefined;

  function heardBroadcasts(): Broadcast[] {
    const { configurationProvider, tenantManager, instance } = options;
    const heard: Broadcast[] = [];
    if (configurationProvider !== undefined && onConfiguration !== undefined)
      heard.push(...configurationBroadcasts(configurationProvider, instance, onConfiguration));
    if (tenantManager !== undefined && onTenant !== undefined)
      heard.push(...tenantBroadcasts(tenantManager, onTenant));
    return heard;
  }

  function createConsumer(communicationService: string) {
    const counters = createConnectivityMetrics(metrics, {
      inFlight: () => processor.inFlight(),
      bytes: () => processor.bytesInFlight(),
      held: () => unusable.held(),
    });
    const unusable = createUnusableMessages({
      metrics: counters,
      sparing,
      // as many as are taken go on beside them
      maxHeld: Math.floor(limits.maxMessages / 2),
      sharers: () => Math.max(1, mates?.live().length ?? 1),
    });
    const processor: ConnectivityProcessor = createConnectivityProcessor({
      submit,
      ...(answerNow === undefined ? {} : { answerNow }),
      catalogue,
      sparing,
      keepsMetadata: options.connectivityMetadata === true,
      maxCommands: limits.maxCommands,
      maxBytes: limits.maxBytes,
      metrics: counters,
      unusable,
      ...(deaths === undefined ? {} : { deaths }),
    });
    return createConnectivityConsumer({
      link,
      log,
      sparing,
      processor,
      instance: options.instance,
      subjects: {
        connected: connectedSubject(communicationService),
        all: connectivitySubjects(communicationService),
      },
      consumesAll: options.connectivityMetadata === true,
      bury: createDeadLetters(publisher, subjects.deadConnectivity),
      isAwaiting: () => catalogue().isAwaited,
      limits,
    });
  }

  return {
    sink: owners?.sink ?? relay.sink,
    republishing: shared ?? alone,
    async start() {
      const papers = await readPapers(options);
      if (!papers.ok) throw new Error(`NATS can not be connected to as it is configured. ${papers.problem}`);
      publisher.start();
      relay.start();
      owners?.start();
      await shared?.start();
      if (consumer !== undefined) await deaths?.begin();
      consumer?.start();
      announcements?.start();
      link.start();
    },
    serve(deps) {
      return (served = createServedRequests({
        ...deps,
        link,
        instance: options.instance,
        subjectOf: subjects.ofRequest,
        bounds: { ...SERVED_DEFAULTS, ...options.served },
        log,
        sparing,
        registry: metrics,
      }));
    },
    status() {
      const { inMemory, inStore, oldestAgeMs } = relay.backlog();
      const details: MessagingStatus['details'] = {
        ...link.status(),
        backlog: inMemory + inStore,
        oldestAgeMs: Math.round(oldestAgeMs),
      };
      const waiting = eventsStream?.problem() ?? relay.problem();
      if (waiting !== undefined) details.waiting = waiting;
      if (consumer !== undefined) details.connectivity = consumer.status();
      if (announcements !== undefined) details.announcements = announcements.status();
      if (served !== undefined) details.requests = served.status();
      return { status: 'UP', details };
    },
    async stop() {
      announcements?.stop();
      await consumer?.stop();
      await (shared?.stop() ?? republication.cancel());
      await owners?.stop();
      await relay.stop();
      publisher.stop();
      await link.close();
      sparing.stop();
    },
  };
}
