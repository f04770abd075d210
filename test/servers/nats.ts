import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { startChildServer, type ChildServer } from './child-server.js';
import { fetchedNats, programOnPath, skipWithout } from './installed.js';

export interface NatsOptions {
  /** Turns JetStream on, with its store in a temporary folder of this server. Default: false. */
  jetstream?: boolean;
  /** With `jetstream`: an acknowledged message is flushed to the disk (`sync_interval: always`). Default: false. */
  flushed?: boolean;
  /** Lines for the server's configuration file, e.g. `max_payload: 2MB`. Not for a server given by NATS_URL. */
  config?: string;
}

export interface NatsServer {
  /** For `connect({ servers: url })`. */
  readonly url: string;
  readonly port: number;
  /** False for a server given by NATS_URL: it has no pid, storeDir, stop, kill, restart or configure (they throw). */
  readonly managed: boolean;
  readonly pid: number;
  /** JetStream's folder. */
  readonly storeDir: string;
  /** What the server printed since its start. */
  readonly output: string;
  /** Ends it in order. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Stops it if it runs; starts it on the same port and store. */
  restart(): Promise<void>;
  /** Other lines for its configuration file: in force after `restart`, or a SIGHUP to `pid`. */
  configure(config: string): Promise<void>;
}

/**
 * A nats-server of this test, ended at its teardown; takes about 0.1 s.
 *
 * Looked for in this order: `NATS_URL` (shared: name streams and subjects apart), `nats-server` on the path, what
 * `npm run test:servers` fetched.
 * @returns undefined when there is none; then `t` has been given a skip
 * @throws Error when there is none and EPR_TESTS_REQUIRE_SERVERS is 1, or when it does not start
 */
export async function startNats(t: Test, options: NatsOptions = {}): Promise<NatsServer | undefined> {
  const external = process.env['NATS_URL'];
  if (external) return externalNats(external);
  const program = programOnPath('nats-server') ?? fetchedNats();
  if (program === undefined) return skipWithout(t, 'nats-server');

  const folder = await mkdtemp(join(tmpdir(), 'epr-nats-'));
  const storeDir = join(folder, 'jetstream');
  const portsDir = join(folder, 'ports');
  const configFile = join(folder, 'nats.conf');
  await mkdir(portsDir);
  await writeFile(configFile, configText(storeDir, portsDir, options));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const server = await startChildServer({
    name: 'nats-server',
    command: (port) => ({
      program,
      args: ['--config', configFile, '--addr', '127.0.0.1', '--port', String(port === 0 ? -1 : port)],
    }),
    findPort: (_output, pid) => readPort(join(portsDir, `nats-server_${pid}.ports`)),
  });
  t.teardown(() => server.kill());
  const configure = (config: string) =>
    writeFile(configFile, configText(storeDir, portsDir, { ...options, config }));
  return managedNats(server, storeDir, configure);
}

function configText(storeDir: string, portsDir: string, options: NatsOptions): string {
  const jetstream = `jetstream { store_dir: ${JSON.stringify(storeDir)}, max_memory_store: 256MB, max_file_store: 4GB${options.flushed ? ', sync_interval: always' : ''} }\n`;
  return `ports_file_dir: ${JSON.stringify(portsDir)}\n${options.jetstream ? jetstream : ''}${options.config ?? ''}\n`;
}

/** The server writes this file, named by its pid, when it accepts connections. */
async function readPort(file: string): Promise<number | undefined> {
  try {
    const { nats } = JSON.parse(await readFile(file, 'utf8')) as { nats: string[] };
    const url = nats[0];
    return url === undefined ? undefined : Number(new URL(url).port);
  } catch {
    // Not there yet, or half written.
    return undefined;
  }
}

function managedNats(server: ChildServer, storeDir: string, configure: NatsServer['configure']): NatsServer {
  return {
    url: `nats://127.0.0.1:${server.port}`,
    port: server.port,
    managed: true,
    get pid() {
      return server.pid;
    },
    storeDir,
    get output() {
      return server.output;
    },
    stop: () => server.stop(),
    kill: () => server.kill(),
    restart: () => server.restart(),
    configure,
  };
}

function externalNats(url: string): NatsServer {
  const unsupported = (): never => {
    throw new Error('a server given by NATS_URL is not ours to stop; unset NATS_URL to run this test');
  };
  return {
    url,
    port: Number(new URL(url).port || 4222),
    managed: false,
    get pid() {
      return unsupported();
    },
    get storeDir() {
      return unsupported();
    },
    output: '',
    stop: async () => unsupported(),
    kill: async () => unsupported(),
    restart: async () => unsupported(),
    configure: async () => unsupported(),
  };
}
