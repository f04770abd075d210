/** How to reach and speak to NATS. Files are read when a connection is made. */
export interface MessagingOptions {
  /** `nats://host:port` or `tls://host:port`; without credentials; one is picked at random, the rest are for when it is away */
  urls: readonly string[];
  /** the service instance name; one subject token; also the queue group and the head of consumer names */
  instance: string;
  replicaId: string;
  /** instance name of the communication service, whose `connected` events are consumed; absent: none are */
  communicationService?: string;
  /** keep from its events, in the metadata of endpoints, whether they are connected; all replicas alike */
  connectivityMetadata?: boolean;
  /** instance name of the service that keeps the configuration (17/SCMP); absent: its announcements are not heard */
  configurationProvider?: string;
  /** instance name of the tenant manager (21/TLE); absent: its announcements are not heard */
  tenantManager?: string;
  username?: string;
  password?: string;
  token?: string;
  /** files that the three were read from: read again for each connection */
  usernameFile?: string;
  passwordFile?: string;
  tokenFile?: string;
  /** a file with an nkey seed (`SU...`) */
  nkeySeedFile?: string;
  /** a `.creds` file: JWT and seed */
  credentialsFile?: string;
  /** present: a connection without TLS is refused; `handshakeFirst`: the server says nothing before TLS */
  tls?: { caFile?: string; certFile?: string; keyFile?: string; handshakeFirst?: boolean };
  /** a stream to keep over this instance's event subjects: events are published when it has them, and not before */
  eventsStream?: string;
  /** the operator says that each server of NATS flushes each message to disk before it acknowledges */
  syncAlways?: boolean;
  link?: Partial<LinkLimits>;
  relay?: Partial<RelayLimits>;
  connectivity?: Partial<ConnectivityLimits>;
  served?: Partial<ServedLimits>;
}

export interface LinkLimits {
  /** how long one attempt at one server may take */
  attemptMs: number;
  /** how often a connection is asked whether it lives; it is given up when the third question comes before an answer */
  pingMs: number;
  /** the pause before the servers are tried again: this at first, doubled each time up to the most, less up to a half */
  retryFirstMs: number;
  retryMostMs: number;
}

export const LINK_DEFAULTS: LinkLimits = {
  attemptMs: 5_000,
  pingMs: 10_000,
  retryFirstMs: 250,
  retryMostMs: 5_000,
};

export interface RelayLimits {
  /** events under way to the broker at once; more is more throughput over a slow line, and more to repeat after a break */
  maxInFlight: number;
  /** outbox entries, and their bytes, held in memory; beyond that they are read from the store again when there is room */
  maxEntries: number;
  maxBytes: number;
  /** how long an acknowledgement may take before the event is sent again, with the same id */
  ackTimeoutMs: number;
  /** how often the store is looked through for entries that nobody reported */
  sweepMs: number;
  /** how long `stop` goes on publishing */
  stopMs: number;
}

export const RELAY_DEFAULTS: RelayLimits = {
  maxInFlight: 4096,
  maxEntries: 20_000,
  maxBytes: 64 * 1024 * 1024,
  ackTimeoutMs: 5_000,
  sweepMs: 60_000,
  stopMs: 5_000,
};

export interface ConnectivityLimits {
  /** messages that the broker hands out before the first of them is acknowledged */
  maxMessages: number;
  /** bytes of messages that were taken and are not done; the last of them may exceed it, others are given back to wait in the stream */
  maxBytes: number;
  /** commands given to the register and not yet answered */
  maxCommands: number;
  /** after how long the broker gives an unacknowledged message again (to another replica, after a crash) */
  ackWaitMs: number;
  /** how often at least the stream is looked for while there is none */
  lookAgainMs: number;
}

export const CONNECTIVITY_DEFAULTS: ConnectivityLimits = {
  maxMessages: 4096,
  maxBytes: 64 * 1024 * 1024,
  maxCommands: 4096,
  ackWaitMs: 30_000,
  lookAgainMs: 30_000,
};

/** Of served requests: once of those that write, once of those that read. */
export interface ServedLimits {
  /** requests being carried out, each command of a batch counted; a batch that is begun below it may exceed it */
  maxUnderWay: number;
  /** their bytes; one that is larger is carried out alone */
  maxUnderWayBytes: number;
  /** requests, and their bytes, that wait for those; beyond it they are answered 429 */
  maxWaiting: number;
  maxWaitingBytes: number;
}

export const SERVED_DEFAULTS: ServedLimits = {
  maxUnderWay: 4096,
  maxUnderWayBytes: 64 * 1024 * 1024,
  maxWaiting: 4096,
  maxWaitingBytes: 64 * 1024 * 1024,
};
