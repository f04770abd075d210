import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Access, SignIn } from '../security/index.js';
import type { Republishing } from '../model/republishing.js';
import type { Register } from '../register/index.js';

/** Limits of what a request may hold, from `limits.*` and `server.max-body`. */
export interface GatewayLimits {
  /** `server.max-body`: a longer body is 413 */
  bodyBytes: number;
  /** levels of arrays and objects in one metadata value */
  nesting: number;
  /** of one endpoint; the register holds to it, the document says it */
  metadataKeys: number;
  /** source of the regular expression that a metadata key must match; likewise */
  metadataKeyPattern: string;
  /** items on a page when the request names no `limit` */
  pageDefault: number;
  /** the largest `limit` of a page */
  pageMax: number;
  /** endpoints in one batch registration */
  batchItems: number;
  /** items in one metadata batch as JSON; NDJSON may be of any length */
  metadataBatchItems: number;
  /** bytes of one line of NDJSON */
  ndjsonLineBytes: number;
}

export interface GatewayOptions {
  /** where REST and live events are served */
  host: string;
  /** 0: any free port (tests) */
  port: number;
  managementHost: string;
  managementPort: number;
  /** base of `Location`; absent: from the request's `Host` and `X-Forwarded-Proto` */
  publicUrl?: string;
  /** each is put before `/api/v1`, and before the paths of the pages; `''` is none */
  pathPrefixes: readonly string[];
  /** asked at each use, so that a change of configuration is seen without a restart */
  limits: () => GatewayLimits;
  /** one more is closed at once. Default: what leaves the process enough files. */
  maxConnections?: number;
  /** live event subscribers at a time; one more is 429. Default 1000: each may hold 1 MiB of unsent events. */
  eventSubscribers?: number;
  /** default 15 s: below the idle limits of common proxies, so that a quiet stream stays open */
  heartbeatMs?: number;
  /** how often live streams are held against what their callers may read; default 5 s */
  reviewMs?: number;
  /** how long a streamed request may send nothing; default 5 min. Ordinary bodies have the 10 s of the HTTP server. */
  streamIdleMs?: number;
  /** bytes of all ordinary bodies that are being received at a time; beyond it 429. Default 256 MiB. */
  bodiesBytes?: number;
  /** where the pages for browsers were built; default `build/public` */
  pagesFolder?: string;
  /** of the service, for the OpenAPI document */
  version?: string;
  /** shown by `/info` */
  info?: Record<string, unknown>;
}

/** What one part says of itself. */
export interface ComponentHealth {
  status: 'UP' | 'DOWN';
  details?: Record<string, unknown>;
}

export interface HealthReport {
  /** parts that must be up for the service to be ready */
  components: Record<string, ComponentHealth>;
}

export interface GatewayDeps {
  register: Register;
  access: Access;
  /** absent: nobody is asked who they are */
  signIn?: SignIn;
  options: GatewayOptions;
  log: Logger;
  metrics: Registry;
  /** absent: there is no broker */
  republishing?: Republishing | undefined;
  /** asked by `/health` and `/health/ready`; a rejection is shown as down */
  health: () => Promise<HealthReport>;
}

export interface Gateway {
  port: number;
  managementPort: number;
  /**
   * Stops listening, ends live streams, lets what is in flight end for at most `graceMs`, then closes every
   * connection. New requests on open connections get 503 meanwhile. Calling it again waits for the same end.
   */
  stop(graceMs: number): Promise<void>;
}
