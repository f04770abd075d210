import { type Msg, type MsgHdrs, type NatsConnection, type Subscription, createInbox } from 'nats';
import type { Logger } from 'pino';
import { createCaptures } from './captures.js';
import type { NatsLink } from './connection.js';
import type { EventsStream } from './events-stream.js';
import type { StreamFound } from './jetstream-api.js';

/** A message that must arrive. */
export interface OutgoingMessage {
  subject: string;
  /** names, values: printable ASCII */
  headers: readonly (readonly [name: string, value: string])[];
  payload: Uint8Array;
}

/** Why it is not certain that a message arrived. */
export interface PublishFailure {
  reason: 'disconnected' | 'timeout' | 'no-responders' | 'stream-refused' | 'denied' | 'too-large';
  detail: string;
}

/** Where a stream has a message. */
export interface Place {
  stream: string;
  /** its sequence number; 0: not told */
  seq: number;
  /** it has got its `Nats-Msg-Id` before, and dropped this one: `seq` is that of the former */
  isRepeat: boolean;
}

/** No failure: it is certain that it arrived, now or, where it is a repeat, before. No place: no stream captures it. */
export type PublishDone = (failure: PublishFailure | undefined, place: Place | undefined) => void;

/**
 * Publishes with certainty, thousands at a time: where a stream captures the subject, that is its acknowledgement;
 * elsewhere, that the server has answered a ping sent after it. One reply subscription and one timer for all, no promise
 * each.
 */
export interface Publisher {
  start(): void;
  /** whether `publish` makes sense now: connected, and it is known what streams capture */
  ready(): boolean;
  /** `done` is called exactly once, never before this returns */
  publish(message: OutgoingMessage, done: PublishDone): void;
  /** what is under way fails as `disconnected` */
  stop(): void;
}

interface InFlight {
  message: OutgoingMessage;
  done: PublishDone;
  sentMs: number;
}

export interface PublisherDeps {
  link: NatsLink;
  log: Logger;
  /** subjects and patterns that will be published to; the first is that of the events */
  subjects: readonly string[];
  ackTimeoutMs: number;
  /** the stream that must have the events, where one is configured */
  eventsStream: EventsStream | undefined;
  /** told of the streams over the first of the subjects */
  streamsFound: (streams: readonly StreamFound[]) => void;
  /** called when `ready` becomes true */
  onReady: () => void;
}

export function createPublisher({
  link,
  log,
  subjects,
  ackTimeoutMs,
  eventsStream,
  streamsFound,
  onReady,
}: PublisherDeps): Publisher {
  const captures = createCaptures({
    subjects,
    required: eventsStream === undefined ? [] : [subjects[0]!],
    // first of all, or the first events would be published past the stream that is meant to keep them
    prepare: async (connection) => eventsStream === undefined || eventsStream.keep(connection),
    found: streamsFound,
    log,
  });
  /** waiting for a stream's acknowledgement, by the last token of their reply subject; oldest first */
  const awaited = new Map<string, InFlight>();
  let unflushed: InFlight[] = [];
  let flushing: InFlight[] | undefined;
  let replies: { connection: NatsConnection; prefix: string; subscription: Subscription } | undefined;
  let lastToken = 0;
  let timer: NodeJS.Timeout | undefined;
  const unsubscribe: (() => void)[] = [];

  const up = (connection: NatsConnection) => {
    if (replies?.connection !== connection) {
      const prefix = createInbox();
      const subscription = connection.subscribe(`${prefix}.*`, {
        callback: (error, message) => void (error === null && answered(message)),
      });
      replies = { connection, prefix: `${prefix}.`, subscription };
    }
    captures.follow(connection, onReady);
  };

  const down = () => {
    captures.drop();
    const lost = [...awaited.values(), ...(flushing ?? []), ...unflushed];
    awaited.clear();
    flushing = undefined;
    unflushed = [];
    const failure: PublishFailure = {
      reason: 'disconnected',
      detail: 'The connection ended before the answer.',
    };
    for (const { done } of lost) done(failure, undefined);
  };

  const answered = (message: Msg) => {
    const token = message.subject.slice(replies!.prefix.length);
    const inFlight = awaited.get(token);
    if (inFlight === undefined) return;
    const answer = readAnswer(message);
    if (answer === undefined) return; // not from a stream: somebody who listens answered
    awaited.delete(token);
    if (answer.failure?.reason === 'no-responders') captures.doubt();
    inFlight.done(answer.failure, answer.place);
  };

  const flush = async (connection: NatsConnection) => {
    while (flushing === undefined && unflushed.length > 0) {
      const sent = unflushed;
      flushing = sent;
      unflushed = [];
      try {
        await connection.flush();
        // a refusal comes before the pong, but is told to us by way of a queue: let it go first
        await new Promise(setImmediate);
      } catch {
        return; // `down` answers for what was under way
      }
      if (flushing !== sent) return;
      flushing = undefined;
      for (const { done } of sent) done(undefined, undefined);
    }
  };

  const denied = (subject: string) => {
    const failure: PublishFailure = {
      reason: 'denied',
      detail: `The server does not let us publish to ${subject}. Permit it to the user that this service signs in as.`,
    };
    const take = (list: InFlight[]) => {
      const refused = list.filter((inFlight) => inFlight.message.subject === subject);
      for (const inFlight of refused) list.splice(list.indexOf(inFlight), 1);
      return refused;
    };
    const refused = [...(flushing ? take(flushing) : []), ...take(unflushed)];
    for (const [token, inFlight] of awaited) {
      if (inFlight.message.subject !== subject) continue;
      awaited.delete(token);
      refused.push(inFlight);
    }
    for (const { done } of refused) done(failure, undefined);
  };

  const expire = () => {
    const deadline = performance.now() - ackTimeoutMs;
    let expired = false;
    for (const [token, inFlight] of awaited) {
      if (inFlight.sentMs > deadline) break;
      awaited.delete(token);
      expired = true;
      inFlight.done(
        { reason: 'timeout', detail: `No stream acknowledged it within ${ackTimeoutMs} ms.` },
        undefined,
      );
    }
    if (expired) captures.doubt();
  };

  return {
    start() {
      unsubscribe.push(link.onDown(down), link.onPublishDenied(denied), link.onUp(up));
      timer = setInterval(expire, Math.min(1_000, ackTimeoutMs));
      timer.unref();
    },
    ready: () => link.current() !== undefined && captures.covers(subjects[0]!) !== undefined,
    publish(message, done) {
      const connection = link.current();
      const captured = captures.covers(message.subject);
      if (connection === undefined || captured === undefined) {
        queueMicrotask(() => done({ reason: 'disconnected', detail: 'There is no connection.' }, undefined));
        return;
      }
      const headers = encodeHeaders(message.headers);
      const limit = connection.info?.max_payload ?? Infinity;
      const size = message.payload.length + headers.length;
      if (size > limit) {
        const detail = `It has ${size} bytes with its headers; the server takes ${limit} (max_payload).`;
        queueMicrotask(() => done({ reason: 'too-large', detail }, undefined));
        return;
      }
      const token = captured ? (++lastToken).toString(36) : undefined;
      try {
        const reply = token === undefined ? undefined : { reply: replies!.prefix + token };
        connection.publish(message.subject, message.payload, { headers: asHeaders(headers), ...reply });
      } catch (error) {
        // it closed, and we were not told yet
        queueMicrotask(() => done({ reason: 'disconnected', detail: (error as Error).message }, undefined));
        return;
      }
      const inFlight: InFlight = { message, done, sentMs: performance.now() };
      if (token !== undefined) awaited.set(token, inFlight);
      else if (unflushed.push(inFlight) === 1 && flushing === undefined)
        queueMicrotask(() => void flush(connection));
    },
    stop() {
      for (const end of unsubscribe) end();
      clearInterval(timer);
      replies?.subscription.unsubscribe();
      down();
    },
  };
}

function encodeHeaders(headers: OutgoingMessage['headers']): Buffer {
  let text = 'NATS/1.0\r\n';
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`;
  return Buffer.from(`${text}\r\n`, 'latin1');
}

/** The client only ever calls `encode` of what it sends; its own headers cost more than the rest of publishing. */
function asHeaders(bytes: Buffer): MsgHdrs {
  return { encode: () => bytes } as unknown as MsgHdrs;
}

/** Errors of JetStream that say that this very message will never fit: the size, or the headers. */
const NEVER_FITS = [10054, 10097];
/** It has as much as its limits, its account, or the disk allow. */
const FULL = [10002, 10023, 10028, 10047, 10077];
const CORRECT_IT = 'Correct that at the server; nats stream info says how the stream is.';
const MAKE_ROOM =
  'Give the stream more room (max_msgs, max_bytes, the limits of its account, the disk of its server), let it drop its oldest (discard old), or purge it.';

function readAnswer(message: Msg): { failure?: PublishFailure; place?: Place } | undefined {
  if (message.data.length === 0) {
    if (message.headers?.code !== 503) return undefined;
    return { failure: { reason: 'no-responders', detail: 'No stream captures the subject.' } };
  }
  let answer: {
    stream?: unknown;
    seq?: number;
    duplicate?: boolean;
    error?: { err_code?: number; description?: string };
  };
  try {
    answer = message.json();
  } catch {
    return undefined;
  }
  if (answer.error !== undefined) {
    const { err_code: code = 0, description = 'unknown' } = answer.error;
    const reason = NEVER_FITS.includes(code) ? 'too-large' : 'stream-refused';
    const remedy = reason === 'too-large' ? '' : FULL.includes(code) ? ` ${MAKE_ROOM}` : ` ${CORRECT_IT}`;
    return { failure: { reason, detail: `The stream refuses it: ${description} (${code}).${remedy}` } };
  }
  const { stream, seq = 0 } = answer;
  if (typeof stream !== 'string') return undefined;
  return { place: { stream, seq, isRepeat: answer.duplicate === true } };
}
