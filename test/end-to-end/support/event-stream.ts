import { type NatsConnection, connect } from 'nats';
import type { Test } from 'tap';
import type { Service } from './service.js';
import { until } from './wait.js';

/** A message as the stream keeps it. */
export interface KeptMessage {
  subject: string;
  /** the parts of `Nats-Msg-Id` */
  source: string;
  revision: number;
  kind: string;
  filterId: string | undefined;
  data: Uint8Array;
}

export const EVENTS_STREAM = 'epr_events';

export async function connectNats(t: Test, url: string): Promise<NatsConnection> {
  const connection = await connect({ servers: url });
  t.teardown(() => connection.close());
  return connection;
}

export async function createEventsStream(connection: NatsConnection): Promise<void> {
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: EVENTS_STREAM, subjects: ['kaa.v1.events.epr.>'] });
}

/** Resolves when the service has published all that it has stored. */
export async function untilPublished(service: Service): Promise<void> {
  await until({
    what: 'the outbox to be empty',
    look: async () => {
      const metrics = await (await fetch(`${service.managementUrl()}/metrics`)).text();
      const backlog = /^epr_outbox_backlog (\S+)/m.exec(metrics)?.[1];
      if (backlog === undefined) throw new Error('the metrics have no epr_outbox_backlog');
      return backlog === '0' ? { value: null } : { state: { backlog } };
    },
  });
}

/** Everything in the events stream, in its order, from its beginning. */
export async function readEvents(connection: NatsConnection): Promise<KeptMessage[]> {
  const manager = await connection.jetstreamManager();
  const { messages: total } = (await manager.streams.info(EVENTS_STREAM)).state;
  const found: KeptMessage[] = [];
  if (total === 0) return found;
  const consumer = await connection.jetstream().consumers.get(EVENTS_STREAM);
  const messages = await consumer.fetch({ max_messages: total, expires: 60_000 });
  for await (const { subject, headers, data } of messages) {
    found.push({ subject, ...readId(headers?.get('Nats-Msg-Id') ?? ''), data });
    if (found.length === total) break;
  }
  if (found.length < total) throw new Error(`the stream has ${total} messages, ${found.length} were read`);
  return found;
}

/** As `readEvents`, one by one: for streams that were just made again, of which a consumer now and then gets nothing. */
export async function readEventsOneByOne(connection: NatsConnection): Promise<KeptMessage[]> {
  const manager = await connection.jetstreamManager();
  const { first_seq: first, last_seq: last } = (await manager.streams.info(EVENTS_STREAM)).state;
  const found: KeptMessage[] = [];
  for (let seq = first; seq <= last; seq++) {
    const { subject, header, data } = await manager.streams.getMessage(EVENTS_STREAM, { seq });
    found.push({ subject, ...readId(header.get('Nats-Msg-Id')), data });
  }
  return found;
}

/** Ids of endpoints in these tests have no `.` in them. */
function readId(id: string): Pick<KeptMessage, 'source' | 'revision' | 'kind' | 'filterId'> {
  const [source = '', revision = '', kind = '', filterId] = id.split('.');
  if (!/^\d+$/.test(revision) || kind === '')
    throw new Error(`an event has the Nats-Msg-Id ${JSON.stringify(id)}`);
  return { source, revision: Number(revision), kind, filterId };
}
