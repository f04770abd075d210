import { untilPublished } from '../end-to-end/support/event-stream.js';
import type { Service } from '../end-to-end/support/service.js';
import { within } from '../end-to-end/support/wait.js';
import type { ConnectivityWriter } from './connectivity-writer.js';

/** Resolves when the registers have taken every connectivity event and published all that is stored. */
export async function untilQuiet(
  services: readonly Service[],
  connectivity: readonly ConnectivityWriter[],
): Promise<void> {
  const taken = Promise.all(connectivity.map((writer) => writer.untilAcknowledged()));
  await within('the connectivity events to be acknowledged', taken, () =>
    services.map((service) => service.output().slice(-1000)),
  );
  // what one still has may be handed over to another
  for (let round = 0; round < services.length; round++)
    for (const service of services) await untilPublished(service);
}
