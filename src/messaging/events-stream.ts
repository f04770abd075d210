import { nanos, type NatsConnection } from 'nats';
import type { Logger } from 'pino';
import { type ApiAnswer, type StreamConfig, askJetStream, streamsOver } from './jetstream-api.js';
import { covers } from './subjects.js';

/** Keeps the stream of `nats.jetstream.events-stream` over this instance's events. */
export interface EventsStream {
  /**
   * Creates the stream when there is none of that name, and adds our subjects to one that lacks them; the rest of it is
   * left as it is. Never rejects. False: it can't take our events now, ask again.
   */
  keep(connection: NatsConnection): Promise<boolean>;
  /** why it can't, with the remedy */
  problem(): string | undefined;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** What a new stream keeps: a week, on disk. Two minutes is how long it knows `Nats-Msg-Id`s, in memory, to drop repeats. */
const MAX_AGE_MS = 7 * DAY_MS;
const DUPLICATE_WINDOW_MS = 120_000;

const SETTING = 'nats.jetstream.events-stream';

export function createEventsStream(name: string, subject: string, log: Logger): EventsStream {
  let problem: string | undefined;
  /** the connection on which we may not look: whether the stream takes our events is seen by its acknowledgements */
  let unseen: NatsConnection | undefined;

  /** Said when it changes, not each time it is looked at. */
  const fail = (text: string): false => {
    if (problem !== text) log.error({ stream: name, subject }, text);
    problem = text;
    return false;
  };

  const fine = (): true => {
    if (problem !== undefined) log.info({ stream: name }, 'The events stream takes events again.');
    problem = undefined;
    return true;
  };

  const mayNot = (what: string, operation: string) =>
    fail(
      `The user that the register signs in as may not ${what} the stream ${name}, and so events wait. Permit it to publish to $JS.API.STREAM.${operation}.${name}, or ${what} the stream yourself, with the subject ${subject}.`,
    );

  const create = async (connection: NatsConnection): Promise<boolean> => {
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
    if (created.kind === 'denied') return mayNot('create', 'CREATE');
    if (created.kind !== 'ok') return failed('be created', created, connection);
    log.info({ stream: name, subject, maxAgeDays: MAX_AGE_MS / DAY_MS }, 'Created the events stream.');
    return fine();
  };

  const addSubject = async (config: StreamConfig, connection: NatsConnection): Promise<boolean> => {
    const former = config.subjects ?? [];
    // the server refuses a stream whose subjects overlap
    const subjects = [...former.filter((each) => !covers(subject, each)), subject];
    const updated = await askJetStream(connection, `STREAM.UPDATE.${name}`, { ...config, subjects });
    if (updated.kind === 'denied') return mayNot('update', 'UPDATE');
    if (updated.kind !== 'ok')
      return failed(
        `take the subject ${subject} (it has ${former.join(', ') || 'none'})`,
        updated,
        connection,
      );
    log.info({ stream: name, former, subjects }, 'Added the subjects of our events to the events stream.');
    return fine();
  };

  const failed = async (
    what: string,
    answer: Exclude<ApiAnswer<unknown>, { kind: 'ok' }>,
    connection: NatsConnection,
  ): Promise<false> => {
    if (answer.kind === 'away') return false;
    if (answer.kind === 'off') return fail(noJetStream(name));
    const others = await streamsOver(connection, subject);
    const taken = others.kind === 'ok' ? others.value.filter((stream) => stream.name !== name) : [];
    const remedy =
      taken.length === 0
        ? `Correct that at the server, or name another stream in ${SETTING}.`
        : `Subjects of ours are in the stream ${taken.map((stream) => stream.name).join(', ')}: name that one in ${SETTING}, or take them out of it.`;
    return fail(`The stream ${name} can not ${what}, and so events wait: ${answer.message}. ${remedy}`);
  };

  return {
    async keep(connection) {
      if (unseen === connection) return true;
      const info = await askJetStream<{ config: StreamConfig }>(connection, `STREAM.INFO.${name}`, {});
      switch (info.kind) {
        case 'ok': {
          const { config } = info.value;
          if (config.no_ack === true)
            return fail(
              `The stream ${name} acknowledges nothing (no_ack), so it is never known whether it has an event, and events wait. Turn no_ack off, or name another stream in ${SETTING}.`,
            );
          const isWhole = (config.subjects ?? []).some((pattern) => covers(pattern, subject));
          return isWhole ? fine() : addSubject(config, connection);
        }
        case 'denied':
          unseen = connection;
          log.warn(
            { stream: name },
            `The user that the register signs in as may not look at the stream ${name}, so the register can neither create nor update it; an event counts as published when a stream acknowledges it. Permit it to publish to $JS.API.STREAM.INFO.${name}.`,
          );
          return fine();
        case 'off':
          return fail(noJetStream(name));
        case 'away':
          return false;
        case 'error':
          return info.code === STREAM_NOT_FOUND
            ? create(connection)
            : failed('be looked at', info, connection);
      }
    },
    problem: () => problem,
  };
}

const STREAM_NOT_FOUND = 10059;

function noJetStream(name: string): string {
  return `${SETTING} is ${name}, but no server of this NATS has JetStream, and so events wait. Turn JetStream on, or leave the setting out: events then go to whoever listens.`;
}
