import { nanos, type NatsConnection } from 'nats';
import type { Logger } from 'pino';
import { type StreamConfig, askJetStream } from './jetstream-api.js';
import { covers } from './subjects.js';

const DAY_MS = 24 * 60 * 60 * 1000;

/** What a new stream keeps: a week, on disk. Two minutes is how long it knows `Nats-Msg-Id`s, in memory, to drop repeats. */
const MAX_AGE_MS = 7 * DAY_MS;
const DUPLICATE_WINDOW_MS = 120_000;

/**
 * Creates the stream over this instance's events when there is none of that name. One that exists is left as it is; when
 * it does not take all event subjects, the log says so. Never rejects: answers whether it need not be tried again on this
 * connection.
 */
export async function ensureEventsStream(
  connection: NatsConnection,
  name: string,
  subject: string,
  log: Logger,
): Promise<boolean> {
  const info = await askJetStream<{ config: StreamConfig }>(connection, `STREAM.INFO.${name}`, {});
  if (info.kind === 'ok') {
    const { subjects = [] } = info.value.config;
    if (!subjects.some((pattern) => covers(pattern, subject))) {
      log.warn(
        { stream: name, subjects, wanted: subject },
        'The events stream exists with other subjects; it is left as it is. Add the wanted subject to it, or name another stream in nats.jetstream.events-stream.',
      );
    }
    return true;
  }
  if (info.kind === 'off') {
    log.warn(
      { stream: name },
      'nats.jetstream.events-stream is set, but this NATS has no JetStream: events are published without a stream.',
    );
    return true;
  }
  if (info.kind === 'away') return false;
  const created = await askJetStream(connection, `STREAM.CREATE.${name}`, {
    name,
    subjects: [subject],
    storage: 'file',
    retention: 'limits',
    discard: 'old',
    max_age: nanos(MAX_AGE_MS),
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    num_replicas: 1,
  });
  if (created.kind === 'ok') {
    log.info({ stream: name, subject, maxAgeDays: MAX_AGE_MS / DAY_MS }, 'Created the events stream.');
    return true;
  }
  if (created.kind === 'away') return false;
  const error = created.kind === 'off' ? 'there is no JetStream' : created.message;
  log.error(
    { stream: name, error },
    'The events stream can not be created; events are published to whatever stream takes them.',
  );
  return true;
}
