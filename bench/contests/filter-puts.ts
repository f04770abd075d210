import type { Contest, Contestant } from '../contest.js';
import { WAVE_STEPS } from '../fleet.js';
import { alertsBeside, THRESHOLDS } from '../servers/saved-filters.js';
import { startBroker } from '../servers/outside.js';
import { startService } from '../servers/service.js';
import { createServiceContestant, FILTER_EVENTS, startPutClient } from './embedded-puts.js';

/** What active filters cost the whole service: the same one twice, with the 24 filters, and with alerts beside them. */
export const filterPuts = createFilterContest('filters', 'with NATS', true, 'hourly');
export const filterPutsAlone = createFilterContest('filters-alone', 'without a broker', false, 'hourly');
export const filterPutsCalm = createFilterContest(
  'filters-calm',
  'without a broker, temperatures that move by a tenth of a degree',
  false,
  'calm',
);

function createFilterContest(
  id: string,
  surroundingsTitle: string,
  hasBroker: boolean,
  wave: keyof typeof WAVE_STEPS,
): Contest {
  return {
    id,
    title: `Single durable PUTs of one metadata key with many active filters, ${surroundingsTitle}`,
    unit: 'requests/s',
    aim: '80% of the rate with 24 filters, with 100,000 more',
    async open(surroundings) {
      const { folder, alerts } = surroundings;
      const client = await startPutClient(surroundings);
      const contestants: Contestant[] = [];
      for (const more of [undefined, THRESHOLDS, alertsBeside(alerts)]) {
        // One each: what is in its stream is counted.
        const broker = hasBroker ? await startBroker(surroundings) : undefined;
        if (hasBroker && broker === undefined) return undefined;
        const name = `${id}-${more?.name ?? 'few'}`;
        const service = await startService(
          {
            name,
            storageUrl: `file:${folder}/${name}/data`,
            ...(broker === undefined ? {} : { natsUrl: broker.url }),
            ...(more === undefined ? {} : { more }),
          },
          surroundings,
        );
        const filters = `${(24 + (more?.count ?? 0)).toLocaleString('en-US')} filters`;
        contestants.push(
          createServiceContestant(client, service, broker, surroundings, {
            name: `the service with ${filters}`,
            what: `the service with ${filters} of the application active${more === undefined ? '' : `, ${more.what} among them`}`,
            own: more !== undefined,
            waveStep: WAVE_STEPS[wave],
            filterEventsBefore: (await broker?.countEvents(FILTER_EVENTS)) ?? 0,
          }),
        );
      }
      return contestants;
    },
  };
}
