import type { Msg, NatsConnection, NatsError, Subscription } from 'nats';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { ErrorCode } from '../../model/errors.js';
import type { NatsLink } from '../connection.js';
import { MAX_CORRELATION_ID } from '../correlation-id.js';
import { isExpired } from '../expiry.js';
import type { ServedLimits } from '../options.js';
import type { SparingLog } from '../sparing-log.js';
import type { Encode, OpenRequest, ServedDeps, ServedRequest } from './definition.js';
import { filterRequests } from './filter-requests.js';
import { createLane, type Lane } from './lane.js';
import { metadataRequests } from './metadata-requests.js';
import { relationRequests } from './relation-requests.js';
import { createServedMetrics, type RequestMetrics } from './served-metrics.js';

const REQUESTS = [...metadataRequests, ...filterRequests, ...relationRequests];

export interface ServedRequests {
  /** in one line: whether requests are answered now, and why not */
  status(): string;
  /** Takes no more, answers what was taken, within the time. */
  stop(graceMs: number): Promise<void>;
}

export interface ServedRequestsDeps extends ServedDeps {
  link: NatsLink;
  /** also the queue group */
  instance: string;
  subjectOf: (protocol: string, name: string) => string;
  bounds: ServedLimits;
  log: Logger;
  sparing: SparingLog;
  registry: Registry;
}

interface Arrived {
  request: ServedRequest;
  metrics: RequestMetrics;
  connection: NatsConnection;
  payload: Uint8Array;
  reply: string | undefined;
  /** Unix ms, and on the clock of `performance` */
  atMs: number;
  startedMs: number;
}

/**
 * Answers the requests of other services, in the queue group of the instance. Writes are begun in the order in which
 * they came, whatever they ask for; reads go beside them.
 */
export function createServedRequests(deps: ServedRequestsDeps): ServedRequests {
  const { link, log, sparing, bounds, instance } = deps;
  const writes = createLane(bounds, begin);
  const reads = createLane(bounds, begin);
  const sum = (of: (lane: Lane<Arrived>) => number) => () => of(writes) + of(reads);
  const metrics = createServedMetrics(deps.registry, {
    underWay: sum((lane) => lane.underWay()),
    waiting: sum((lane) => lane.waiting()),
  });
  const served = REQUESTS.map((request) => ({
    request,
    metrics: metrics.of(request),
    subject: deps.subjectOf(request.protocol, request.name),
    subscription: undefined as Subscription | undefined,
  }));
  let subscribedTo: NatsConnection | undefined;
  let denied: string | undefined;

  /** The client renews subscriptions itself while it has the same connection object. */
  function subscribe(connection: NatsConnection): void {
    denied = undefined;
    for (const one of served) {
      if (subscribedTo === connection && one.subscription?.isClosed() === false) continue;
      const { request, metrics: own, subject } = one;
      one.subscription = connection.subscribe(subject, {
        queue: instance,
        callback: (error, message) =>
          error === null ? take(connection, request, own, message) : fail(subject, error),
      });
    }
    subscribedTo = connection;
    log.info({ subjects: served.map(({ subject }) => subject) }, 'Requests over NATS are answered.');
  }

  function fail(subject: string, error: NatsError): void {
    denied = `${subject}: ${error.message}`;
    log.error(
      { subject, error: error.message },
      'Requests on a subject are not answered: grant the user of this service to subscribe to it.',
    );
  }

  function take(
    connection: NatsConnection,
    request: ServedRequest,
    own: RequestMetrics,
    { data, reply }: Msg,
  ): void {
    const startedMs = performance.now();
    const arrived: Arrived = {
      request,
      metrics: own,
      connection,
      payload: data,
      reply: reply === undefined || reply === '' ? undefined : reply,
      atMs: Date.now(),
      startedMs,
    };
    const lane = request.writes ? writes : reads;
    if (lane.offer(arrived, data.length)) return;
    const open = openOne(arrived);
    if (open === undefined) return;
    const message = `${lane.waiting()} requests over NATS wait already. Try again shortly.`;
    answer(arrived, open, open.refuse('overloaded', message));
  }

  function begin(arrived: Arrived): { weight: number; done: Promise<void> } | undefined {
    const open = openOne(arrived);
    return open === undefined ? undefined : { weight: open.weight, done: carryOut(arrived, open) };
  }

  /** Reads the request, unless it is one that nobody waits for. */
  function openOne({ request, metrics: own, payload, reply }: Arrived): OpenRequest | undefined {
    const { protocol, name, writes: isWrite } = request;
    let open: OpenRequest;
    try {
      open = request.open(payload);
    } catch (error) {
      own.dropped('undecodable');
      sparing.tell(
        `undecodable ${name}`,
        { request: `${protocol}.${name}`, error: (error as Error).message, bytes: payload.length },
        'A request does not decode: dropped.',
      );
      return undefined;
    }
    const { correlationId } = open.head;
    if (isExpired(open.head)) {
      own.dropped('expired');
      log.debug({ request: `${protocol}.${name}`, correlationId }, 'A request is expired: dropped.');
      return undefined;
    }
    if (reply === undefined && !isWrite) {
      own.dropped('unanswerable');
      log.debug({ request: `${protocol}.${name}`, correlationId }, 'A question without a reply subject.');
      return undefined;
    }
    return open;
  }

  async function carryOut(arrived: Arrived, open: OpenRequest): Promise<void> {
    let encode: Encode;
    const refusal = headFault(open);
    if (refusal !== undefined) encode = open.refuse(...refusal);
    else {
      try {
        encode = await open.handle({
          register: deps.register,
          limits: deps.limits,
          receivedMs: arrived.atMs,
          maxBytes: maxBytesOf(arrived.connection),
        });
      } catch (error) {
        const { correlationId } = open.head;
        const about = { err: error as Error, correlationId, request: arrived.request.name };
        sparing.tell(
          'request failed',
          about,
          'A request over NATS failed by a fault of the register.',
          'error',
        );
        encode = open.refuse('internal');
      }
    }
    answer(arrived, open, encode);
  }

  /** Never throws. */
  function answer(
    { request, metrics: own, connection, reply, startedMs }: Arrived,
    open: OpenRequest,
    encode: Encode,
  ) {
    const correlationId = open.head.correlationId.slice(0, MAX_CORRELATION_ID);
    try {
      const answered = encode(maxBytesOf(connection));
      if (answered !== undefined && reply !== undefined) connection.publish(reply, answered.bytes);
      if (answered === undefined || reply === undefined) own.dropped('unanswerable');
      const status = answered?.status;
      if (status !== undefined) own.answered(status, (performance.now() - startedMs) / 1000);
      log.debug({ request: `${request.protocol}.${request.name}`, correlationId, status }, 'request');
    } catch (error) {
      own.dropped('unanswerable');
      sparing.tell(
        'not answered',
        { request: `${request.protocol}.${request.name}`, correlationId, error: (error as Error).message },
        'An answer could not be sent.',
      );
    }
  }

  const unsubscribe = link.onUp(subscribe);

  return {
    status() {
      if (denied !== undefined) return `not all subjects: ${denied}`;
      return link.current() === undefined ? 'not connected' : 'answering';
    },
    async stop(graceMs) {
      unsubscribe();
      const drained = async () => {
        // of a connection that is away there is nothing more to come
        const open = link.current() === undefined ? [] : served;
        await Promise.all(open.map(async ({ subscription }) => subscription?.drain()));
        await Promise.all([writes.idle(), reads.idle()]);
      };
      const waited = drained().catch((error: unknown) => log.warn({ err: error }, 'NATS did not drain'));
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<'late'>((resolve) => (timer = setTimeout(resolve, graceMs, 'late')));
      if ((await Promise.race([waited, late])) === 'late')
        log.warn(`Requests over NATS were not all answered within ${graceMs} ms.`);
      clearTimeout(timer);
      for (const { subscription } of served)
        if (subscription?.isClosed() === false) subscription.unsubscribe();
    },
  };
}

function headFault({ head }: OpenRequest): [ErrorCode, string] | undefined {
  const { length } = head.correlationId;
  if (length <= MAX_CORRELATION_ID) return undefined;
  return [
    'invalid-parameter',
    `A correlationId may have ${MAX_CORRELATION_ID} characters, for every event carries it; found ${length}.`,
  ];
}

/** What NATS takes in one message. */
function maxBytesOf(connection: NatsConnection): number {
  return connection.info?.max_payload ?? 1024 * 1024;
}
