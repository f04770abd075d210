import type { NatsConnection, Subscription } from 'nats';
import type { Logger } from 'pino';
import { streamsOver } from './jetstream-api.js';
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
  /** ours, as patterns */
  subjects: readonly string[];
  /** Done first on each connection; false: not possible now, try again. Before it is done nothing is known. */
  prepare: (connection: NatsConnection) => Promise<boolean>;
  log: Logger;
}

const LOOK_AGAIN_MS = 10_000;
const DOUBT_MS = 100;
const RETRY_MS = 1_000;
const CACHE_LIMIT = 20_000;

/**
 * Asks at each connection, every 10 s, when JetStream tells of a stream created, changed or deleted, and on doubt.
 * Without JetStream, or without the right to ask, no subject counts as captured.
 */
export function createCaptures({ subjects, prepare, log }: CapturesDeps): Captures {
  let patterns: string[] | undefined;
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
        prepared: boolean;
      }
    | undefined;

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
    asked.prepared ||= await prepare(asked.connection);
    const found = asked.prepared ? await askAll(asked.connection, subjects, log) : undefined;
    asked.asking = false;
    if (era !== asked) return;
    if (found !== undefined) {
      if (patterns?.join(' ') !== found.join(' ')) {
        known = new Map();
        log.info({ captured: found }, 'Looked up which subjects of events a stream captures.');
      }
      patterns = found;
      asked.changed();
    }
    askIn(asked.askAgain ? DOUBT_MS : found === undefined ? RETRY_MS : LOOK_AGAIN_MS);
  };

  return {
    covers(subject) {
      if (patterns === undefined) return undefined;
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
      era = { connection, changed, asking: false, askAgain: false, prepared: false };
      patterns = undefined;
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

/** The captured patterns, sorted; undefined when JetStream could not say now. */
async function askAll(
  connection: NatsConnection,
  subjects: readonly string[],
  log: Logger,
): Promise<string[] | undefined> {
  const found: string[] = [];
  for (const subject of subjects) {
    const answer = await streamsOver(connection, subject);
    if (answer.kind === 'away') return undefined;
    if (answer.kind === 'denied' || answer.kind === 'error') {
      const { message: error } = answer;
      log.warn(
        { error },
        'JetStream does not say which streams there are; an event counts as published when the server has it.',
      );
    }
    // a stream without acknowledgements answers nothing that could be waited for
    if (answer.kind === 'ok')
      found.push(...answer.value.filter((s) => !s.no_ack).flatMap((s) => s.subjects ?? []));
  }
  return [...new Set(found)].sort();
}
