import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { MongoClient } from 'mongodb';
import type { Test } from 'tap';
import { startChildServer, type ChildServer, type ServerSpec } from './child-server.js';
import { fetchedMongo, programOnPath, skipWithout, type FetchedMongo } from './installed.js';

export interface MongoOptions {
  /**
   * Data on disk, so that it is there after kill() and restart(). Default: false, in memory, which is quicker.
   * A real mongod always has its data on disk.
   */
  persistent?: boolean;
}

export interface MongoServer {
  /** With a database name that nobody else has. */
  readonly url: string;
  /** `mongod`: the real one. `mongo-java-server`: no pipeline updates, $jsonSchema, sessions, explain. */
  readonly kind: 'external' | 'mongod' | 'mongo-java-server';
  readonly port: number;
  /** False for a server given by MONGODB_URI: it has no pid, stop, kill or restart (they throw). */
  readonly managed: boolean;
  readonly pid: number;
  /** What the server printed since its start. */
  readonly output: string;
  /** The url of one more fresh database on the same server. */
  freshUrl(): string;
  /** Ends it in order. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Stops it if it runs; starts it on the same port and, when persistent, the same data. */
  restart(): Promise<void>;
}

/**
 * A MongoDB server of this test, ended at its teardown; takes about 0.5 s, so share one in a file with freshUrl().
 *
 * Looked for in this order: `MONGODB_URI` (fresh databases are dropped at teardown), `mongod` on the path, what
 * `npm run test:servers` fetched.
 * @returns undefined when there is none; then `t` has been given a skip
 * @throws Error when there is none and EPR_TESTS_REQUIRE_SERVERS is 1, or when it does not start
 */
export async function startMongo(t: Test, options: MongoOptions = {}): Promise<MongoServer | undefined> {
  const external = process.env['MONGODB_URI'];
  if (external) return externalMongo(t, external);
  const mongod = programOnPath('mongod');
  const fetched = mongod === undefined ? fetchedMongo() : undefined;
  if (mongod === undefined && fetched === undefined) return skipWithout(t, 'MongoDB');

  const folder = await mkdtemp(join(tmpdir(), 'epr-mongo-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const spec = mongod === undefined ? javaSpec(fetched!, folder, options) : await mongodSpec(mongod, folder);
  const server = await startChildServer(spec);
  t.teardown(() => server.kill());
  return managedMongo(server, mongod === undefined ? 'mongo-java-server' : 'mongod');
}

function javaSpec(fetched: FetchedMongo, folder: string, options: MongoOptions): ServerSpec {
  const file = options.persistent ? [join(folder, 'data.mv')] : [];
  // Serial: quickest to start, and the tests share few cores. The logger's warning that it has no output is not ours.
  const java = ['-XX:+UseSerialGC', '-Xmx2g', '-Dslf4j.internal.verbosity=ERROR'];
  return {
    name: 'mongo-java-server',
    command: (port) => ({
      program: fetched.java,
      args: [...java, '-cp', fetched.classPath.join(delimiter), fetched.mainClass, String(port), ...file],
    }),
    findPort: async (output) => {
      const ready = /^ready (\d+)$/m.exec(output);
      return ready === null ? undefined : Number(ready[1]);
    },
  };
}

async function mongodSpec(program: string, folder: string): Promise<ServerSpec> {
  const data = join(folder, 'data');
  await mkdir(data);
  // mongod has no "any free port": it is chosen here, and could be taken in between.
  const free = await freePort();
  return {
    name: 'mongod',
    command: () => ({
      program,
      args: ['--dbpath', data, '--bind_ip', '127.0.0.1', '--port', String(free), '--nounixsocket', '--quiet'],
    }),
    findPort: async () => ((await accepts(free)) ? free : undefined),
  };
}

function managedMongo(server: ChildServer, kind: 'mongod' | 'mongo-java-server'): MongoServer {
  const freshUrl = (): string => `mongodb://127.0.0.1:${server.port}/${freshName()}`;
  return {
    url: freshUrl(),
    kind,
    port: server.port,
    managed: true,
    get pid() {
      return server.pid;
    },
    get output() {
      return server.output;
    },
    freshUrl,
    stop: () => server.stop(),
    kill: () => server.kill(),
    restart: () => server.restart(),
  };
}

function externalMongo(t: Test, base: string): MongoServer {
  const names: string[] = [];
  const unsupported = (): never => {
    throw new Error('a server given by MONGODB_URI is not ours to stop; unset MONGODB_URI to run this test');
  };
  const freshUrl = (): string => {
    const name = freshName();
    names.push(name);
    return withDatabase(base, name);
  };
  t.teardown(async () => {
    const client = await new MongoClient(base).connect();
    for (const name of names) await client.db(name).dropDatabase();
    await client.close();
  });
  return {
    url: freshUrl(),
    kind: 'external',
    port: Number(/:(\d+)(?:\/|$)/.exec(base)?.[1] ?? 27017),
    managed: false,
    get pid() {
      return unsupported();
    },
    output: '',
    freshUrl,
    stop: async () => unsupported(),
    kill: async () => unsupported(),
    restart: async () => unsupported(),
  };
}

/** Of one length: the Java server drops every database whose name begins with that of the dropped one. */
function freshName(): string {
  return `epr_test_${randomBytes(6).toString('hex')}`;
}

/** The URI with another database; a URI may name several hosts, which `URL` cannot read. */
function withDatabase(uri: string, name: string): string {
  const parts = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/([^?]*))?(\?.*)?$/.exec(uri);
  if (parts === null) throw new Error(`MONGODB_URI is not a MongoDB URI: ${uri}`);
  const [, hosts, database, query] = parts;
  // Credentials without authSource are checked against the database of the URI: keep that when it changes.
  const options = new URLSearchParams(query ?? '');
  if (database && hosts!.includes('@') && !options.has('authSource')) options.set('authSource', database);
  const text = options.toString();
  return `${hosts}/${name}${text === '' ? '' : `?${text}`}`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
