import { connect, createInbox, headers, type MsgHdrs, type NatsConnection } from 'nats';
import { childArgument, serveParent } from '../children.js';

/** How messages are given to JetStream: `publish` of the client's JetStream part, or plain messages with a reply subject. */
export type PublishWay = 'js' | 'plain';

/** Messages of a stream that are to be published again. */
export interface MessageRange {
  stream: string;
  firstSeq: number;
  lastSeq: number;
}

interface Message {
  subject: string;
  id: string;
  headers: MsgHdrs;
  payload: Uint8Array;
}

/**
 * The baseline of the outbox relay: publishes messages that it has in memory, each acknowledged by JetStream, so many under
 * way at once; no order, no store, no repetition.
 */
const { url, way, from, to, maxInFlight } = childArgument<{
  url: string;
  way: PublishWay;
  /** heads of subjects: those that were read, and those to publish to */
  from: string;
  to: string;
  maxInFlight: number;
}>();
let messages: Message[] = [];

async function load({ stream, firstSeq, lastSeq }: MessageRange): Promise<number> {
  const connection = await connect({ servers: url });
  const consumer = await connection.jetstream().consumers.get(stream, { opt_start_seq: firstSeq });
  messages = [];
  for await (const { subject, headers: read, data, seq } of await consumer.consume()) {
    const id = read?.get('Nats-Msg-Id') ?? '';
    const own = headers();
    own.set('Nats-Msg-Id', id);
    messages.push({ subject: subject.replace(from, to), id, headers: own, payload: data.slice() });
    if (seq >= lastSeq) break;
  }
  await connection.close();
  return messages.length;
}

/** Resolves when all are acknowledged. */
async function publish(): Promise<void> {
  // The server was started anew since the last time.
  const connection = await connect({ servers: url });
  await (way === 'js' ? publishByClient(connection) : publishPlain(connection));
  await connection.close();
}

async function publishByClient(connection: NatsConnection): Promise<void> {
  const js = connection.jetstream();
  let next = 0;
  const lane = async () => {
    while (next < messages.length) {
      const { subject, id, payload } = messages[next++]!;
      await js.publish(subject, payload, { msgID: id, timeout: 30_000 });
    }
  };
  await Promise.all(Array.from({ length: maxInFlight }, lane));
}

function publishPlain(connection: NatsConnection): Promise<void> {
  const reply = createInbox();
  let next = 0;
  let acknowledged = 0;
  const send = () => {
    const message = messages[next++];
    if (message === undefined) return;
    connection.publish(message.subject, message.payload, { headers: message.headers, reply });
  };
  return new Promise((resolve, reject) => {
    connection.subscribe(reply, {
      callback(error, answer) {
        if (error !== null) return reject(error);
        const { stream, error: refusal } = answer.json<{ stream?: string; error?: object }>();
        if (stream === undefined) return reject(new Error(`refused: ${JSON.stringify(refusal)}`));
        if (++acknowledged === messages.length) return resolve();
        send();
      },
    });
    for (let i = 0; i < maxInFlight; i++) send();
  });
}

serveParent({}, { load, publish });
