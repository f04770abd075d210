/** What only shows when settings are seen together. Each check is one function; all of them run. */
import { SYSTEM_TENANT } from '../model/system-tenant.js';
import { signInOf, type NatsSignIn } from './build.js';
import { badValue } from './problems.js';
import type { Settled, Settlement } from './settle.js';
import { readText } from './sources.js';
import type { ConfigProblem } from './types.js';
import { file as fileType } from './value-types.js';

type Get = (key: string) => Settled | undefined;

/** Every contradiction among the settings in force. */
export function checkTogether(settlement: Settlement): ConfigProblem[] {
  const get: Get = (key) => settlement.settled.get(key);
  return [
    ...checkSecurity(get, settlement.names.get('kaa.tenants')?.size ?? 0),
    ...checkListeners(get),
    ...checkPages(get),
    ...checkNats(get),
    ...checkStorage(get),
    ...checkFiles(settlement),
    ...checkVersions(settlement),
    ...checkTenants(settlement, get),
    ...checkClientSecrets(settlement, get),
    ...checkTenantManager(get),
  ];
}

function refuse(at: Settled, allowed: string, found = at.shown): ConfigProblem {
  return badValue({ key: at.key, where: at.valueWhere, found, allowed });
}

/** Set by someone, not by default. */
function isGiven(entry: Settled | undefined): entry is Settled {
  return entry !== undefined && entry.source !== 'default';
}

function checkSecurity(get: Get, tenants: number): ConfigProblem[] {
  const authentication = get('kaa.security.authentication.enabled');
  const tenantsElsewhere = get('kaa.tenant-manager.enabled')?.value === true;
  if (authentication?.value === true && tenants === 0 && !tenantsElsewhere)
    return [
      refuse(
        authentication,
        'true with a tenant: kaa.tenants.kaa.issuer (docs/security.md)',
        'true, and no tenant whose tokens could be verified',
      ),
    ];
  const authorization = get('kaa.security.authorization.enabled');
  if (authorization?.value !== true || get('kaa.security.authentication.enabled')?.value === true) return [];
  return [
    refuse(
      authorization,
      'true only with kaa.security.authentication.enabled',
      'true without authentication',
    ),
  ];
}

function checkListeners(get: Get): ConfigProblem[] {
  const [port, management] = [get('server.port'), get('management.port')];
  const [host, managementHost] = [get('server.host')?.value, get('management.host')?.value];
  const everywhere = [host, managementHost].some((each) => each === '0.0.0.0' || each === '::');
  if (!port || !management || port.value === 0 || port.value !== management.value) return [];
  if (host !== managementHost && !everywhere) return [];
  return [
    refuse(isGiven(management) ? management : port, 'different ports for server.port and management.port'),
  ];
}

function checkPages(get: Get): ConfigProblem[] {
  const [normal, max] = [get('limits.page-default'), get('limits.page-max')];
  if (!normal || !max || Number(normal.value) <= Number(max.value)) return [];
  return [
    refuse(
      isGiven(normal) ? normal : max,
      `limits.page-default (${normal.shown}) up to limits.page-max (${max.shown})`,
    ),
  ];
}

function checkNats(get: Get): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const urls = get('nats.urls');
  const inUrls = signInsOf(settledUrls(urls));
  if (urls && inUrls.length > 1)
    problems.push(refuse(urls, 'the same credentials in every URL, or nats.username'));

  const ways = ['nats.username', 'nats.token', 'nats.credentials-file', 'nats.nkey-seed-file']
    .map(get)
    .filter(isGiven);
  const [first, second] = [...ways, ...(urls && inUrls.length > 0 ? [urls] : [])];
  if (first && second)
    problems.push(refuse(second, 'one way of signing in', `${second.key} beside ${first.key}`));

  const pairs = [
    ['nats.password', 'nats.username'],
    ['nats.username', 'nats.password'],
    ['nats.tls.cert-file', 'nats.tls.key-file'],
    ['nats.tls.key-file', 'nats.tls.cert-file'],
  ] as const;
  for (const [key, other] of pairs) {
    const entry = get(key);
    if (isGiven(entry) && !isGiven(get(other)))
      problems.push(refuse(entry, `${key} with ${other}`, `no ${other}`));
  }

  const enabled = get('nats.tls.enabled');
  const wanted =
    settledUrls(urls).some((url) => url.startsWith('tls://')) ||
    ['nats.tls.ca-file', 'nats.tls.cert-file', 'nats.tls.key-file'].some((key) => isGiven(get(key))) ||
    get('nats.tls.handshake-first')?.value === true;
  if (enabled?.value === false && wanted)
    problems.push(refuse(enabled, 'true with a tls:// URL or another nats.tls key'));
  return problems;
}

function settledUrls(urls: Settled | undefined): readonly string[] {
  return (urls?.value ?? []) as readonly string[];
}

/** The different credentials in URLs. */
function signInsOf(urls: readonly string[]): NatsSignIn[] {
  const different = new Map<string, NatsSignIn>();
  for (const url of urls) {
    const signIn = signInOf(url);
    if (signIn) different.set(JSON.stringify(signIn), signIn);
  }
  return [...different.values()];
}

/** The credentials that stand in the URLs of NATS; none gives `{}`. */
export function natsSignIn({ settled }: Settlement): NatsSignIn {
  return signInsOf(settledUrls(settled.get('nats.urls')))[0] ?? {};
}

function checkStorage(get: Get): ConfigProblem[] {
  const password = get('storage.password');
  if (!isGiven(password) || isGiven(get('storage.username'))) return [];
  return [refuse(password, 'storage.password with storage.username', 'no storage.username')];
}

function checkFiles({ settled }: Settlement): ConfigProblem[] {
  return [...settled.values()].flatMap((entry) => {
    if (entry.row.type !== fileType || typeof entry.value !== 'string') return [];
    const read = readText(entry.value);
    return 'text' in read ? [] : [refuse(entry, 'a file that can be read', `${entry.shown} (${read.error})`)];
  });
}

function checkVersions({ settled }: Settlement): ConfigProblem[] {
  const owners = new Map<string, Settled>();
  const problems: ConfigProblem[] = [];
  for (const entry of settled.values()) {
    const [app, version] = entry.names;
    if (version === undefined) continue;
    const owner = owners.get(version);
    if (!owner) owners.set(version, entry);
    else
      problems.push(
        refuse(
          entry,
          'each version in one application',
          `version ${version} in ${app}, and in ${owner.names[0]} at ${owner.valueWhere}`,
        ),
      );
  }
  return problems;
}

function checkTenantManager(get: Get): ConfigProblem[] {
  const enabled = get('kaa.tenant-manager.enabled');
  if (enabled?.value !== true) return [];
  if (get('kaa.security.authentication.enabled')?.value !== true)
    return [
      refuse(
        enabled,
        'true only with kaa.security.authentication.enabled: tenants are known by their tokens',
        'true without authentication',
      ),
    ];
  const key = `kaa.tenants.${SYSTEM_TENANT}`;
  const hasSecret = [`${key}.client-secret`, `${key}.client-secret-file`].some((each) => isGiven(get(each)));
  if (isGiven(get(`${key}.issuer`)) && hasSecret) return [];
  return [
    refuse(
      enabled,
      `true with ${key}.issuer, .client-id and .client-secret: the client of the system tenant that the tenant manager is asked with`,
      `true, and ${isGiven(get(`${key}.issuer`)) ? 'no client secret of' : 'no'} system tenant`,
    ),
  ];
}

function checkTenants({ settled, names }: Settlement, get: Get): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const issuers = new Map<unknown, Settled>();
  for (const tenant of names.get('kaa.tenants') ?? []) {
    const key = `kaa.tenants.${tenant}`;
    const issuer = get(`${key}.issuer`);
    if (!isGiven(issuer)) {
      const where = [...settled.values()].find(
        (each) => each.key.startsWith(`${key}.`) && isGiven(each),
      )?.valueWhere;
      const allowed = `${key}.issuer as it stands in tokens`;
      problems.push(badValue({ key: `${key}.issuer`, where: where ?? key, found: 'nothing', allowed }));
      continue;
    }
    if (!URL.canParse(issuer.value as string)) problems.push(refuse(issuer, 'an http:// or https:// URL'));
    const other = issuers.get(issuer.value);
    if (other)
      problems.push(
        refuse(issuer, 'an issuer of its own', `the issuer of ${other.key} at ${other.valueWhere}`),
      );
    issuers.set(issuer.value, issuer);
    const [secret, secretFile] = [get(`${key}.client-secret`), get(`${key}.client-secret-file`)];
    if (isGiven(secret) && isGiven(secretFile))
      problems.push(refuse(secretFile, 'one of the two', `${secretFile.key} beside ${secret.key}`));
  }
  return problems;
}

/** What this service does in its own name at an auth server needs the secret of its client there. */
function checkClientSecrets({ names }: Settlement, get: Get): ConfigProblem[] {
  const isOn = (key: string): boolean => get(key)?.value === true;
  const keepsResources =
    isOn('kaa.security.authorization.enabled') && isOn('kaa.security.endpoint-resources');
  const asksPeers =
    isOn('kaa.security.authentication.enabled') &&
    get('kaa.epr.credential-management.base-url')?.value !== undefined;
  if (!keepsResources && !asksPeers) return [];
  const why = keepsResources
    ? 'each endpoint is to have a resource at the auth server (kaa.security.endpoint-resources)'
    : 'credential management is asked with a token (kaa.epr.credential-management.base-url)';
  const other = asksPeers ? '' : ', or kaa.security.endpoint-resources: false where roles alone grant';
  return [...(names.get('kaa.tenants') ?? [])].flatMap((tenant) => {
    const key = `kaa.tenants.${tenant}.client-secret`;
    const issuer = get(`kaa.tenants.${tenant}.issuer`);
    if (isGiven(get(key)) || isGiven(get(`${key}-file`)) || !isGiven(issuer)) return [];
    const allowed = `the secret of the client, here or in ${key}-file${other}`;
    return [badValue({ key, where: issuer.valueWhere, found: `nothing, and ${why}`, allowed })];
  });
}
