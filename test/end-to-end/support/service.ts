import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { startChildServer } from '../../servers/child-server.js';
import { createRest, type Rest } from './rest.js';

export interface ServiceOptions {
  /** absent: no broker */
  natsUrl?: string;
  /** absent: the embedded store, in a folder of this service */
  storageUrl?: string;
  /** lines of the configuration file */
  config: string;
  /** by key, beside the file's */
  settings?: Readonly<Record<string, string>>;
}

/** The service as a process of its own, as `epr serve` runs it. */
export interface Service {
  rest: Rest;
  /** a fresh number: the port of health and metrics changes with each start */
  managementUrl(): string;
  /** of the running process, or of the last one */
  pid(): number;
  /** what it has printed since its start */
  output(): string;
  /** SIGSTOP or SIGCONT */
  signal(name: NodeJS.Signals): void;
  /** SIGKILL, and wait for the end */
  kill(): Promise<void>;
  /** SIGTERM, and wait for the end */
  stop(): Promise<void>;
  /** on the same port and data */
  restart(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('../../../src/main.js', import.meta.url));

export const WEATHER_CONFIG = `
kaa:
  applications:
    weather: { versions: { weather-v1: , weather-v2: , weather-v3: } }
logging: { format: json }
`;

export async function startService(
  t: Test,
  { natsUrl, storageUrl, config, settings: given }: ServiceOptions,
): Promise<Service> {
  const folder = mkdtempSync(join(tmpdir(), 'epr-end-to-end-'));
  const configFile = join(folder, 'epr.yml');
  writeFileSync(configFile, config);
  const port = await quietPort();
  const settings = {
    'storage.url': storageUrl ?? `file:${join(folder, 'data')}`,
    ...(natsUrl === undefined ? {} : { 'nats.urls': natsUrl }),
    'management.port': '0',
    ...given,
  };
  const child = await startChildServer({
    name: 'the endpoint register',
    command: () => ({
      program: process.execPath,
      args: [
        '--enable-source-maps',
        ...[MAIN, 'serve', '--config', configFile, '--port', String(port)],
        ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
      ],
    }),
    findPort: async (output) => {
      const found = readAddresses(output);
      return found === undefined ? undefined : Number(new URL(found.url).port);
    },
  });
  let managementUrl = readAddresses(child.output)!.managementUrl;
  const rest = createRest(`http://127.0.0.1:${child.port}`);
  // the last to be added is the first to be done
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  t.teardown(() => child.kill());
  t.teardown(() => rest.close());
  t.teardown(() => {
    if (!t.passing()) t.comment(`the service said at last:\n${child.output.slice(-4000)}`);
  });
  return {
    rest,
    managementUrl: () => managementUrl,
    pid: () => child.pid,
    output: () => child.output,
    signal: (name) => process.kill(child.pid, name),
    kill: () => child.kill(),
    stop: () => child.stop(),
    async restart() {
      await child.restart();
      managementUrl = readAddresses(child.output)!.managementUrl;
    },
  };
}

/** From the log line that says that it is ready. */
function readAddresses(output: string): { url: string; managementUrl: string } | undefined {
  for (const line of output.split('\n').slice(0, -1)) {
    if (!line.includes('"managementUrl"')) continue;
    return JSON.parse(line) as { url: string; managementUrl: string };
  }
  return undefined;
}

/**
 * A free port from below the range of those that systems give to outgoing connections: one from within it may be taken
 * by anybody's connection while the service is away.
 */
async function quietPort(): Promise<number> {
  for (;;) {
    const port = randomInt(12_000, 30_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}
