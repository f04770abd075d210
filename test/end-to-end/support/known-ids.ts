import { headers, nanos, type NatsConnection } from 'nats';
import { EVENTS_STREAM } from './event-stream.js';
import { until } from './wait.js';

const PROBE = 'probe';
const SHORT_MS = 200;

/** The events stream, whose `duplicate_window` the test sets. */
export async function createForgetfulStream(connection: NatsConnection) {
  const manager = await connection.jetstreamManager();
  const stream = connection.jetstream();
  const config = { name: EVENTS_STREAM, subjects: ['kaa.v1.events.epr.>', PROBE] };
  const isTaken = async (id: string) => {
    const own = headers();
    own.set('Nats-Msg-Id', id);
    return !(await stream.publish(PROBE, '', { headers: own })).duplicate;
  };
  const setWindow = async (ms: number) =>
    void (await manager.streams.update(EVENTS_STREAM, { ...config, duplicate_window: nanos(ms) }));
  let probes = 0;
  await manager.streams.add({ ...config, duplicate_window: nanos(SHORT_MS) });

  return {
    setWindow,
    purge: () => manager.streams.purge(EVENTS_STREAM, { filter: 'kaa.>' }),
    /** Resolves when the ids of all that it has got until now are forgotten; its window is short from then on. */
    async forget(): Promise<void> {
      await setWindow(SHORT_MS);
      const id = `probe-${probes++}`;
      await isTaken(id);
      await until({
        what: 'the stream to have forgotten what it got',
        look: async () => ((await isTaken(id)) ? { value: null } : { state: id }),
      });
      await manager.streams.purge(EVENTS_STREAM, { filter: PROBE });
    },
  };
}
