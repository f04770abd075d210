import { connect } from 'nats';
import type { Test } from 'tap';
import { createRest } from '../end-to-end/support/rest.js';
import { randomOf } from '../filters/fuzz/random.js';
import { createClient } from '../messaging/served-support.js';
import { startMongo, startNats } from '../servers/index.js';
import { createApi } from './api.js';
import { type Verdict, judge } from './judge.js';
import { createFilterChanges } from './filter-changes.js';
import { runLane } from './lanes.js';
import { createLedger } from './ledger.js';
import { makeConnectivityStream } from './connectivity-writer.js';
import { createNemesis, type Nemesis, type NemesisPlan, type Target } from './nemesis.js';
import { untilQuiet } from './quiet.js';
import { startRegisters, targetsOf } from './registers.js';
import { registerAll } from './rest-writers.js';
import { createWriters } from './writers.js';

export interface ChaosPlan extends NemesisPlan {
  seed: number;
  keeper: 'embedded' | 'mongodb';
  /** processes of the register; more than one only with MongoDB */
  registers: number;
  endpoints: number;
  filters: number;
  /** longest pause between two writes of a lane, and between two changes of filters */
  writeMs: number;
  filterMs: number;
}

export interface ChaosOutcome extends Verdict {
  seconds: number;
  kills: ReadonlyMap<string, number>;
  pauses: ReadonlyMap<string, number>;
}

/** What a run tells while it goes on. */
export interface ChaosListener {
  tell(text: string): void;
  /** what a register has said, before it is killed and at the end */
  said(output: string, register: number): void;
}

const VERSIONS = 1000;
const VERSION = { nameOf: (number: number) => `weather-c${number}`, most: VERSIONS };
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
  const connection = await connect({
    servers: broker.url,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    reconnectJitter: 50,
  });
  t.teardown(() => connection.close());
  const manager = await connection.jetstreamManager();
  // before a register makes a consumer of its own
  await makeConnectivityStream(manager);
  await manager.streams.add({ name: DEAD_STREAM, subjects: ['kaa.v1.dead-letter.epr.>'] });
  const services = await startRegisters(t, {
    count: plan.registers,
    natsUrl: broker.url,
    storageUrl: database?.url,
    config: CONFIG,
    leaseMs: plan.leaseMs,
  });

  const urls = services.map(({ rest }) => rest.url);
  let nemesis: Nemesis | undefined;
  const api = createApi(urls, (register) => nemesis?.isHeld(register) === true);
  t.teardown(() => api.close());
  const random = (salt: number) => randomOf(plan.seed * 100 + salt);
  const ids = Array.from({ length: plan.endpoints }, (_, i) => `e${i}`);
  const visitors = Array.from({ length: Math.ceil(plan.endpoints / 4) }, (_, i) => `v${i}`);
  await registerAll(api, ids, VERSION.nameOf(0));

  const ledger = createLedger();
  const { steps, connectivity } = createWriters({
    ledger,
    api,
    client: createClient(connection, REQUEST_TIMEOUT_MS),
    jetstream: connection.jetstream(),
    manager,
    ids,
    visitors,
    versions: VERSION,
    requestsMayComeLate: services.length > 1,
    random,
  });
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
    ...targetsOf(services, (output, register) => listener.said(output, register)),
    {
      name: 'broker',
      diesInStart: false,
      pid: () => broker.pid,
      kill: () => broker.kill(),
      restart: () => broker.restart(),
    },
  ];
  if (database !== undefined)
    targets.push({
      name: 'database',
      diesInStart: false,
      pid: () => database.pid,
      kill: () => database.kill(),
      restart: () => database.restart(),
    });
  let acknowledged = 0;
  const faults = (nemesis = createNemesis({
    targets,
    random: random(91),
    holdRandom: random(92),
    isChanging: () => filters.isChanging(),
    acknowledged: () => acknowledged,
    tell: (text) => listener.tell(text),
  }));

  const stop = new AbortController();
  const { signal: stopping } = stop;
  const onAcknowledged = () => void acknowledged++;
  const lanes = steps.map((step, i) =>
    runLane(step, { random: random(60 + i), mostMs: plan.writeMs, onAcknowledged, stopping }),
  );
  const work = Promise.all([...lanes, filters.run(stopping)]);
  // a writer that fails ends the run at once
  await Promise.race([faults.run(plan), work]);
  stop.abort();
  await work;
  listener.tell('no more faults and writes');
  await untilQuiet(services, connectivity);
  listener.tell('all is consumed and published');
  services.forEach((service, i) => listener.said(service.output(), i + 1));

  const rests = urls.map((url) => createRest(url));
  t.teardown(() => rests.forEach((rest) => rest.close()));
  const verdict = await judge({
    rests,
    connection,
    ledger,
    filters: filters.made,
    versions: VERSION,
    deadStream: DEAD_STREAM,
  });
  return {
    ...verdict,
    seconds: Math.round((performance.now() - startedMs) / 1000),
    kills: faults.kills(),
    pauses: faults.pauses(),
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
