/** Rows of the table: the process itself, what it listens on, where it stores, whom it talks to. */
import { setting, type Setting } from './setting.js';
import * as types from './value-types.js';

const host = types.matching(
  'host',
  /^[A-Za-z0-9_.:-]+$/,
  'a host name or an address such as 127.0.0.1, 0.0.0.0 or ::',
  '127.0.0.2',
);
const token = types.matching(
  'name',
  /^[A-Za-z0-9_-]+$/,
  'letters, digits, _ and - (it becomes one token of a NATS subject)',
  'epr-west',
);
const storageUrl = types.url(
  'URL',
  /^(file:[^\s].*|mongodb(\+srv)?:\/\/[^\s/?#]+.*)$/,
  'file:<folder>, mongodb://... or mongodb+srv://...',
  'file:/var/lib/epr',
);
const natsUrl = types.url(
  'NATS URL',
  /^((nats|tls):\/\/)?([^\s/]+@)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+)(:\d{1,5})?\/?$/,
  'nats://host:4222 or tls://host:4222',
  'nats://nats:4222',
);
const pathPrefix = types.matching(
  'path prefix',
  /^(\/[A-Za-z0-9._~-]+)*$/,
  '"" or a path such as /epr, without a slash at its end',
  '/register',
);

const threadsMax = 256;

export const serviceSettings: readonly Setting[] = [
  setting('kaa.security.authentication.enabled', 'kaa.security.authentication.enabled', {
    type: types.boolean,
    default: false,
    doc: 'Every request needs a bearer token of a known tenant. Off: anyone who reaches the port may do anything, so the service listens on loopback only unless `server.host` is set.',
  }),
  setting('kaa.security.authorization.enabled', 'kaa.security.authorization.enabled', {
    type: types.boolean,
    default: false,
    doc: 'The token must also grant what is asked. Needs authentication.',
  }),
  setting('server.port', 'server.port', {
    type: types.port,
    default: 8080,
    doc: 'REST, live events, console. 0 takes any free port, for tests.',
  }),
  setting('server.host', 'server.host', {
    type: host,
    default: ({ of }) => (of('kaa.security.authentication.enabled') === true ? '0.0.0.0' : '127.0.0.1'),
    defaultText: '127.0.0.1 while authentication is off, else 0.0.0.0',
    doc: 'The address to listen on. Setting it while authentication is off opens the register to whoever reaches that address: put something in front that decides who may.',
  }),
  setting('server.public-url', 'server.publicUrl', {
    type: types.httpUrl,
    defaultText: 'from the request',
    doc: 'The base of `Location` headers, and where the console is for browsers: the address that the auth server knows. Set it behind a proxy that changes the host or the scheme.',
  }),
  setting('server.path-prefixes', 'server.pathPrefixes', {
    type: types.list(pathPrefix),
    default: ['', '/epr'],
    doc: 'Prefixes under which every route answers; `/epr` is what an ingress of the platform sends.',
  }),
  setting('server.max-body', 'server.maxBodyBytes', {
    type: types.size(1024, 1024 ** 3, '16MiB'),
    default: 8 * 1024 ** 2,
    doc: 'Larger request bodies are refused with 413 (streamed NDJSON has no such bound, see `limits.ndjson-line`). Each request in flight may hold as much memory.',
  }),
  setting('server.max-connections', 'server.maxConnections', {
    type: types.integer(16, 1_000_000, '50000'),
    defaultText: 'the limit of open files (`ulimit -n`) less a fifth, at least 128',
    doc: 'Connections to the REST port at a time, live streams included. One more is closed at once, so that slow or idle clients never take the files that the store and NATS need.',
  }),
  setting('management.port', 'management.port', {
    type: types.port,
    default: 8081,
    doc: 'Health, metrics and information, for the orchestrator and the monitoring; needs no token, so do not publish it.',
  }),
  setting('management.host', 'management.host', {
    type: host,
    default: ({ of }) => String(of('server.host')),
    defaultText: 'as `server.host`',
    doc: 'The address for health and metrics. In a container with authentication off set it to 0.0.0.0, or probes from outside find nobody.',
  }),
  setting('storage.url', 'storage.url', {
    type: storageUrl,
    default: 'file:./data',
    fromFile: true,
    doc: '`file:<folder>` is the embedded store: one process, one disk (a relative folder starts at the working folder). `mongodb://` or `mongodb+srv://` is MongoDB 4.4 or later, replica set or sharded, for several replicas of this service.',
  }),
  setting('storage.durability', 'storage.durability', {
    type: types.oneOf('sync', 'async'),
    default: 'sync',
    doc: '`sync`: an answer means on disk (embedded: fsync; MongoDB: majority and journal). `async`: faster, and an answer may be lost with the power of the machine, never with the process.',
  }),
  setting('storage.username', 'storage.username', {
    type: types.text('epr'),
    aliases: ['MONGODB_USERNAME'],
    fromFile: true,
    doc: 'The user for MongoDB, instead of one in the URL.',
  }),
  setting('storage.password', 'storage.password', {
    type: types.text('secret'),
    secret: true,
    aliases: ['MONGODB_PASSWORD'],
    doc: 'The password for MongoDB, instead of one in the URL.',
  }),
  setting('nats.urls', 'nats.urls', {
    type: types.list(natsUrl),
    default: [],
    defaultText: 'none',
    fromFile: true,
    doc: 'Servers of one NATS cluster; one that answers is enough, the others become known from it. None: events reach the live stream and the log only, and connectivity events are not followed, requests of other services not answered.',
  }),
  setting('nats.username', 'nats.username', {
    type: types.text('epr'),
    fromFile: true,
    doc: 'The user at NATS, with `nats.password`.',
  }),
  setting('nats.password', 'nats.password', {
    type: types.text('secret'),
    secret: true,
    doc: 'The password at NATS.',
  }),
  setting('nats.token', 'nats.token', {
    type: types.text('secret'),
    secret: true,
    doc: 'A token, for NATS servers that ask for one instead of a user.',
  }),
  setting('nats.credentials-file', 'nats.credentialsFile', {
    type: types.file,
    doc: 'A `.creds` file (JWT and seed), for NATS with operator and accounts.',
  }),
  setting('nats.nkey-seed-file', 'nats.nkeySeedFile', {
    type: types.file,
    doc: 'A file with the nkey seed of a user (`SU...`).',
  }),
  setting('nats.tls.ca-file', 'nats.tls.caFile', {
    type: types.file,
    doc: 'Certificate authorities (PEM) that may sign the certificate of the server.',
  }),
  setting('nats.tls.cert-file', 'nats.tls.certFile', {
    type: types.file,
    doc: 'The certificate (PEM) of this service, for mutual TLS; with `nats.tls.key-file`.',
  }),
  setting('nats.tls.key-file', 'nats.tls.keyFile', {
    type: types.file,
    doc: 'The private key (PEM) of `nats.tls.cert-file`.',
  }),
  setting('nats.tls.handshake-first', 'nats.tls.handshakeFirst', {
    type: types.boolean,
    defaultText: 'false',
    doc: 'The server begins with TLS and says nothing before (`handshake_first` in its configuration).',
  }),
  setting('nats.tls.enabled', 'nats.tls.enabled', {
    type: types.boolean,
    default: ({ of }) =>
      (of('nats.urls') as string[]).some((each) => each.startsWith('tls://')) ||
      [
        of('nats.tls.ca-file'),
        of('nats.tls.cert-file'),
        of('nats.tls.key-file'),
        of('nats.tls.handshake-first'),
      ].some(Boolean),
    defaultText: 'true with a `tls://` URL or another `nats.tls` key, else false',
    doc: 'A connection without TLS is refused; the server is checked against the authorities of the system or `nats.tls.ca-file`. Off: TLS is used where the server demands it.',
  }),
  setting('nats.jetstream.events-stream', 'nats.jetstream.eventsStream', {
    type: token,
    doc: 'A JetStream stream that this service keeps over its event subjects, created when absent: events then count as published when the stream has them.',
  }),
  setting('nats.jetstream.sync-always', 'nats.jetstream.syncAlways', {
    type: types.boolean,
    default: false,
    doc: 'Says that each NATS server is configured with `jetstream { sync_interval: always }`: it flushes an event to disk before it acknowledges it. The register can not see that, and warns at start otherwise.',
  }),
  setting('service.instance.name', 'service.instanceName', {
    type: token,
    default: 'epr',
    aliases: ['INSTANCE_NAME'],
    doc: 'The name in NATS subjects and queue groups; the same for all replicas. Others listen to it: change it only together with them.',
  }),
  setting('service.instance.replica.id', 'service.replicaId', {
    type: token,
    default: ({ replicaId }) => replicaId,
    defaultText: 'random',
    doc: 'What tells replicas apart; two that run at once must differ: on MongoDB the second does not start.',
  }),
  setting('service.instance.replica.lease', 'service.replicaLeaseMs', {
    type: types.duration(1_000, 300_000, '10s'),
    default: 10_000,
    doc: 'With MongoDB: how long a replica that can not say that it is alive goes on writing. Others take it for dead a fifth later, and take over what it did; changes of filters wait for it until then. A pause of the process that is longer costs it refused writes, no data.',
  }),
  setting('service.graceful-shutdown', 'service.gracefulShutdownMs', {
    type: types.duration(0, 3_600_000, '10s'),
    default: 30_000,
    doc: 'How long a stop waits for requests and events in flight. Keep it under the grace period of the orchestrator.',
  }),
  setting('workers.threads', 'workers.threads', {
    type: types.integer(1, threadsMax, '3'),
    default: ({ processors }) => Math.min(threadsMax, Math.max(1, processors - 1)),
    defaultText: 'processors - 1, at least 1',
    doc: 'Threads that compute differences, match filters and encode events, beside the main thread. More than processors gains nothing.',
  }),
  setting('live-events.recent-size', 'liveEvents.recentBytes', {
    type: types.size(1024 ** 2, 1024 ** 4, '256MiB'),
    default: 64 * 1024 ** 2,
    live: true,
    doc: 'How much of the newest live events is kept, so that a reader that lost its connection can go on after the last event that it had. With `file:` storage they are in the folder `live-events` beside the data and outlive restarts; with MongoDB they are in memory.',
  }),
  setting('live-events.recent-age', 'liveEvents.recentAgeMs', {
    type: types.duration(60_000, 30 * 24 * 3_600_000, '6h'),
    default: 3_600_000,
    live: true,
    doc: 'Live events that are older are kept no longer, whatever their size.',
  }),
  setting('logging.level', 'logging.level', {
    type: types.oneOf('info', 'trace', 'debug', 'warn', 'error', 'fatal', 'silent'),
    default: 'info',
    live: true,
    doc: 'The least level that is logged. `debug` names every refused command, `trace` costs throughput.',
  }),
  setting('logging.format', 'logging.format', {
    type: types.oneOf('pretty', 'json'),
    default: ({ isTty }) => (isTty ? 'pretty' : 'json'),
    defaultText: '`pretty` on a terminal, else `json`',
    doc: 'Lines for people, or one JSON object a line for collectors.',
  }),
];
