import {
  type ConsumerMessages,
  type JsMsg,
  type NatsConnection,
  type Subscription,
  headers as createHeaders,
  nanos,
} from 'nats';
import type { Logger } from 'pino';
import { type NatsLink, flushed, pause } from './connection.js';
import type { ConnectivityProcessor, IncomingMessage } from './connectivity-processor.js';
import { askJetStream, type StreamFound, streamsOver } from './jetstream-api.js';
import type { ConnectivityLimits } from './options.js';

export interface ConnectivityConsumer {
  start(): void;
  /** in one line: where connected events come from now, or why from nowhere */
  status(): string;
  stop(): Promise<void>;
}

export interface ConnectivityConsumerDeps {
  link: NatsLink;
  log: Logger;
  processor: ConnectivityProcessor;
  /** also the queue group and the head of the consumer's name */
  instance: string;
  /** `all`: that endpoints are gone, too */
  subjects: { connected: string; all: string };
  consumesAll: boolean;
  deadLetters: string;
  limits: ConnectivityLimits;
}

interface ConsumerFound {
  config: { filter_subject?: string };
}

const LOOK_AGAIN_SOON_MS = 1_000;
const BACK_PRESSURE_MS = 20;
/** Of the headers of a dead letter: characters of the reason, and bytes of all but that and the subject. */
const LONGEST_REASON = 500;
const OTHER_HEADER_BYTES = 128;

/**
 * Brings connectivity messages to the processor: from the stream that captures their subject, by the durable pull consumer
 * `<instance>-connectivity`, or by a plain queue subscription where JetStream is off. All is looked up anew at each
 * connection and when the consumer or its stream goes. A new consumer begins with the oldest message that the stream has.
 */
export function createConnectivityConsumer(deps: ConnectivityConsumerDeps): ConnectivityConsumer {
  const { link, log, processor, instance, subjects, consumesAll, deadLetters, limits } = deps;
  const subject = consumesAll ? subjects.all : subjects.connected;
  const durable = `${instance}-connectivity`;
  let stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let unsubscribe: (() => void)[] = [];
  let timer: NodeJS.Timeout | undefined;
  let status = 'not connected';

  const say = (text: string, level: 'info' | 'warn' = 'info') => {
    if (text === status) return;
    status = text;
    log[level]({ subject }, `Connected events: ${text}.`);
  };

  const bury = async (
    connection: NatsConnection,
    { subject: from, data }: { subject: string; data: Uint8Array },
    error: string,
  ) => {
    const headers = createHeaders();
    const reason = error.replace(/[^\x20-\x7e]/g, '?').slice(0, LONGEST_REASON);
    const most =
      (connection.info?.max_payload ?? Infinity) - from.length - LONGEST_REASON - OTHER_HEADER_BYTES;
    const fits = data.length <= most;
    headers.set('Original-Subject', from);
    headers.set('Error', fits ? reason : `${reason} (its ${data.length} bytes do not fit beside headers)`);
    // with its bytes it would be refused, come again and again, and be in the way of others
    connection.publish(deadLetters, fits ? data : new Uint8Array(), { headers });
    await flushed(link, connection);
  };

  /** Looks for the stream, consumes, and looks again when that ends, as long as this connection is up. */
  const consume = async (connection: NatsConnection, signal: AbortSignal) => {
    while (!signal.aborted) {
      const found = await streamsOver(connection, subject);
      if (signal.aborted) return;
      const stream = found.kind === 'ok' ? found.value[0] : undefined;
      if (found.kind === 'off') return listen(connection, signal);
      if (stream !== undefined) {
        if (await prepareConsumer(connection, stream.name)) await pull(connection, stream, signal);
        await pause(LOOK_AGAIN_SOON_MS, signal);
      } else {
        say(
          found.kind === 'ok'
            ? 'no stream captures the subject; looking again'
            : `JetStream does not answer: ${found.message}`,
          'warn',
        );
        await pause(found.kind === 'away' ? LOOK_AGAIN_SOON_MS : limits.lookAgainMs, signal);
      }
    }
  };

  const prepareConsumer = async (connection: NatsConnection, stream: string): Promise<boolean> => {
    const info = await askJetStream<ConsumerFound>(connection, `CONSUMER.INFO.${stream}.${durable}`, {});
    if (info.kind === 'ok') {
      await adjustConsumer(connection, stream, info.value.config);
      return true;
    }
    const created = await askJetStream(connection, `CONSUMER.DURABLE.CREATE.${stream}.${durable}`, {
      stream_name: stream,
      config: {
        durable_name: durable,
        description: 'Endpoints that connect',
        filter_subject: subject,
        deliver_policy: 'all',
        ack_policy: 'explicit',
        ack_wait: nanos(limits.ackWaitMs),
        max_ack_pending: limits.maxMessages,
        max_deliver: -1,
      },
    });
    if (created.kind === 'ok') return true;
    const why = created.kind === 'off' ? 'JetStream is gone' : created.message;
    say(`the consumer ${durable} of stream ${stream} can not be created: ${why}`, 'warn');
    return false;
  };

  /** One of ours, from before the setting was changed. A filter that somebody else chose is left alone. */
  const adjustConsumer = async (
    connection: NatsConnection,
    stream: string,
    config: ConsumerFound['config'],
  ) => {
    const other = consumesAll ? subjects.connected : subjects.all;
    if (config.filter_subject !== other) return;
    const adjusted = await askJetStream(connection, `CONSUMER.DURABLE.CREATE.${stream}.${durable}`, {
      stream_name: stream,
      config: { ...config, filter_subject: subject },
    });
    if (adjusted.kind === 'ok') return;
    const why = adjusted.kind === 'off' ? 'JetStream is gone' : adjusted.message;
    log.warn(
      { subject, stream },
      `The consumer ${durable} of stream ${stream} goes on with its filter ${other}, for it can not be changed to ${subject}: ${why}.`,
    );
  };

  /**
   * A broker that was killed has forgotten its last acknowledgements, and gives those messages as if for the first time:
   * whatever was in the stream before we came may have been here.
   */
  const pull = async (
    connection: NatsConnection,
    { name: stream, lastSequence }: StreamFound,
    signal: AbortSignal,
  ) => {
    let messages: ConsumerMessages | undefined;
    const end = () => messages?.stop();
    try {
      const consumer = await connection.jetstream().consumers.get(stream, durable);
      messages = await consumer.consume({
        max_messages: Math.max(1, Math.floor(limits.maxMessages / 2)),
        expires: 30_000,
        idle_heartbeat: 5_000,
        // it ends when the consumer or the stream is gone, and all is looked up again
        abort_on_missing_resource: true,
        callback: (message) => processor.take(fromStream(connection, message, lastSequence)),
      });
      if (signal.aborted) messages.stop();
      signal.addEventListener('abort', end);
      say(`from stream ${stream}, consumer ${durable}`);
      const reason = await messages.closed();
      if (!signal.aborted)
        say(`the consumer ended${reason ? `: ${reason.message}` : ''}; looking again`, 'warn');
    } catch (error) {
      say(`the consumer ${durable} of stream ${stream} failed: ${(error as Error).message}`, 'warn');
    } finally {
      signal.removeEventListener('abort', end);
    }
  };

  const fromStream = (connection: NatsConnection, message: JsMsg, lastSequence: number): IncomingMessage => ({
    subject: message.subject,
    data: message.data,
    sequence: message.seq,
    mayBeRepeat: message.redelivered || message.seq <= lastSequence,
    acknowledge: () => answer(() => message.ack()),
    extend: () => answer(() => message.working()),
    bury: (error) => bury(connection, message, error),
  });

  /** Without a stream nobody keeps what is not read: it waits in the client, and is not read faster than it is worked on. */
  const listen = async (connection: NatsConnection, signal: AbortSignal) => {
    say('from a plain queue subscription, since JetStream is off');
    const subscription: Subscription = connection.subscribe(subject, { queue: instance });
    const end = () => subscription.unsubscribe();
    signal.addEventListener('abort', end);
    for await (const message of subscription) {
      while (processor.inFlight() >= limits.maxMessages && !signal.aborted)
        await pause(BACK_PRESSURE_MS, signal);
      const ignore = () => undefined;
      processor.take({
        subject: message.subject,
        data: message.data,
        mayBeRepeat: false,
        acknowledge: ignore,
        extend: ignore,
        bury: (error) => bury(connection, message, error),
      });
    }
    signal.removeEventListener('abort', end);
  };

  const down = () => {
    stopping.abort();
    status = 'not connected';
  };

  return {
    start() {
      timer = setInterval(() => processor.extendAll(), limits.ackWaitMs / 3);
      timer.unref();
      const up = (connection: NatsConnection) => {
        stopping.abort();
        stopping = new AbortController();
        const { signal } = stopping;
        running = running
          .then(() => consume(connection, signal))
          .catch((error: unknown) =>
            log.error(
              { err: error },
              'Connected events are not consumed any more until NATS is connected anew.',
            ),
          );
      };
      unsubscribe = [link.onDown(down), link.onUp(up)];
    },
    status: () => status,
    async stop() {
      for (const end of unsubscribe) end();
      clearInterval(timer);
      stopping.abort();
      await processor.stop();
      await running;
    },
  };
}

/** An acknowledgement that can't be sent costs a repeat, no more. */
function answer(send: () => void): void {
  try {
    send();
  } catch {
    // the connection is closing
  }
}
