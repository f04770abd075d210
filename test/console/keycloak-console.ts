import type { BrowserContext, Page } from 'playwright-core';
import type { Test } from 'tap';
import { startKeycloak, type KeycloakRealm } from '../servers/index.js';
import { startConsole, type Console } from './harness.js';

export interface SignedConsole {
  console: Console;
  realm: KeycloakRealm;
  /** origin of the auth server */
  authServer: string;
}

/** The password of all users that tests add. */
const PASSWORD = 'secret';

/**
 * A console that asks who is there, and a realm as the realm file has it, whose console client sends browsers back to it.
 * `undefined`: something is not here, and `t` has been given a skip.
 */
export async function startSignedConsole(
  t: Test,
  changed: Record<string, string> = {},
): Promise<SignedConsole | undefined> {
  const keycloak = await startKeycloak(t);
  if (keycloak === undefined) return undefined;
  const realm = await keycloak.realm();
  const author = await realm.addUser('author', ['endpoint-admin']);
  const started = await startConsole(
    t,
    { ...settings(realm), ...changed },
    { allowed: [keycloak.url], token: () => author.token() },
  );
  if (started === undefined) return undefined;
  await comeBackTo(realm, started.url);
  return { console: started, realm, authServer: keycloak.url };
}

/** Of a register whose tenant is the realm. */
export function settings(realm: KeycloakRealm): Record<string, string> {
  return {
    'kaa.security.authentication.enabled': 'true',
    'server.host': '127.0.0.1',
    'kaa.tenants.kaa.issuer': realm.issuer,
    'kaa.tenants.kaa.client-secret': realm.clientSecret,
    'kaa.security.decision-cache': '0s',
    'kaa.applications.demo.versions.demo-v1': '',
  };
}

/** The realm file has relative addresses, below that of the register. */
export async function comeBackTo(realm: KeycloakRealm, url: string): Promise<void> {
  const [client] = await realm.admin<{ id: string }[]>('GET', '/clients?clientId=epr-console');
  await realm.admin('PUT', `/clients/${client!.id}`, { ...client, rootUrl: url });
}

/** Fills in the form of the auth server. */
export async function enterPassword(page: Page, user: string): Promise<void> {
  await page.getByLabel('Username or email').fill(user);
  await page.locator('input[type=password]').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign In' }).click();
}

/** Everything that browsers keep of the origin, and everything that was asked for by address. */
export function watchSecrets(context: BrowserContext): { addresses: string[] } {
  const addresses: string[] = [];
  context.on('request', (request) => addresses.push(request.url()));
  return { addresses };
}

/** What a page could leave to others. */
export async function kept(
  page: Page,
): Promise<{ local: Record<string, string>; session: string; cookies: string }> {
  return page.evaluate(
    `({ local: { ...localStorage }, session: JSON.stringify({ ...sessionStorage }), cookies: document.cookie })`,
  );
}

/** Of every JWT. */
export const TOKEN = /eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\./;
