import t from 'tap';
import { decodeEvent } from '../../src/avro/index.js';
import { createClient, json, metadataOf, untilAnswered } from '../messaging/served-support.js';
import { startNats } from '../servers/index.js';
import { connectNats, createEventsStream, readEvents, untilPublished } from './support/event-stream.js';
import { startService, WEATHER_CONFIG } from './support/service.js';
import { readStations } from './support/weather.js';

const UPDATE = 'ep-metadata-key-update-request';
const SENT = 3000;
const IN_FLIGHT = 64;

t.setTimeout(600_000);

void t.test('requests over NATS of a service that stops among them and comes back', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectNats(t, nats.url);
  await createEventsStream(connection);
  const stations = readStations().slice(0, 50);
  const service = await startService(t, { natsUrl: nats.url, config: WEATHER_CONFIG });
  await service.rest.registerFleet(stations);
  const client = createClient(connection);
  await untilAnswered(client);

  const answered = new Map<string, number>();
  let unanswered = 0;
  let stopping: Promise<void> | undefined;
  const sending: Promise<void>[] = [];
  for (let n = 0; n < SENT; n++) {
    const { endpointId } = stations[n % stations.length]!;
    const request = { endpointId, metadataKey: 'n', metadataValue: json(n), correlationId: `n-${n}` };
    const one = client.epmmp(UPDATE, request).then(
      ({ statusCode }) => {
        if (statusCode !== 200) throw new Error(`${n} is answered ${statusCode}`);
        answered.set(endpointId, n);
      },
      (error: Error & { code: string }) => {
        // nobody is there any more: never one that was taken and not answered
        if (error.code !== '503') throw error;
        unanswered++;
      },
    );
    sending.push(one);
    // some under way all the time
    if (n >= IN_FLIGHT) await sending[n - IN_FLIGHT];
    if (n === SENT / 2) stopping = service.stop();
  }
  await Promise.all(sending);
  await stopping;
  t.comment(`${SENT - unanswered} were answered, ${unanswered} found nobody`);
  t.ok(unanswered > 0 && unanswered < SENT);

  await service.restart();
  await untilAnswered(client);
  const wrong: string[] = [];
  for (const [endpointId, n] of answered) {
    const { n: stored } = (await metadataOf(client, endpointId)) as { n: number };
    if (stored !== n) wrong.push(`${endpointId}: ${n} was answered last, ${stored} is stored`);
  }
  t.same(wrong, []);
  await untilPublished(service);
  const causes = (await readEvents(connection)).flatMap(({ kind, data }) =>
    kind === 'metadata-updated' ? [decodeEvent(kind, data).correlationId] : [],
  );
  t.equal(new Set(causes).size, SENT - unanswered, 'every change has its event, under its own correlationId');
});
