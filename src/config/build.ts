/** Puts settled values in their places in `Config`. */
import { settings } from './settings.js';
import type { Settlement } from './settle.js';
import type { ApplicationConfig, Config, TenantConfig } from './types.js';

export interface NatsSignIn {
  readonly username?: string;
  readonly password?: string;
  readonly token?: string;
}

/** Fields, that are keys as well, whose files are read again while the service runs. */
const rereadable = ['nats.username', 'nats.password', 'nats.token'];

/**
 * @param signIn - credentials found in the URLs of NATS, whose client does not look there
 * @param secrets - client secrets that were read from files, by tenant
 */
export function buildConfig(
  { settled, names }: Settlement,
  signIn: NatsSignIn,
  secrets: ReadonlyMap<string, string>,
): Config {
  const root: Record<string, unknown> = {};
  for (const { key, field } of settings) {
    const value = settled.get(key)?.value;
    if (field !== undefined) put(root, field.split('.'), value);
  }
  for (const field of rereadable) put(root, `${field}File`.split('.'), settled.get(field)?.file);
  const valueOf = <T>(key: string): T => settled.get(key)?.value as T;
  // The table's rows are checked against the fields of Config at compile time.
  const config = root as unknown as Omit<Config, 'applications'>;

  const applications = record<ApplicationConfig>();
  for (const app of names.get('kaa.applications') ?? []) {
    const key = `kaa.applications.${app}`;
    applications[app] = {
      tenant: valueOf(`${key}.tenant`),
      versions: [...settled.keys()].filter((each) => each.startsWith(`${key}.versions.`)).map(lastPart),
      metadataInheritance: valueOf(`${key}.metadata-inheritance.enabled`),
    };
  }

  const tenants = record<TenantConfig>();
  for (const tenant of names.get('kaa.tenants') ?? []) {
    const key = `kaa.tenants.${tenant}`;
    const clientId = valueOf<string | undefined>(`${key}.client-id`);
    const clientSecret = valueOf<string | undefined>(`${key}.client-secret`) ?? secrets.get(tenant);
    tenants[tenant] = {
      issuer: valueOf(`${key}.issuer`),
      authServerUrl: valueOf(`${key}.auth-server-url`),
      ...(clientId === undefined ? {} : { clientId }),
      ...(clientSecret === undefined ? {} : { clientSecret }),
    };
  }

  const roleGrants = record<string[]>();
  for (const role of names.get('kaa.security.role-grants') ?? [])
    roleGrants[role] = valueOf(`kaa.security.role-grants.${role}`);

  const { tls, ...nats } = config.nats;
  return {
    ...config,
    nats: { ...nats, ...signIn, urls: nats.urls.map(withoutSignIn), ...(tls?.enabled ? { tls } : {}) },
    applications,
    kaa: { ...config.kaa, tenants, security: { ...config.kaa.security, roleGrants } },
  };
}

const userInfo = /^([a-z]+:\/\/)?([^/]*)@/i;

function withoutSignIn(url: string): string {
  return url.replace(userInfo, '$1').replace(/\/$/, '');
}

/** `user:password@` or `token@` of a URL, decoded; undefined when there is none or it can't be decoded. */
export function signInOf(url: string): NatsSignIn | undefined {
  const info = userInfo.exec(url)?.[2];
  if (info === undefined) return undefined;
  const colon = info.indexOf(':');
  try {
    if (colon < 0) return { token: decodeURIComponent(info) };
    return {
      username: decodeURIComponent(info.slice(0, colon)),
      password: decodeURIComponent(info.slice(colon + 1)),
    };
  } catch {
    return undefined;
  }
}

/** Groups are made even when nothing is in them; values that are not set leave no key. */
function put(into: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = into;
  for (const part of path.slice(0, -1)) at = (at[part] ??= {}) as Record<string, unknown>;
  const last = path.at(-1);
  if (last !== undefined && value !== undefined) at[last] = value;
}

/** Names that users choose are its keys, so it has no prototype. */
function record<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}

function lastPart(key: string): string {
  return key.slice(key.lastIndexOf('.') + 1);
}
