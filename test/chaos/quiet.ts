import { untilPublished } from '../end-to-end/support/event-stream.js';
import type { Service } from '../end-to-end/support/service.js';
import { within } from '../end-to-end/support/wait.js';
import type { ConnectedWriter } from './connected-writer.js';

/** Resolves when the service has taken every connected event and published all that it has stored. */
export async function untilQuiet(service: Service, connected: readonly ConnectedWriter[]): Promise<void> {
  const taken = Promise.all(connected.map((writer) => writer.untilAcknowledged()));
  await within('the connected events to be acknowledged', taken, () => service.output().slice(-1000));
  await untilPublished(service);
}
