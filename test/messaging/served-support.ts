import avro from 'avsc';
import type { NatsConnection } from 'nats';
import type { Logger } from 'pino';
import type { Test } from 'tap';
import { schemas } from '../../src/avro/index.js';
import type { MessagingOptions, ServedDeps, ServedRequests } from '../../src/messaging/index.js';
import type { Running } from '../register/support.js';
import { connectTo, createMemoryOutbox, type Started, startMessaging } from './support.js';

export interface Response {
  correlationId: string;
  timestamp: number;
  timeout: number;
  statusCode: number;
  reasonPhrase: string | null;
  [field: string]: unknown;
}

type Protocol = keyof typeof schemas.served;

/** Another implementation of Avro, so that nothing is tested against itself. */
function typesOf(protocol: Protocol, name: string) {
  const records = schemas.served[protocol] as Record<string, { request: unknown; response: unknown }>;
  const { request, response } = records[name]!;
  return {
    request: avro.Type.forSchema(request as avro.Schema),
    response: avro.Type.forSchema(response as avro.Schema),
  };
}

export function encode(protocol: Protocol, name: string, fields: object): Buffer {
  const head = { correlationId: 'c-1', timestamp: Date.now(), timeout: 0 };
  return typesOf(protocol, name).request.toBuffer({ ...head, ...fields });
}

export function decode(protocol: Protocol, name: string, bytes: Uint8Array): Response {
  return typesOf(protocol, name).response.fromBuffer(Buffer.from(bytes)) as Response;
}

export function subjectOf(protocol: Protocol, name: string): string {
  return `kaa.v1.service.epr.${protocol}.${name}`;
}

/** Asks as another service does. @param timeoutMs how long for an answer; usually the test's own time limit ends a wait */
export function createClient(connection: NatsConnection, timeoutMs = 60_000) {
  const ask = (protocol: Protocol) => async (name: string, fields: object) => {
    const request = encode(protocol, name, fields);
    const { data } = await connection.request(subjectOf(protocol, name), request, { timeout: timeoutMs });
    return decode(protocol, name, data);
  };
  return { connection, epmmp: ask('epmmp'), efmp: ask('efmp'), eprmp: ask('eprmp') };
}

export type Client = ReturnType<typeof createClient>;

export interface Serving extends Started {
  served: ServedRequests;
  stop: () => Promise<void>;
}

const LIMITS = { nesting: 32, bodyBytes: 8 * 1024 * 1024 };

/** The messaging room, with a register behind it, answering requests. */
export async function startServing(
  t: Test,
  url: string,
  register: ServedDeps['register'],
  options: Partial<MessagingOptions> = {},
  limits: Partial<ReturnType<ServedDeps['limits']>> = {},
  log?: Logger,
): Promise<Serving> {
  const started = await startMessaging(t, url, createMemoryOutbox(), options, undefined, log);
  const served = started.messaging.serve({ register, limits: () => ({ ...LIMITS, ...limits }) });
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= served.stop(10_000));
  t.teardown(stop);
  return { ...started, served, stop };
}

/** Resolves when the server knows the subscriptions. */
export async function startAnswering(
  ...how: Parameters<typeof startServing>
): Promise<Serving & { client: Client }> {
  const [t, url] = how;
  const serving = await startServing(...how);
  const client = createClient(await connectTo(t, url));
  await untilAnswered(client);
  return { ...serving, client };
}

export async function untilAnswered({ connection }: Client): Promise<void> {
  const name = 'ep-metadata-keys-get-request';
  const request = encode('epmmp', name, { endpointId: 'nobody' });
  for (;;) {
    const reply = await connection
      .request(subjectOf('epmmp', name), request, { timeout: 1000 })
      .catch(() => undefined);
    if (reply !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export const json = (value: unknown) => Buffer.from(JSON.stringify(value));

/** Metadata as it is stored now. */
export async function metadataOf({ epmmp }: Client, endpointId: string): Promise<unknown> {
  const { payload } = await epmmp('ep-metadata-get-request', {
    endpointId,
    include: [],
    includeMetadata: true,
  });
  return payload === null ? null : JSON.parse((payload as Buffer).toString());
}

/** Every event with its correlation id, in the order of the commits. */
export function eventsOf({ events }: Running, kind: string) {
  return events.flatMap((group) =>
    group.events.filter((event) => event.kind === kind).map(({ payload }) => ({ ...group, payload })),
  );
}
