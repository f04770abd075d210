import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import type { HostedKeycloak } from './keycloak-host.js';
import { fetchedKeycloak, skipWithout } from './installed.js';
import { createKeycloakRealm, type KeycloakRealm } from './keycloak-realm.js';

export type { KeycloakRealm, KeycloakUser, PermissionOf } from './keycloak-realm.js';

export interface Keycloak {
  readonly url: string;
  /** A realm from `deploy/keycloak/realm-kaa.json`, under a name that nobody else has, removed at teardown; about 1 s. */
  realm(): Promise<KeycloakRealm>;
}

/** The file that installations import. From build/test/servers/ back to the sources. */
const REALM_FILE = fileURLToPath(new URL('../../../deploy/keycloak/realm-kaa.json', import.meta.url));
const HOST = fileURLToPath(new URL('./keycloak-host.js', import.meta.url));
const START_LIMIT_MS = 330_000;

/**
 * The Keycloak of this run, shared by all test files: the first that wants it waits some 15 s, the others less than one.
 * What a test changes is in realms of its own. It ends shortly after the last test that used it.
 *
 * Looked for in this order: `KEYCLOAK_URL` (its administrator: `KEYCLOAK_ADMIN`, `KEYCLOAK_ADMIN_PASSWORD`, both `admin`
 * where not set), what `npm run test:servers` fetched.
 * @returns undefined when there is none; then `t` has been given a skip
 * @throws Error when there is none and EPR_TESTS_REQUIRE_SERVERS is 1, or when it does not start
 */
export async function startKeycloak(t: Test): Promise<Keycloak | undefined> {
  const external = process.env['KEYCLOAK_URL'];
  if (external) {
    const { KEYCLOAK_ADMIN: username = 'admin', KEYCLOAK_ADMIN_PASSWORD: password = 'admin' } = process.env;
    return keycloakOf(t, { url: external.replace(/\/+$/, ''), username, password });
  }
  const fetched = fetchedKeycloak();
  if (fetched === undefined) return skipWithout(t, 'Keycloak');
  // of a file that runs by itself: it would not wait that long
  t.setTimeout(Number(process.env['TAP_TIMEOUT'] ?? 0) * 1000 || 2 * START_LIMIT_MS);
  // one for each user and version; the name is short, for a socket's path has some 100 characters
  const folder = join(tmpdir(), `epr-kc-${userInfo().uid}-${fetched.home.split('-').slice(-2).join('-')}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return keycloakOf(t, await joinHost(t, folder));
}

async function joinHost(t: Test, folder: string): Promise<HostedKeycloak> {
  const socketPath = join(folder, 'host');
  const deadlineMs = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadlineMs) {
    const socket = await joined(socketPath);
    const line = socket && (await firstLine(socket));
    if (socket === undefined || line === undefined) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      // on its own: it serves others after this process has ended
      spawn(process.execPath, [HOST, socketPath], { detached: true, stdio: 'ignore' }).unref();
      await sleep(300);
      continue;
    }
    t.teardown(() => socket.destroy());
    const hosted = JSON.parse(line) as HostedKeycloak | { error: string };
    if ('error' in hosted) throw new Error(hosted.error);
    return hosted;
  }
  throw new Error(`Keycloak did not answer within ${START_LIMIT_MS / 1000} s`);
}

async function joined(path: string): Promise<Socket | undefined> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return socket;
  } catch {
    return undefined;
  }
}

/** Undefined: the other side ended before. */
async function firstLine(socket: Socket): Promise<string | undefined> {
  socket.on('error', () => undefined);
  let text = '';
  return new Promise((resolve) => {
    socket.on('data', (data: Buffer) => {
      text += data.toString();
      if (text.includes('\n')) {
        // it alone must not keep a finished test alive
        socket.unref();
        resolve(text);
      }
    });
    socket.on('close', () => resolve(undefined));
  });
}

function keycloakOf(t: Test, hosted: HostedKeycloak): Keycloak {
  const file = readFileSync(REALM_FILE, 'utf8');
  return {
    url: hosted.url,
    realm: () => createKeycloakRealm(t, hosted, file),
  };
}
