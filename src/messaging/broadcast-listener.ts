import type { NatsConnection, NatsError, Subscription } from 'nats';
import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import type { Broadcast } from './broadcasts.js';
import { flushed, type NatsLink } from './connection.js';
import type { SparingLog } from './sparing-log.js';

export interface BroadcastListener {
  start(): void;
  /** in one line: whether they are heard now, and why not */
  status(): string;
  stop(): void;
}

export interface BroadcastListenerDeps {
  link: NatsLink;
  broadcasts: readonly Broadcast[];
  log: Logger;
  sparing: SparingLog;
  registry: Registry;
}

/**
 * Hears what other services tell all replicas: no queue group, no acknowledgement, so nobody tells again what came while
 * there was no connection. Each new connection therefore counts as a miss, once the server has its subscriptions.
 */
export function createBroadcastListener(deps: BroadcastListenerDeps): BroadcastListener {
  const { link, broadcasts, log, sparing } = deps;
  const messages = new Counter({
    name: 'epr_broadcasts_total',
    help: 'Messages to all replicas, by protocol (scmp: configuration, tle: tenants) and what was done: taken, expired, undecodable.',
    labelNames: ['protocol', 'result'],
    registers: [deps.registry],
  });
  let subscriptions: Subscription[] = [];
  let denied: string | undefined;
  let forget = (): void => undefined;

  function take(broadcast: Broadcast, data: Uint8Array): void {
    const { protocol, subject } = broadcast;
    try {
      messages.inc({ protocol, result: broadcast.take(data) });
    } catch (error) {
      messages.inc({ protocol, result: 'undecodable' });
      sparing.tell(
        `undecodable ${subject}`,
        { subject, error: (error as Error).message, bytes: data.length },
        'A message does not decode; nothing is done for it.',
      );
    }
  }

  function refused(subject: string, { message }: NatsError): void {
    denied = `${subject}: ${message}`;
    log.error(
      { subject, error: message },
      'Changes that others announce are not heard: grant the user of this service to subscribe to it. They are found late, by reading again.',
    );
  }

  function subscribe(connection: NatsConnection): void {
    denied = undefined;
    for (const subscription of subscriptions) if (!subscription.isClosed()) subscription.unsubscribe();
    subscriptions = broadcasts.map((broadcast) =>
      connection.subscribe(broadcast.subject, {
        callback: (error, { data }) =>
          error === null ? take(broadcast, data) : refused(broadcast.subject, error),
      }),
    );
    flushed(link, connection).then(
      () => {
        for (const missed of new Set(broadcasts.map((broadcast) => broadcast.missed))) missed();
      },
      () => undefined, // the next connection comes here as well
    );
  }

  return {
    start() {
      forget = link.onUp(subscribe);
    },
    status() {
      if (denied !== undefined) return `not all subjects: ${denied}`;
      return link.current() === undefined ? 'not connected' : 'heard';
    },
    stop() {
      forget();
      for (const subscription of subscriptions) if (!subscription.isClosed()) subscription.unsubscribe();
    },
  };
}
