import { randomBytes } from 'node:crypto';
import type { Test } from 'tap';
import type { HostedKeycloak } from './keycloak-host.js';

export interface KeycloakUser {
  id: string;
  name: string;
  /** Signs in anew; answers an access token. */
  token(): Promise<string>;
}

/** Who may do what, beyond what the realm file says. */
export interface PermissionOf {
  resources: readonly string[];
  scopes: readonly string[];
  users: readonly KeycloakUser[];
}

export interface KeycloakRealm {
  readonly name: string;
  readonly issuer: string;
  /** the register's client, with its secret */
  readonly clientId: string;
  readonly clientSecret: string;
  addUser(name: string, realmRoles?: readonly string[]): Promise<KeycloakUser>;
  giveRole(user: KeycloakUser, role: string): Promise<void>;
  takeRole(user: KeycloakUser, role: string): Promise<void>;
  /** A resource as another service would have it, such as `application-<name>`; of the type before the `-`. */
  addResource(name: string, scopes: readonly string[]): Promise<void>;
  removeResource(name: string): Promise<void>;
  /** Names of all resources that begin so, in order. */
  resources(prefix: string): Promise<string[]>;
  /** As the auth server has it. */
  resource(name: string): Promise<Record<string, unknown> | undefined>;
  /** Answers the function that takes it back. */
  permit(permission: PermissionOf): Promise<() => Promise<void>>;
  /** A token of the user with permissions in it: those of `resource#scope`. */
  rpt(token: string, permissions: readonly string[]): Promise<string>;
  /** New tokens are signed with a new key from now on; the old ones stay in the key set, until `onlyThis`. */
  addKey(): Promise<{ onlyThis(): Promise<void> }>;
  /** New tokens are signed with a new key from now on; the old ones are no more in the key set. */
  replaceKeys(): Promise<void>;
  /** How long access tokens last that are issued from now on. */
  tokensLast(seconds: number): Promise<void>;
  /** The realm's administration: `path` is below `/admin/realms/<name>`. Throws what it refuses. */
  admin<T = unknown>(method: string, path: string, body?: unknown): Promise<T>;
  /** The token endpoint's answer. Throws what it refuses. */
  askToken(
    form: Record<string, string> | [string, string][],
    bearer?: string,
  ): Promise<{ access_token: string }>;
}

const PASSWORD = 'secret';
/** A client of tests only: users sign in by their passwords. */
const TEST_CLIENT = 'tests';

export async function createKeycloakRealm(
  t: Test,
  { url, username, password }: HostedKeycloak,
  file: string,
): Promise<KeycloakRealm> {
  const name = `kaa-${randomBytes(6).toString('hex')}`;
  const clientSecret = randomBytes(12).toString('hex');
  const issuer = `${url}/realms/${name}`;

  let adminToken = { token: '', untilMs: 0 };
  async function adminBearer(): Promise<string> {
    if (adminToken.untilMs < Date.now()) {
      const form = { grant_type: 'password', client_id: 'admin-cli', username, password };
      const { access_token: token } = await askTokenAt(`${url}/realms/master`, form);
      adminToken = { token, untilMs: Date.now() + 30_000 };
    }
    return adminToken.token;
  }
  async function manage<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(`${url}/admin/realms${path}`, {
      method,
      headers: { authorization: `Bearer ${await adminBearer()}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
  const admin = <T>(method: string, path: string, body?: unknown) =>
    manage<T>(method, `/${name}${path}`, body);

  // what Keycloak does with the variables of a file that it imports at its start
  const text = file.replace(/\$\{(\w+)(?::([^}]*))?\}/g, (_all, variable: string, standard = '') =>
    variable === 'EPR_CLIENT_SECRET' ? clientSecret : (standard as string),
  );
  const realm = JSON.parse(text) as { realm: string; clients: unknown[] };
  realm.realm = name;
  realm.clients.push({
    clientId: TEST_CLIENT,
    publicClient: true,
    standardFlowEnabled: false,
    directAccessGrantsEnabled: true,
    protocolMappers: [
      {
        name: 'audience epr',
        protocol: 'openid-connect',
        protocolMapper: 'oidc-audience-mapper',
        config: { 'included.client.audience': 'epr', 'access.token.claim': 'true' },
      },
    ],
  });
  await manage('POST', '', realm);
  t.teardown(async () => manage('DELETE', `/${name}`));
  const [client] = await admin<{ id: string }[]>('GET', '/clients?clientId=epr');
  const authz = `/clients/${client!.id}/authz/resource-server`;
  const roleOf = (role: string) => admin<{ id: string }>('GET', `/roles/${role}`);

  const giveRole: KeycloakRealm['giveRole'] = async ({ id }, role) => {
    await admin('POST', `/users/${id}/role-mappings/realm`, [await roleOf(role)]);
  };

  const addKey: KeycloakRealm['addKey'] = async () => {
    const before = await admin<{ id: string; providerId: string; config: { priority?: string[] } }[]>(
      'GET',
      '/components?type=org.keycloak.keys.KeyProvider',
    );
    const own = before.filter(({ providerId }) => providerId === 'rsa-generated');
    const priorities = own.map(({ config }) => Number(config.priority?.[0] ?? 0));
    const { id: parentId } = await admin<{ id: string }>('GET', '');
    await admin('POST', '/components', {
      name: `rsa-${randomBytes(4).toString('hex')}`,
      providerId: 'rsa-generated',
      providerType: 'org.keycloak.keys.KeyProvider',
      parentId,
      config: { priority: [String(Math.max(100, ...priorities) + 100)] },
    });
    return {
      async onlyThis() {
        for (const { id } of own) await admin('DELETE', `/components/${id}`);
      },
    };
  };

  return {
    name,
    issuer,
    clientId: 'epr',
    clientSecret,
    admin,
    askToken: (form, bearer) => askTokenAt(issuer, form, bearer),
    async addUser(user, realmRoles = []) {
      await admin('POST', '/users', {
        username: user,
        email: `${user}@example.org`,
        firstName: user,
        lastName: user,
        emailVerified: true,
        enabled: true,
        credentials: [{ type: 'password', value: PASSWORD, temporary: false }],
      });
      const [{ id }] = await admin<[{ id: string }]>('GET', `/users?username=${user}&exact=true`);
      const added: KeycloakUser = {
        id,
        name: user,
        async token() {
          const form = { grant_type: 'password', client_id: TEST_CLIENT, username: user, password: PASSWORD };
          return (await askTokenAt(issuer, form)).access_token;
        },
      };
      for (const role of realmRoles) await giveRole(added, role);
      return added;
    },
    giveRole,
    async takeRole({ id }, role) {
      await admin('DELETE', `/users/${id}/role-mappings/realm`, [await roleOf(role)]);
    },
    async addResource(resource, scopes) {
      const type = resource.split('-')[0];
      await admin('POST', `${authz}/resource`, {
        name: resource,
        type,
        scopes: scopes.map((scope) => ({ name: scope })),
      });
    },
    async removeResource(resource) {
      const found = await admin<{ _id: string }[]>(
        'GET',
        `${authz}/resource?name=${resource}&exactName=true&deep=false`,
      );
      for (const { _id } of found) await admin('DELETE', `${authz}/resource/${_id}`);
    },
    async resources(prefix) {
      const found = await admin<{ name: string }[]>(
        'GET',
        `${authz}/resource?name=${prefix}&max=100000&deep=false`,
      );
      return found
        .map((resource) => resource.name)
        .filter((resource) => resource.startsWith(prefix))
        .sort();
    },
    async resource(wanted) {
      const found = await admin<Record<string, unknown>[]>(
        'GET',
        `${authz}/resource?name=${wanted}&exactName=true&deep=true`,
      );
      return found[0];
    },
    async permit({ resources, scopes, users }) {
      const id = randomBytes(4).toString('hex');
      const policy = await admin<{ id: string }>('POST', `${authz}/policy/user`, {
        name: `users ${id}`,
        users: users.map((user) => user.id),
      });
      await admin('POST', `${authz}/permission/scope`, {
        name: `permission ${id}`,
        resources,
        scopes,
        policies: [policy.id],
      });
      return () => admin('DELETE', `${authz}/policy/${policy.id}`);
    },
    async rpt(token, permissions) {
      const form: [string, string][] = [
        ['grant_type', 'urn:ietf:params:oauth:grant-type:uma-ticket'],
        ['audience', 'epr'],
        ...permissions.map((permission): [string, string] => ['permission', permission]),
      ];
      return (await askTokenAt(issuer, form, token)).access_token;
    },
    addKey,
    async replaceKeys() {
      await (await addKey()).onlyThis();
    },
    async tokensLast(seconds) {
      await admin('PUT', '', { realm: name, accessTokenLifespan: seconds });
    },
  };
}

async function askTokenAt(
  issuer: string,
  form: Record<string, string> | [string, string][],
  bearer?: string,
): Promise<{ access_token: string }> {
  const answer = await fetch(`${issuer}/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams(form),
    headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`token endpoint: ${answer.status} ${text}`);
  return JSON.parse(text) as { access_token: string };
}
