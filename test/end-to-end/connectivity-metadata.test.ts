import t from 'tap';
import { startNats } from '../servers/index.js';
import { writeConnected } from './support/contract-records.js';
import { connectNats } from './support/event-stream.js';
import { startService } from './support/service.js';
import { until } from './support/wait.js';
import { readStations } from './support/weather.js';

const CONFIG = `
kaa:
  epr: { connectivity-metadata: true, restricted-metadata-keys: [connected, connectivity_ts] }
  applications:
    weather: { versions: { weather-v1: , weather-v2: , weather-v3: } }
logging: { format: json }
`;

void t.test(
  'the setting: what connectivity events say is metadata, though nobody may write it',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const connection = await connectNats(t, nats.url);
    await (
      await connection.jetstreamManager()
    ).streams.add({ name: 'kpc_events', subjects: ['kaa.v1.events.kpc.>'] });
    const service = await startService(t, { natsUrl: nats.url, config: CONFIG });
    const stations = readStations().slice(0, 1);
    await service.rest.registerFleet(stations);
    const { endpointId, appVersion } = stations[0]!;
    const said = { connected: 1_000_000_000_001, disconnected: 1_000_000_000_002 };
    for (const [kind, timestampMs] of Object.entries(said)) {
      const subject = `kaa.v1.events.kpc.endpoint.connectivity.${kind}`;
      connection.publish(subject, writeConnected({ [endpointId]: appVersion.name }, timestampMs));
      const expected = kind === 'connected';
      const metadata = await until({
        what: `the endpoint to be ${kind}`,
        look: async () => {
          const state = (await service.rest.endpoints()).get(endpointId)!.metadata;
          return state['connected'] === expected ? { value: state } : { state };
        },
      });
      t.equal(metadata['connectivity_ts'], timestampMs);
    }
  },
);
