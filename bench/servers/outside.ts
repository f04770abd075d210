import { connect, Events, nanos } from 'nats';
import type { JetStreamClient, JetStreamManager, NatsConnection } from 'nats';
import type { Test } from 'tap';
import { startMongo, startNats, type MongoServer } from '../../test/servers/index.js';
import type { Surroundings } from '../contest.js';

/** NATS with JetStream, and a stream on disk that captures every event of the service. */
export interface Broker {
  url: string;
  /** after a restart another one */
  readonly pid: number;
  connection: NatsConnection;
  js: JetStreamClient;
  jsm: JetStreamManager;
  /** how many events of this subject the stream has */
  countEvents(subject: string): Promise<number>;
  /** false: it was given by NATS_URL, and is not ours to stop */
  managed: boolean;
  /** Ends it in order: its streams stay on disk. */
  stop(): Promise<void>;
  /** On the same port and streams; resolves when `connection` is there again. */
  restart(): Promise<void>;
}

export const EVENTS_STREAM = 'BENCH_EVENTS';

/** What the starters of the tests need of a test. */
function asTest({ teardown, tell }: Surroundings): Test {
  const pass = (name: string, { skip }: { skip: string }) => tell(`  left out: ${name}: ${skip}`);
  return { teardown, pass } as unknown as Test;
}

/** Undefined: not installed, and said. */
export async function startBroker(surroundings: Surroundings): Promise<Broker | undefined> {
  const server = await startNats(asTest(surroundings), { jetstream: true });
  if (server === undefined) return undefined;
  const connection = await connect({
    servers: server.url,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 20,
    reconnectJitter: 5,
  });
  surroundings.teardown(() => connection.close());
  const jsm = await connection.jetstreamManager();
  await jsm.streams.add({
    name: EVENTS_STREAM,
    subjects: ['kaa.v1.events.epr.>'],
    duplicate_window: nanos(120_000),
  });
  return {
    url: server.url,
    get pid() {
      return server.managed ? server.pid : -1;
    },
    connection,
    js: connection.jetstream(),
    jsm,
    async countEvents(subject) {
      const { state } = await jsm.streams.info(EVENTS_STREAM, { subjects_filter: subject });
      return Object.values(state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
    },
    managed: server.managed,
    stop: () => server.stop(),
    async restart() {
      const back = untilReconnected(connection);
      await server.restart();
      await back;
    },
  };
}

async function untilReconnected(connection: NatsConnection): Promise<void> {
  for await (const { type } of connection.status()) if (type === Events.Reconnect) return;
}

/** With its data on disk. Undefined: not installed, and said. */
export function startDatabase(surroundings: Surroundings): Promise<MongoServer | undefined> {
  return startMongo(asTest(surroundings), { persistent: true });
}
