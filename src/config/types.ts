/** What the configuration comes to: values in force, where each came from, and what was wrong. */

/** An application whose endpoints are registered here. */
export interface ApplicationConfig {
  readonly tenant: string;
  /** Names, in the order they were given. Empty: nothing can register. */
  readonly versions: string[];
  readonly metadataInheritance: boolean;
}

/** A tenant of an installation without a tenant manager. */
export interface TenantConfig {
  readonly issuer: string;
  /** Where this service reaches the auth server; the issuer unless said otherwise. */
  readonly authServerUrl: string;
  readonly clientId?: string;
  readonly clientSecret?: string;
}

/** Bounds on what callers may send and what the service keeps. All of them change on SIGHUP. */
export interface LimitsConfig {
  readonly metadataKeys: number;
  readonly endpointBytes: number;
  /** Source of a regular expression that a metadata key must match. */
  readonly metadataKeyPattern: string;
  readonly nesting: number;
  readonly filterDepth: number;
  readonly filterConditions: number;
  readonly filterPatternBytes: number;
  readonly filterPatterns: number;
  readonly pageDefault: number;
  readonly pageMax: number;
  readonly batchItems: number;
  readonly metadataBatchItems: number;
  readonly ndjsonLineBytes: number;
  readonly filtersPerApplication: number;
  /** Commands waiting in the write pipeline. */
  readonly queue: number;
  readonly batchTaskRetentionMs: number;
}

export interface NatsTlsConfig {
  /** Always true where the object is present. */
  readonly enabled: boolean;
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  /** The server says nothing before TLS. */
  readonly handshakeFirst?: boolean;
}

export type StorageDurability = 'sync' | 'async';
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
export type LogFormat = 'pretty' | 'json';

/**
 * Everything the service was told, checked. Maps with names that users choose (`applications`, `kaa.tenants`,
 * `kaa.security.roleGrants`) have no prototype, so that `applications['constructor']` is undefined.
 */
export interface Config {
  readonly server: {
    /** 0: any free port. */
    readonly port: number;
    readonly host: string;
    /** No trailing slash. */
    readonly publicUrl?: string;
    /** Each `''` or `/name`, no trailing slash. */
    readonly pathPrefixes: string[];
    readonly maxBodyBytes: number;
    /** Absent: by the limit of open files. */
    readonly maxConnections?: number;
  };
  readonly management: { readonly port: number; readonly host: string };
  readonly storage: {
    /** `file:<folder>` (relative to the working folder), `mongodb://...` or `mongodb+srv://...`. */
    readonly url: string;
    readonly durability: StorageDurability;
    readonly username?: string;
    readonly password?: string;
  };
  readonly nats: {
    /** Without credentials: those of the URLs are in `username`, `password` or `token`. Empty: no NATS. */
    readonly urls: string[];
    readonly username?: string;
    readonly password?: string;
    readonly token?: string;
    /** Files that the three were read from, by `<VARIABLE>_FILE`: what they hold may change while the service runs. */
    readonly usernameFile?: string;
    readonly passwordFile?: string;
    readonly tokenFile?: string;
    readonly credentialsFile?: string;
    readonly nkeySeedFile?: string;
    /** Present: a connection without TLS is refused. */
    readonly tls?: NatsTlsConfig;
    readonly jetstream: { readonly eventsStream?: string; readonly syncAlways: boolean };
  };
  readonly service: {
    readonly instanceName: string;
    readonly replicaId: string;
    readonly replicaLeaseMs: number;
    readonly gracefulShutdownMs: number;
  };
  readonly workers: { readonly threads: number };
  /** What is kept of the live events, for who resumes. */
  readonly liveEvents: { readonly recentBytes: number; readonly recentAgeMs: number };
  readonly limits: LimitsConfig;
  readonly applications: Readonly<Record<string, ApplicationConfig>>;
  readonly kaa: {
    readonly tekton: { readonly enabled: boolean; readonly url: string };
    readonly scmp: { readonly providerInstanceName: string };
    readonly epr: {
      /** Whose connectivity events to follow. */
      readonly communicationInstanceName: string;
      readonly credentialManagementUrl?: string;
      readonly restrictedMetadataKeys: string[];
      readonly metadataOnRegistration: boolean;
      readonly connectivityMetadata: boolean;
    };
    readonly security: {
      readonly authentication: { readonly enabled: boolean };
      readonly authorization: { readonly enabled: boolean };
      /** Realm role -> scopes. */
      readonly roleGrants: Readonly<Record<string, string[]>>;
      readonly endpointResources: boolean;
      readonly decisionCacheMs: number;
      /** What tokens must be meant for. */
      readonly audience?: string;
      /** Of people, whose clients are the same in every realm. */
      readonly signIn: {
        readonly consoleClientId: string;
        readonly cliClientId: string;
        readonly listTenants: boolean;
      };
    };
    readonly tenants: Readonly<Record<string, TenantConfig>>;
    readonly tenantManager: {
      readonly enabled: boolean;
      readonly url: string;
      readonly instanceName: string;
    };
  };
  readonly logging: { readonly level: LogLevel; readonly format: LogFormat };
}

export type ConfigSource = 'default' | 'file' | 'environment' | 'flag';

/** One setting in force. */
export interface ConfigEntry {
  /** Dotted, as in the file: `kaa.tekton.url`. */
  readonly key: string;
  /** Checked, in base units (ms, bytes). Undefined: not set. Holds secrets: show `shown` to people. */
  readonly value: unknown;
  /** For people: units, secrets as `********`, also inside URLs; '' when not set. */
  readonly shown: string;
  readonly source: ConfigSource;
  /** `config/epr.yml:3`, a variable's name, `--set <key>`; absent for defaults. */
  readonly where?: string;
}

/** One thing wrong. `message` says all of it in one line and never holds a secret. */
export interface ConfigProblem {
  /** Dotted; '' when the whole file is meant. */
  readonly key: string;
  /** `config/epr.yml:3:9` (line and column from 1), a variable's name, or `--set <key>`. */
  readonly where: string;
  readonly found: string;
  readonly allowed: string;
  readonly message: string;
}

/** Dotted paths of the fixed fields of T, so that a row of the table can't name a field that is not there. */
export type FieldPath<T> = {
  [K in keyof T & string]-?: NonNullable<T[K]> extends string | number | boolean | readonly unknown[]
    ? K
    : `${K}.${FieldPath<NonNullable<T[K]>>}`;
}[keyof T & string];

/** The type of the field at a path. */
export type FieldValue<T, P extends string> = P extends `${infer Head}.${infer Rest}`
  ? Head extends keyof T
    ? FieldValue<NonNullable<T[Head]>, Rest>
    : never
  : P extends keyof T
    ? NonNullable<T[P]>
    : never;

export type ConfigField = FieldPath<Omit<Config, 'applications'>>;
