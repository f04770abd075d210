import { type ConsumerMessages, type Msg, type NatsConnection, type Subscription, nanos } from 'nats';
import type { Logger } from 'pino';
import { flushed, type NatsLink, pause } from './connection.js';
import type { ConnectivityProcessor, IncomingMessage } from './connectivity-processor.js';
import type { Bury } from './dead-letters.js';
import { askJetStream, type StreamFound, streamsOver } from './jetstream-api.js';
import type { ConnectivityLimits } from './options.js';
import { createPlainQueue } from './plain-queue.js';
import type { SparingLog } from './sparing-log.js';
import { createPlaceReader, type MessageSource, StreamMessage } from './stream-message.js';

export interface ConnectivityConsumer {
  start(): void;
  /** in one line: where connected events come from now, or why from nowhere */
  status(): string;
  stop(): Promise<void>;
}

export interface ConnectivityConsumerDeps {
  link: NatsLink;
  log: Logger;
  sparing: SparingLog;
  processor: ConnectivityProcessor;
  /** also the queue group and the head of the consumer's name */
  instance: string;
  /** `all`: that endpoints are gone, too */
  subjects: { connected: string; all: string };
  consumesAll: boolean;
  bury: Bury;
  /** nobody knows yet which versions there are: messages stay where they are */
  isAwaiting: () => boolean;
  limits: ConnectivityLimits;
}

interface ConsumerFound {
  config: { filter_subject?: string };
}

const LOOK_AGAIN_SOON_MS = 1_000;
/** A stream that was away is found a quarter of that time later. */
const LOOK_SHARE = 4;
const AWAIT_MS = 250;
/** Without a stream, that wait beside what is worked on: times as many messages, and bytes. */
const PLAIN_SHARE = 4;
const PLAIN_BYTES = 64 * 1024 * 1024;

/**
 * Brings connectivity messages to the processor: from the stream that captures their subject, by the durable pull consumer
 * `<instance>-connectivity`, or by a plain queue subscription where JetStream is off. All is looked up anew at each
 * connection and when the consumer or its stream goes. A new consumer begins with the oldest message that the stream has.
 */
export function createConnectivityConsumer(deps: ConnectivityConsumerDeps): ConnectivityConsumer {
  const { link, log, sparing, processor, instance, subjects, consumesAll, bury, isAwaiting, limits } = deps;
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

  /** Looks for the stream, consumes, and looks again when that ends, as long as this connection is up. */
  const consume = async (connection: NatsConnection, signal: AbortSignal) => {
    if (isAwaiting()) say('not taken until the applications are known', 'warn');
    while (isAwaiting() && !signal.aborted) await pause(AWAIT_MS, signal);
    let missingSinceMs: number | undefined;
    while (!signal.aborted) {
      const found = await streamsOver(connection, subject);
      if (signal.aborted) return;
      const stream = found.kind === 'ok' ? found.value[0] : undefined;
      if (found.kind === 'off') return listen(connection, signal);
      if (stream !== undefined) {
        missingSinceMs = undefined;
        if (await prepareConsumer(connection, stream.name)) await pull(connection, stream, signal);
        await pause(LOOK_AGAIN_SOON_MS, signal);
      } else {
        say(
          found.kind === 'ok'
            ? 'no stream captures the subject; looking again'
            : `JetStream does not answer: ${found.message}`,
          'warn',
        );
        missingSinceMs ??= performance.now();
        const missingMs = found.kind === 'away' ? 0 : performance.now() - missingSinceMs;
        await pause(lookPauseMs(missingMs, limits.lookAgainMs), signal);
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
    { name: stream, created, lastSequence }: StreamFound,
    signal: AbortSignal,
  ) => {
    let messages: ConsumerMessages | undefined;
    const end = () => messages?.stop();
    const placeOf = createPlaceReader();
    const source: MessageSource = { lastSequence, bury };
    processor.from(`${stream} ${created}`);
    try {
      const consumer = await connection.jetstream().consumers.get(stream, durable);
      messages = await consumer.consume({
        max_messages: Math.max(1, Math.floor(limits.maxMessages / 2)),
        expires: 30_000,
        idle_heartbeat: 5_000,
        // it ends when the consumer or the stream is gone, and all is looked up again
        abort_on_missing_resource: true,
        callback: (message) => processor.take(new StreamMessage(message, placeOf(message), source)),
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

  const fromNobody = ({ subject, data }: Msg): IncomingMessage => {
    const ignore = () => undefined;
    const incoming: IncomingMessage = {
      subject,
      data,
      deliveries: 1,
      mayBeRepeat: false,
      arrivedMs: Date.now(),
      acknowledge: ignore,
      extend: ignore,
      giveBack(delayMs) {
        incoming.deliveries++;
        setTimeout(() => processor.take(incoming), delayMs).unref();
      },
      giveUp: ignore,
      bury: (error) => bury({ subject, data }, error),
    };
    return incoming;
  };

  /** Without a stream nobody keeps what is not read: some of it waits here, the rest is dropped. */
  const listen = (connection: NatsConnection, signal: AbortSignal): Promise<void> => {
    const waiting = createPlainQueue<Msg>({
      hasRoom: () => processor.inFlight() < limits.maxMessages && processor.bytesInFlight() < limits.maxBytes,
      take: (message) => processor.take(fromNobody(message)),
      bytesOf: ({ data }) => data.length,
      maxMessages: limits.maxMessages * PLAIN_SHARE,
      maxBytes: PLAIN_BYTES,
    });
    const subscription: Subscription = connection.subscribe(subject, {
      queue: instance,
      callback(error, message) {
        if (error !== null) say(`the subscription is refused: ${error.message}`, 'warn');
        else if (!waiting.push(message)) drop(message);
      },
    });
    // once the server knows it
    flushed(link, connection).then(
      () =>
        void (
          signal.aborted ||
          subscription.isClosed() ||
          say('from a plain queue subscription, since JetStream is off')
        ),
      () => undefined,
    );
    return new Promise((resolve) => {
      const end = () => {
        waiting.stop();
        if (!subscription.isClosed()) subscription.unsubscribe();
        resolve();
      };
      if (signal.aborted) end();
      else signal.addEventListener('abort', end, { once: true });
    });
  };

  const drop = ({ subject: from, data }: Msg) => {
    processor.dropped();
    sparing.tell(
      'connectivity dropped',
      { subject: from, bytes: data.length },
      'Connected events come faster than they can be worked on, and are dropped. Turn JetStream on: they wait in a stream then.',
    );
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
    status() {
      const problem = processor.problem();
      return problem === undefined ? status : `${status}; ${problem}`;
    },
    async stop() {
      for (const end of unsubscribe) end();
      clearInterval(timer);
      stopping.abort();
      await processor.stop();
      await running;
    },
  };
}

/** How long until a stream that has been missing for so long is looked for again: seldom, when nothing is there for long. */
export function lookPauseMs(missingMs: number, mostMs: number): number {
  return Math.min(mostMs, Math.max(LOOK_AGAIN_SOON_MS, missingMs / LOOK_SHARE));
}
