import type { JetStreamManager } from 'nats';
import { untilPublished } from '../end-to-end/support/event-stream.js';
import type { Service } from '../end-to-end/support/service.js';
import { until } from '../end-to-end/support/wait.js';
import { CONNECTED_CONSUMER, CONNECTED_STREAM } from './nats-writers.js';

/** Resolves when the service has taken every connected event and published all that it has stored. */
export async function untilQuiet(service: Service, manager: JetStreamManager): Promise<void> {
  await until({
    what: 'the consumer of connected events to have nothing left',
    look: async () => {
      const info = await manager.consumers.info(CONNECTED_STREAM, CONNECTED_CONSUMER);
      const { num_pending: pending, num_ack_pending: unacknowledged } = info;
      return pending === 0 && unacknowledged === 0 ? { value: null } : { state: { pending, unacknowledged } };
    },
  });
  await untilPublished(service);
}
