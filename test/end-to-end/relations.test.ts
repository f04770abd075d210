import t, { type Test } from 'tap';
import { startMongo, startNats } from '../servers/index.js';
import { readRelationsUpdated, type RelationsUpdatedEvent } from './support/contract-records.js';
import { connectNats } from './support/event-stream.js';
import { startService, WEATHER_CONFIG } from './support/service.js';
import { until } from './support/wait.js';

t.setTimeout(300_000);

const SUBJECT = 'kaa.v1.events.epr.endpoint.relations.updated';
const HUBS = 4;
const IDS = Array.from({ length: 24 }, (_, i) => `e${i}`);
/** answers before the service is killed, in each round */
const ANSWERS = [60, 25, 90];

interface Reply {
  status: number;
  body: unknown;
}

/** Endpoints linked, unlinked, registered with relations and unregistered from many sides, the service killed among it. */
async function killInRelations(t: Test, natsUrl: string, storageUrl?: string): Promise<void> {
  const nats = await connectNats(t, natsUrl);
  const events: RelationsUpdatedEvent[] = [];
  nats.subscribe(SUBJECT, {
    callback: (_error, message) => void events.push(readRelationsUpdated(message.data)),
  });
  const storage = storageUrl === undefined ? {} : { storageUrl };
  const service = await startService(t, { natsUrl, config: WEATHER_CONFIG, ...storage });
  const ask = async (method: string, path: string, body?: unknown, cause = 'none'): Promise<Reply> => {
    const headers = { 'content-type': 'application/json', 'x-correlation-id': cause };
    const request = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await fetch(`${service.rest.url}/api/v1${path}`, request);
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  };
  const contents = async (id: string): Promise<string[]> => {
    const { body } = await ask('GET', `/endpoints/${id}/relations?relation=contains`);
    const page = body as { totalElements: number; content: { endpointId: string }[] };
    const ids = page.content.map(({ endpointId }) => endpointId);
    t.equal(page.totalElements, ids.length, `the total of ${id}`);
    return ids;
  };
  const appVersion = { name: 'weather-v1' };
  for (const endpointId of [...Array.from({ length: HUBS }, (_, i) => `hub${i}`), ...IDS])
    t.equal((await ask('POST', '/endpoints', { endpointId, appVersion })).status, 201);

  /** what was answered last of each link; `doubt` when the last request had no answer */
  const expected = new Map<string, boolean | 'doubt'>();
  /** correlation ids of changes that were answered as done */
  const causes = new Set<string>();
  let answers = 0;
  let causeNumber = 0;
  let killed = false;

  /** One side has its own hub, so that it knows what its links must be. */
  async function side(own: number): Promise<void> {
    const hub = `hub${own}`;
    for (let i = 0; !killed; i++) {
      const id = IDS[(i * 7 + own * 3) % IDS.length]!;
      const link = `${hub}>${id}`;
      const isLinked = expected.get(link) === true;
      const cause = `c${causeNumber++}`;
      const before = expected.get(link);
      expected.set(link, 'doubt');
      try {
        const path = isLinked ? '/relations/unlink' : '/relations/link';
        const { status, body } = await ask('PUT', path, [{ type: 'contains', from: hub, to: id }], cause);
        if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
        expected.set(link, !isLinked);
        const done = (body as { status: string }[])[0]!.status;
        if (done === 'linked' || done === 'unlinked') causes.add(cause);
        else if (before !== 'doubt') t.fail(`${link} is ${done}`);
        answers++;
      } catch (error) {
        if (!killed) throw error;
      }
    }
  }

  /** Registers endpoints under the last hub, and unregisters every other. */
  const registered = new Map<string, boolean | 'doubt'>();
  async function register(round: number): Promise<void> {
    for (let i = 0; !killed; i++) {
      const endpointId = `r${round}-${i}`;
      const cause = `c${causeNumber++}`;
      registered.set(endpointId, 'doubt');
      try {
        const relations = [{ type: 'contains', from: `hub${HUBS - 1}` }];
        const { status } = await ask('POST', '/endpoints', { endpointId, appVersion, relations }, cause);
        if (status !== 201) throw new Error(`registration: ${status}`);
        registered.set(endpointId, true);
        causes.add(cause);
        if (i % 2 === 0) continue;
        registered.set(endpointId, 'doubt');
        const gone = `c${causeNumber++}`;
        if ((await ask('DELETE', `/endpoints/${endpointId}`, undefined, gone)).status !== 204)
          throw new Error('unregistration');
        registered.set(endpointId, false);
        causes.add(gone);
      } catch (error) {
        if (!killed) throw error;
      }
    }
  }

  for (const [round, wanted] of ANSWERS.entries()) {
    answers = 0;
    killed = false;
    const sides = [...Array.from({ length: HUBS - 1 }, (_, own) => side(own)), register(round)];
    await until({
      what: 'answers',
      longestAgainMs: 20,
      look: async () => (answers >= wanted ? { value: null } : { state: answers }),
    });
    killed = true;
    await service.kill();
    await Promise.all(sides);
    await service.restart();

    const stored = new Set<string>();
    for (let hub = 0; hub < HUBS - 1; hub++)
      for (const id of await contents(`hub${hub}`)) stored.add(`hub${hub}>${id}`);
    for (const [link, state] of expected) {
      if (state === 'doubt') expected.set(link, stored.has(link));
      else if (stored.has(link) !== state) t.fail(`${link} was answered as ${state}`);
    }
    const under = new Set(await contents(`hub${HUBS - 1}`));
    for (const [id, state] of registered) {
      const { status } = await ask('GET', `/endpoints/${id}`);
      if (state !== 'doubt') t.equal(status, state ? 200 : 404, `${id} was answered so`);
      if (under.has(id) !== (status === 200))
        t.fail(`${id} is registered: ${status}, linked: ${under.has(id)}`);
    }
  }
  const isToldOf = new Set<string>();
  await until({
    what: 'the events of all that was answered',
    look: async () => {
      for (const { correlationId } of events) isToldOf.add(correlationId);
      const missing = [...causes].filter((cause) => !isToldOf.has(cause));
      return missing.length === 0 ? { value: null } : { state: missing };
    },
  });
  t.pass(`${causes.size} changes were answered, ${events.length} events came`);
  const [first] = events;
  t.same(Object.keys(first!), ['correlationId', 'timestamp', 'timeout', 'endpointIds']);
  t.equal(first!.endpointIds.length, 2, 'both ends');
  t.equal(first!.timeout, 0);
}

const nats = await startNats(t);
if (nats !== undefined) {
  void t.test('relations on the embedded store, the service killed among their changes', (t) =>
    killInRelations(t, nats.url),
  );
  const mongo = await startMongo(t);
  if (mongo !== undefined)
    void t.test('the same on MongoDB', (t) => killInRelations(t, nats.url, mongo.freshUrl()));
}
