import t from 'tap';
import { startNats } from '../servers/index.js';
import { connectNats, readEvents, untilPublished } from './support/event-stream.js';
import { findGaps } from './support/order.js';
import { startService, WEATHER_CONFIG } from './support/service.js';
import { until } from './support/wait.js';
import { readStations } from './support/weather.js';

t.setTimeout(120_000);

void t.test(
  'with no broker, callers are answered and events wait, over a crash; all come out in the end',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined || !nats.managed) return;
    await nats.stop();
    const stations = readStations().slice(0, 40);
    const config = `${WEATHER_CONFIG}nats: { jetstream: { events-stream: epr_events } }\n`;
    const service = await startService(t, { natsUrl: nats.url, config });
    await service.rest.registerFleet(stations);
    const putAll = async (n: number) => {
      for (const { endpointId } of stations)
        await service.rest.ask('PUT', `/api/v1/endpoints/${endpointId}/metadata/n`, 200, n);
    };
    await putAll(1);
    await service.kill();
    await service.restart();
    await putAll(2);
    const ready = await fetch(`${service.managementUrl()}/health/ready`);
    t.equal(ready.status, 200);
    t.match(await ready.json(), {
      components: { nats: { status: 'UP', details: { connected: false, backlog: 120 } } },
    });

    await nats.restart();
    await until({
      what: 'the broker to be found',
      look: async () => {
        const health = (await (await fetch(`${service.managementUrl()}/health`)).json()) as {
          components: { nats: { details: { connected: boolean } } };
        };
        const { details } = health.components.nats;
        return details.connected ? { value: null } : { state: details };
      },
    });
    process.kill(nats.pid, 'SIGSTOP');
    await putAll(3);
    process.kill(nats.pid, 'SIGCONT');
    await untilPublished(service);
    const events = await readEvents(await connectNats(t, nats.url));
    t.same(findGaps(events, new Map(stations.map(({ endpointId }) => [endpointId, 4]))), []);
    t.equal(events.length, 160, 'each once');
  },
);
