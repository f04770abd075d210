/**
 * Holds the one Keycloak of all test files of a run: `node keycloak-host.js <socket>`. Who connects to the socket gets a
 * line of JSON once Keycloak answers, {@link HostedKeycloak} or `{error}`, and uses it for as long as the connection
 * stands, so that a killed test counts as gone. After the last one it waits a while for the next, and ends.
 */
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { startChildServer } from './child-server.js';
import { fetchedKeycloak, type FetchedKeycloak } from './installed.js';

export interface HostedKeycloak {
  url: string;
  username: string;
  password: string;
}

const LINGER_MS = 20_000;
const START_LIMIT_MS = 300_000;
const ADMIN = { username: 'admin', password: 'admin' };

/** All that is written goes below `folder`; the programs are used where they are. */
async function start(fetched: FetchedKeycloak, folder: string): Promise<{ url: string; pid: number }> {
  const home = join(folder, 'home');
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home);
  for (const name of ['lib', 'providers', 'themes', 'conf'])
    symlinkSync(join(fetched.home, name), join(home, name));
  const server = await startChildServer({
    name: 'keycloak',
    startLimitMs: START_LIMIT_MS,
    command: (port) => ({
      program: fetched.java,
      args: [
        // quickest to start: it does not live long enough for a better compiler to pay
        ...[
          '-XX:TieredStopAtLevel=1',
          '-XX:+UseSerialGC',
          '-Xms64m',
          '-Xmx384m',
          '-XX:MaxMetaspaceSize=256m',
        ],
        ...['java.util', 'java.util.concurrent', 'java.security'].map(
          (name) => `--add-opens=java.base/${name}=ALL-UNNAMED`,
        ),
        '-Djava.util.logging.manager=org.jboss.logmanager.LogManager',
        '-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory',
        `-Dkc.home.dir=${home}`,
        `-Djboss.server.config.dir=${join(home, 'conf')}`,
        '-Dpicocli.disable.closures=true',
        ...['-cp', join(fetched.home, 'lib', 'quarkus-run.jar')],
        'io.quarkus.bootstrap.runner.QuarkusEntryPoint',
        ...['start', '--optimized', '--cache=local', '--http-enabled=true', '--http-host=127.0.0.1'],
        ...[`--http-port=${port}`, '--hostname-strict=false'],
      ],
      env: { KC_BOOTSTRAP_ADMIN_USERNAME: ADMIN.username, KC_BOOTSTRAP_ADMIN_PASSWORD: ADMIN.password },
    }),
    findPort: async (output) => {
      const listening = /Listening on: http:\/\/127\.0\.0\.1:(\d+)/.exec(output);
      return listening === null ? undefined : Number(listening[1]);
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, pid: server.pid };
}

async function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    const settle = (does: boolean) => {
      probe.destroy();
      resolve(does);
    };
    probe.once('connect', () => settle(true));
    probe.once('error', () => settle(false));
  });
}

async function main(socket: string): Promise<void> {
  // another one was quicker
  if (await answers(socket)) return;
  const folder = dirname(socket);
  rmSync(socket, { force: true });

  const fetched = fetchedKeycloak();
  if (fetched === undefined) throw new Error('there is no Keycloak in the cache');
  const users = new Set<Socket>();
  let line: string | undefined;
  let keycloak: number | undefined;
  const end = (): never => {
    // first, so that nobody comes any more
    rmSync(socket, { force: true });
    if (keycloak !== undefined)
      try {
        process.kill(keycloak, 'SIGKILL');
      } catch {
        // it has ended
      }
    rmSync(folder, { recursive: true, force: true });
    process.exit();
  };
  let lingering: NodeJS.Timeout | undefined;
  const linger = () => {
    clearTimeout(lingering);
    if (users.size === 0 && line !== undefined) lingering = setTimeout(end, LINGER_MS);
  };

  const server = createServer((user) => {
    users.add(user);
    clearTimeout(lingering);
    user.on('error', () => undefined);
    user.on('close', () => {
      users.delete(user);
      linger();
    });
    user.resume();
    if (line !== undefined) user.write(line);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  try {
    const { url, pid } = await start(fetched, folder);
    keycloak = pid;
    line = `${JSON.stringify({ url, ...ADMIN } satisfies HostedKeycloak)}\n`;
  } catch (error) {
    line = `${JSON.stringify({ error: (error as Error).message })}\n`;
  }
  for (const user of users) user.write(line);
  linger();
}

await main(process.argv[2]!);
