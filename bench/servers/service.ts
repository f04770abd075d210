import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { JsonObject } from '../../src/model/json.js';
import { killAndWait } from '../children.js';
import type { Surroundings } from '../contest.js';
import { APPLICATION, type Station, VERSIONS } from '../fleet.js';
import { ask, askJson } from './rest.js';
import { type MoreFilters, saveFilters, saveMore } from './saved-filters.js';

/** The service as it is delivered, in a process of its own, with the fleet registered and its 24 filters active. */
export interface Service {
  readonly url: string;
  readonly pid: number;
  /** Waits until all events are published; answers how long that took. */
  settle(): Promise<number>;
  /** SIGKILL (with profiles: an orderly stop), and a new start on the same data. */
  killAndRestart(): Promise<void>;
  /** Metadata and version of every endpoint, from the list of endpoints. */
  readAll(): Promise<Map<string, { metadata: JsonObject; version: string }>>;
}

export interface ServiceSetup {
  storageUrl: string;
  /** absent: no broker; its events reach those who watch live, here nobody */
  natsUrl?: string;
  /** names its profiles */
  name: string;
  /** further settings */
  settings?: Readonly<Record<string, string>>;
  /** saved beside the 24 filters, when the fleet is there */
  more?: MoreFilters;
}

export interface ServiceProcess {
  child: ChildProcess;
  url: string;
  managementUrl: string;
}

const REGISTER_AT_ONCE = 1000;
const POLL_MS = 10;

export async function startService(setup: ServiceSetup, surroundings: Surroundings): Promise<Service> {
  const { folder, profileFolder, fleet, tell, teardown } = surroundings;
  const cwd = `${folder}/${setup.name}`;
  await mkdir(cwd, { recursive: true });
  let running = await launch(setup, cwd, profileFolder);
  // An orderly stop, if it is to write its profiles.
  const signal = profileFolder === undefined ? 'SIGKILL' : 'SIGTERM';
  teardown(() => killAndWait(running.child, signal));
  const startedMs = performance.now();
  // Filters first: then each registration is evaluated against them, and nothing has to be recalculated.
  await saveFilters(running.url);
  await registerFleet(running.url, fleet);
  const settleAll = () => (setup.natsUrl === undefined ? Promise.resolve(0) : settle(running.managementUrl));
  await settleAll();
  tell(
    `  ready    ${setup.name}: ${fleet.length} endpoints registered, 24 filters active, all events out after ${secondsSince(startedMs)} s`,
  );
  if (setup.more !== undefined) {
    await saveMore(running.url, running.child.pid ?? -1, setup.more, (line) =>
      tell(`  ready    ${setup.name}: ${line}`),
    );
    await settleAll();
  }
  return {
    get url() {
      return running.url;
    },
    get pid() {
      return running.child.pid ?? -1;
    },
    settle: settleAll,
    async killAndRestart() {
      await killAndWait(running.child, signal);
      const killedMs = performance.now();
      running = await launch(setup, cwd, undefined);
      if (setup.more !== undefined)
        tell(`  restart  ${setup.name}: ready ${secondsSince(killedMs)} s after SIGKILL`);
    },
    readAll: () => readAll(running.url),
  };
}

function secondsSince(startedMs: number): string {
  return ((performance.now() - startedMs) / 1000).toFixed(1);
}

/** On data as they are. */
export async function launch(
  setup: ServiceSetup,
  cwd: string,
  profileFolder: string | undefined,
): Promise<ServiceProcess> {
  const settings: Record<string, string> = {
    'server.port': '0',
    'management.port': '0',
    'logging.format': 'json',
    'storage.url': setup.storageUrl,
    ...(setup.more === undefined ? {} : { 'limits.filters-per-application': '1000000' }),
    ...(setup.natsUrl === undefined ? {} : { 'nats.urls': setup.natsUrl }),
    ...setup.settings,
    ...Object.fromEntries(VERSIONS.map((name) => [`kaa.applications.${APPLICATION}.versions.${name}`, ''])),
  };
  const child = spawn(
    process.execPath,
    [
      ...(profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}/${setup.name}`]),
      fileURLToPath(new URL('../../src/main.js', import.meta.url)),
      'serve',
      ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    ],
    // Nothing of this environment is a setting of the service.
    {
      cwd,
      env: { PATH: process.env['PATH'], EPR_STOP_WITH_PARENT: '1' },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    },
  );
  const ready = new Promise<ServiceProcess>((resolve) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const { url, managementUrl, level, msg } = parseLine(line);
      if (typeof url === 'string' && typeof managementUrl === 'string')
        resolve({ child, url, managementUrl });
      else if (level === 'error' || level === 'fatal' || level === 'warn')
        process.stderr.write(`  service: ${String(msg)}\n`);
    });
  });
  const ended = once(child, 'exit').then((): never => {
    throw new Error('the service did not start');
  });
  ended.catch(() => undefined);
  return Promise.race([ready, ended]);
}

function parseLine(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return { level: 'error', msg: line };
  }
}

async function registerFleet(url: string, fleet: readonly Station[]): Promise<void> {
  for (let i = 0; i < fleet.length; i += REGISTER_AT_ONCE) {
    const body = { appVersion: { name: VERSIONS[0] }, endpoints: fleet.slice(i, i + REGISTER_AT_ONCE) };
    const accepted = await ask(`${url}/api/v1/endpoints/batch`, body);
    const status = accepted.headers.get('location')!;
    for (;;) {
      const { createdCount, failedCount } = await askJson<{ createdCount: number; failedCount: number }>(
        status,
      );
      if (failedCount > 0) throw new Error(`${failedCount} endpoints were not registered`);
      if (createdCount === body.endpoints.length) break;
      await sleep(POLL_MS);
    }
  }
}

async function settle(managementUrl: string): Promise<number> {
  const startedMs = performance.now();
  for (;;) {
    const text = await (await fetch(`${managementUrl}/metrics`)).text();
    const backlog = /^epr_outbox_backlog (\d+)/m.exec(text)?.[1];
    if (backlog === undefined) throw new Error('the service does not tell epr_outbox_backlog');
    if (backlog === '0') return performance.now() - startedMs;
    await sleep(POLL_MS);
  }
}

async function readAll(url: string): Promise<Map<string, { metadata: JsonObject; version: string }>> {
  interface Page {
    content: { endpointId: string; metadata: JsonObject; appVersion: { name: string } }[];
    nextCursor?: string;
  }
  const found = new Map<string, { metadata: JsonObject; version: string }>();
  let cursor = '';
  for (;;) {
    const page = await askJson<Page>(`${url}/api/v1/endpoints?include=metadata&limit=1000${cursor}`);
    for (const { endpointId, metadata, appVersion } of page.content)
      found.set(endpointId, { metadata, version: appVersion.name });
    if (page.nextCursor === undefined) return found;
    cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
  }
}
