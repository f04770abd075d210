import { startChild } from '../children.js';
import type { SlowFigures } from '../clients/slow-client.js';
import type { Contest, Contestant } from '../contest.js';
import { startService } from '../servers/service.js';
import { createServiceContestant, startPutClient } from './embedded-puts.js';

const SOCKETS = 5000;

/** What others notice of clients that take their time: the same service twice, one of them besieged. */
export const slowClients: Contest = {
  id: 'slow-clients',
  title: `Single durable PUTs beside ${SOCKETS.toLocaleString('en-US')} connections that drip headers, bodies and streams, a byte a second each`,
  unit: 'requests/s',
  aim: 'p99 below twice that without them',
  async open(surroundings) {
    const { folder, teardown } = surroundings;
    const client = await startPutClient(surroundings);
    const besiegers = await startChild('./clients/slow-client.js', { sockets: SOCKETS });
    teardown(() => besiegers.kill());
    const contestantOf = async (name: string, what: string, own: boolean) => {
      const service = await startService({ name, storageUrl: `file:${folder}/${name}/data` }, surroundings);
      const contestant = createServiceContestant(client, service, undefined, surroundings, {
        name: `the service, ${name}`,
        what,
        own,
      });
      return { service, contestant };
    };
    const alone = await contestantOf('alone', 'the service without other clients', false);
    const beside = await contestantOf('besieged', `the service with ${SOCKETS} slow connections`, true);
    const besieged: Contestant = {
      ...beside.contestant,
      processes: () => ({ ...beside.contestant.processes(), 'slow clients': besiegers.pid }),
      async measure(run) {
        await besiegers.ask('begin', Number(new URL(beside.service.url).port));
        const sample = await beside.contestant.measure(run).catch(async (error: unknown) => {
          await besiegers.ask('end');
          throw error;
        });
        const { open, ended } = await besiegers.ask<SlowFigures>('end');
        return {
          ...sample,
          notes: { ...sample.notes, 'slow connections open': open, 'ended by the service': ended },
        };
      },
    };
    return [alone.contestant, besieged];
  },
};
