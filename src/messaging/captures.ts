import type { NatsConnection, Subscription } from 'nats';
import type { Logger } from 'pino';
import { type StreamFound, streamsOver } from './jetstream-api.js';
import { covers } from './subjects.js';

/** Knows which of our subjects a JetStream stream captures, and so acknowledges. */
export interface Captures {
  /** undefined: not known yet on this connection */
  covers(subject: string): boolean | undefined;
  /** look again soon: something speaks against what is known */
  doubt(): void;
  /** follows this connection; `changed` is called whenever something was learnt */
  follow(connection: NatsConnection, changed: () => void): void;
  /** stops to follow, forgets */
  drop(): void;
}

export interface CapturesDeps {
  /** ours, as patterns; the first is that of the events */
  subjects: readonly string[];
  /** Patterns that count as captured whatever is found: without an acknowledgement, what is published there is not certain. */
  required: readonly string[];
  /** Done before each look; false: not possible now. Then nothing is known of what is required. */
  prepare: (connection: NatsConnection) => Promise<boolean>;
  /** told of the streams over the first subject */
  found: (streams: readonly StreamFound[]) => void;
  log: Logger;
}

const LOOK_AGAIN_MS = 10_000;
const DOUBT_MS = 100;
const RETRY_MS = 1_000;
const CACHE_LIMIT = 20_000;

/**
 * Asks at each connection, every 10 s, when JetStream tells of a stream created, changed or deleted, and on doubt.
 * Without JetStream, or without the right to ask, only what is required counts as captured.
 */
export function createCaptures({ subjects, required, prepare, found, log }: CapturesDeps): Captures {
  let patterns: string[] | undefined;
  let prepared = false;
  let logged: string | undefined;
  let known = new Map<string, boolean>();
  let advisories: Subscription | undefined;
  let timer: NodeJS.Timeout | undefined;
  // each connection, also the same one after a break, is an era: answers of a former one are worth nothing
  let era:
    | {
        connection: NatsConnection;
        changed: () => void;
        asking: boolean;
        askAgain: boolean;
      }
    | undefined;
  let complaint: string | undefined;

  const askIn = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => void ask(), ms);
    timer.unref();
  };

  const ask = async () => {
    const asked = era;
    if (asked === undefined) return;
    if (asked.asking) {
      asked.askAgain = true;
      return;
    }
    asked.asking = true;
    asked.askAgain = false;
    const isPrepared = await prepare(asked.connection);
    const captured = await askAll(asked.connection);
    asked.asking = false;
    if (era !== asked) return;
    prepared = isPrepared;
    if (captured !== undefined) {
      const text = captured.join(' ');
      if (patterns?.join(' ') !== text) known = new Map();
      patterns = captured;
      if (isPrepared && text !== logged) {
        logged = text;
        log.info({ captured }, 'Looked up which subjects of ours a stream captures.');
      }
      asked.changed();
    }
    askIn(asked.askAgain ? DOUBT_MS : captured === undefined || !isPrepared ? RETRY_MS : LOOK_AGAIN_MS);
  };

  /** The captured patterns, sorted; undefined when JetStream could not say now. */
  const askAll = async (connection: NatsConnection): Promise<string[] | undefined> => {
    const captured = [...required];
    let refusal: string | undefined;
    for (const subject of subjects) {
      const answer = await streamsOver(connection, subject);
      if (answer.kind === 'away') return undefined;
      if (answer.kind === 'denied' || answer.kind === 'error') refusal = answer.message;
      if (answer.kind !== 'ok') continue;
      if (subject === subjects[0]) found(answer.value);
      // a stream without acknowledgements answers nothing that could be waited for
      captured.push(...answer.value.filter((s) => !s.no_ack).flatMap((s) => s.subjects ?? []));
    }
    if (refusal !== undefined && refusal !== complaint)
      log.warn(
        { error: refusal },
        'JetStream does not say which streams there are; an event counts as published when the server has it, unless nats.jetstream.events-stream is set. Permit the user of the register to publish to $JS.API.STREAM.LIST.',
      );
    complaint = refusal;
    return [...new Set(captured)].sort();
  };

  return {
    covers(subject) {
      if (patterns === undefined) return undefined;
      if (!prepared && required.some((pattern) => covers(pattern, subject))) return undefined;
      let covered = known.get(subject);
      if (covered === undefined) {
        covered = patterns.some((pattern) => covers(pattern, subject));
        if (known.size >= CACHE_LIMIT) known.clear();
        known.set(subject, covered);
      }
      return covered;
    },
    doubt() {
      if (era !== undefined) askIn(DOUBT_MS);
    },
    follow(connection, changed) {
      era = { connection, changed, asking: false, askAgain: false };
      patterns = undefined;
      prepared = false;
      advisories?.unsubscribe();
      advisories = connection.subscribe('$JS.EVENT.ADVISORY.STREAM.*.>', {
        // an error means that we may not listen: the timer does then
        callback: (error) => void (error === null && ask()),
      });
      void ask();
    },
    drop() {
      advisories?.unsubscribe();
      advisories = undefined;
      era = undefined;
      patterns = undefined;
      clearTimeout(timer);
    },
  };
}
