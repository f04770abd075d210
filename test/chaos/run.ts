import { connect } from 'nats';
import type { Test } from 'tap';
import { createRest } from '../end-to-end/support/rest.js';
import { startService } from '../end-to-end/support/service.js';
import { randomOf } from '../filters/fuzz/random.js';
import { createClient } from '../messaging/served-support.js';
import { startMongo, startNats } from '../servers/index.js';
import { createApi } from './api.js';
import { type Verdict, judge } from './judge.js';
import { createFilterChanges } from './filter-changes.js';
import { runLane, type Step } from './lanes.js';
import { createLedger } from './ledger.js';
import { type ConnectedWriter, createConnectedWriter, makeConnectedStream } from './connected-writer.js';
import { batchUpdateStep, keyUpdateStep } from './nats-writers.js';
import { createNemesis, type NemesisPlan, type Target, type TargetName } from './nemesis.js';
import { patchStep, putStep, visitorStep } from './rest-writers.js';
import { untilQuiet } from './quiet.js';

export interface ChaosPlan extends NemesisPlan {
  seed: number;
  keeper: 'embedded' | 'mongodb';
  endpoints: number;
  filters: number;
  /** longest pause between two writes of a lane, and between two changes of filters */
  writeMs: number;
  filterMs: number;
}

export interface ChaosOutcome extends Verdict {
  seconds: number;
  kills: ReadonlyMap<TargetName, number>;
  pauses: ReadonlyMap<TargetName, number>;
}

/** What a run tells while it goes on. */
export interface ChaosListener {
  tell(text: string): void;
  /** what the service has said, before it is killed and at the end */
  said(output: string): void;
}

const VERSIONS = 1000;
const VERSION = { nameOf: (number: number) => `weather-c${number}`, most: VERSIONS };
const LANES_OF_EACH = 2;
const REQUEST_TIMEOUT_MS = 2000;

/**
 * Writers on every way in, filters that come, change and go, and a nemesis over all processes; then everything is
 * counted. Undefined: a server is not installed; `t` was told.
 */
export async function runChaos(
  t: Test,
  plan: ChaosPlan,
  listener: ChaosListener,
): Promise<ChaosOutcome | undefined> {
  const startedMs = performance.now();
  const broker = await startNats(t, { jetstream: true, flushed: true });
  const database = plan.keeper === 'mongodb' ? await startMongo(t, { persistent: true }) : undefined;
  if (broker === undefined || (plan.keeper === 'mongodb' && database === undefined)) return undefined;
  const service = await startService(t, {
    natsUrl: broker.url,
    config: CONFIG,
    ...(database === undefined ? {} : { storageUrl: database.url }),
  });
  const connection = await connect({
    servers: broker.url,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    reconnectJitter: 50,
  });
  t.teardown(() => connection.close());
  const manager = await connection.jetstreamManager();
  await makeConnectedStream(manager);
  await manager.streams.add({ name: DEAD_STREAM, subjects: ['kaa.v1.dead-letter.epr.>'] });

  const { url } = service.rest;
  const api = createApi(url);
  t.teardown(() => api.close());
  const random = (salt: number) => randomOf(plan.seed * 100 + salt);
  const ids = Array.from({ length: plan.endpoints }, (_, i) => `e${i}`);
  const visitors = Array.from({ length: Math.ceil(plan.endpoints / 4) }, (_, i) => `v${i}`);
  await service.rest.registerFleet(
    ids.map((endpointId, i) => ({
      endpointId,
      appVersion: { name: VERSION.nameOf(0) },
      metadata: { temp: i % 40 },
    })),
  );

  const ledger = createLedger();
  const client = createClient(connection, REQUEST_TIMEOUT_MS);
  const steps: Step[] = [];
  const connected: ConnectedWriter[] = [];
  for (let lane = 0; lane < LANES_OF_EACH; lane++) {
    const chains = (kind: Parameters<typeof ledger.chain>[0], key: string, of = ids) =>
      of.map((endpointId) => ledger.chain(kind, endpointId, `${key}${lane}`));
    // endpoints of their own: a version is written by one
    const own = (_: string, i: number) => i % LANES_OF_EACH === lane;
    const versions = ids.filter(own).map((endpointId) => ledger.chain('connected', endpointId, 'version'));
    const salt = lane * 10;
    const writer = createConnectedWriter({
      jetstream: connection.jetstream(),
      manager,
      chains: versions,
      versions: VERSION,
      random: random(salt + 4),
    });
    connected.push(writer);
    steps.push(
      putStep(api, chains('PUT', 'put'), random(salt)),
      patchStep(api, chains('PATCH', 'patch'), random(salt + 1)),
      keyUpdateStep(client, chains('key update', 'nats'), random(salt + 2)),
      batchUpdateStep(client, chains('batch update', 'batch'), random(salt + 3)),
      writer.step,
      visitorStep(api, ledger, visitors.filter(own), VERSION.nameOf(0), random(salt + 5)),
    );
  }
  const filters = createFilterChanges({
    api,
    random: random(90),
    endpointIds: [...ids, ...visitors],
    keys: ['put0', 'put1', 'patch0', 'nats0', 'nats1', 'batch0'],
    mostAlive: 10,
    mostMade: plan.filters,
    pauseMs: plan.filterMs,
  });

  const targets: Target[] = [
    {
      name: 'service',
      pid: () => service.pid(),
      restart: () => service.restart(),
      kill: () => {
        listener.said(service.output());
        return service.kill();
      },
    },
    { name: 'broker', pid: () => broker.pid, kill: () => broker.kill(), restart: () => broker.restart() },
  ];
  if (database !== undefined)
    targets.push({
      name: 'database',
      pid: () => database.pid,
      kill: () => database.kill(),
      restart: () => database.restart(),
    });
  let acknowledged = 0;
  const nemesis = createNemesis({
    targets,
    random: random(91),
    acknowledged: () => acknowledged,
    tell: (text) => listener.tell(text),
  });

  const stop = new AbortController();
  const { signal: stopping } = stop;
  const onAcknowledged = () => void acknowledged++;
  const lanes = steps.map((step, i) =>
    runLane(step, { random: random(60 + i), mostMs: plan.writeMs, onAcknowledged, stopping }),
  );
  const work = Promise.all([...lanes, filters.run(stopping)]);
  // a writer that fails ends the run at once
  await Promise.race([nemesis.run(plan), work]);
  stop.abort();
  await work;
  listener.tell('no more faults and writes');
  await untilQuiet(service, connected);
  listener.tell('all is consumed and published');
  listener.said(service.output());

  const rest = createRest(url);
  t.teardown(() => rest.close());
  const verdict = await judge({
    rest,
    connection,
    ledger,
    filters: filters.made,
    versions: VERSION,
    deadStream: DEAD_STREAM,
  });
  return {
    ...verdict,
    seconds: Math.round((performance.now() - startedMs) / 1000),
    kills: nemesis.kills(),
    pauses: nemesis.pauses(),
  };
}

const DEAD_STREAM = 'dead_letters';

const CONFIG = `
kaa:
  epr: { events: { metadata-on-registration: true }, connectivity-metadata: true }
  applications:
    weather: { versions: { ${Array.from({ length: VERSIONS + 1 }, (_, number) => `${VERSION.nameOf(number)}: `).join(', ')} } }
nats: { jetstream: { events-stream: epr_events, sync-always: true } }
logging: { format: json }
`;
