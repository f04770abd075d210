import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsConnection } from 'nats';
import { runCli } from '../../cli/run-cli.js';
import { EVENTS_STREAM } from './event-stream.js';
import type { Service } from './service.js';
import { until } from './wait.js';

export const republish = (service: Service, ...args: string[]) =>
  runCli(['republish', '--url', service.rest.url, ...args]);

/**
 * The stream goes with all that it knows, and the register makes it again. A little later: a nats-server (2.15) that is asked for
 * a stream in the very moment that it deletes it may make one that knows the old ids.
 */
export async function lose(connection: NatsConnection, services: readonly Service[]): Promise<void> {
  const manager = await connection.jetstreamManager();
  for (const service of services) service.signal('SIGSTOP');
  await manager.streams.delete(EVENTS_STREAM);
  await sleep(300);
  for (const service of services) service.signal('SIGCONT');
  await until({
    what: 'the stream to be there again',
    look: async () => {
      const names = await manager.streams.names().next();
      return names.includes(EVENTS_STREAM) ? { value: null } : { state: names };
    },
  });
}
