import { createHash } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

/** What `npm run test:servers` left in `servers.json`. */
interface Manifest {
  nats?: { program: string };
  mongo?: { java: string; classPath: string[]; mainClass: string; sourceHash: string };
  schemathesis?: PythonPackages;
  fastavro?: PythonPackages;
  keycloak?: { java: string; home: string };
}

interface PythonPackages {
  python: string;
  packages: string;
}

export type FetchedMongo = NonNullable<Manifest['mongo']>;
export type FetchedKeycloak = NonNullable<Manifest['keycloak']>;

/** The program of that name on the path; a script is passed over unless wanted, for its pid need not be the server's. */
export function programOnPath(name: string, { scripts = false } = {}): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = join(folder, name);
    if (folder !== '' && isExecutableFile(file) && (scripts || !isScript(file))) return file;
  }
  return undefined;
}

/** The nats-server that was fetched, when it is there. */
export function fetchedNats(): string | undefined {
  const program = readManifest().nats?.program;
  return program !== undefined && isExecutableFile(program) ? program : undefined;
}

/** The MongoDB test server that was fetched, when it is there and made from the Java sources of this tree. */
export function fetchedMongo(): FetchedMongo | undefined {
  const mongo = readManifest().mongo;
  return mongo !== undefined && mongo.sourceHash === hashSources() ? mongo : undefined;
}

/** The Keycloak that was fetched, when it is there. */
export function fetchedKeycloak(): FetchedKeycloak | undefined {
  const keycloak = readManifest().keycloak;
  return keycloak !== undefined && existsSync(join(keycloak.home, 'lib')) ? keycloak : undefined;
}

/** Packages of Python that were fetched, when they are there. */
export const fetchedSchemathesis = () => fetchedPackages('schemathesis');
export const fetchedFastavro = () => fetchedPackages('fastavro');

function fetchedPackages(name: 'schemathesis' | 'fastavro'): PythonPackages | undefined {
  const found = readManifest()[name];
  return found !== undefined && isExecutableFile(found.python) ? found : undefined;
}

/**
 * Marks the test as skipped, in one line that says how to get the server.
 * @throws Error instead when EPR_TESTS_REQUIRE_SERVERS is 1, as in continuous integration
 */
export function skipWithout(t: Test, server: string, remedy = 'run: npm run test:servers'): undefined {
  const reason = `no ${server} here; ${remedy}`;
  if (process.env['EPR_TESTS_REQUIRE_SERVERS'] === '1')
    throw new Error(`EPR_TESTS_REQUIRE_SERVERS=1, but ${reason}`);
  t.pass(server, { skip: reason });
  return undefined;
}

function readManifest(): Manifest {
  const cache = process.env['EPR_TEST_CACHE'] || join(homedir(), '.cache', 'epr-test-servers');
  try {
    return JSON.parse(readFileSync(join(cache, 'servers.json'), 'utf8')) as Manifest;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

/** As in scripts/fetch-servers.mjs: names and contents of the sources, in the order of their names. */
function hashSources(): string {
  // From build/test/servers/ back to the sources, which the compiler does not copy.
  const folder = fileURLToPath(new URL('../../../test/servers/java/', import.meta.url));
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.java'))
    .sort();
  const hash = createHash('sha256');
  for (const name of names)
    hash
      .update(name)
      .update('\0')
      .update(readFileSync(join(folder, name)));
  return hash.digest('hex').slice(0, 16);
}

function isExecutableFile(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function isScript(file: string): boolean {
  const descriptor = openSync(file, 'r');
  try {
    const start = Buffer.alloc(2);
    readSync(descriptor, start, 0, 2, 0);
    return start.toString() === '#!';
  } finally {
    closeSync(descriptor);
  }
}
