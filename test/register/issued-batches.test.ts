import t from 'tap';
import { StorageUnavailable } from '../../src/storage/index.js';
import { endpointOf } from '../peers/credential-server.js';
import { answer, type Behaviour, reset } from '../peers/support.js';
import { KEEPERS, type Place, register, startPlace, statusOf } from './issuer-support.js';
import { CONTEXT, type Running, until, valueOf } from './support.js';

interface Line {
  endpointId: string;
  endpointToken?: string;
}

/** Every third line gives its token. */
const lines = (count: number): Line[] =>
  Array.from({ length: count }, (_, i) => ({
    endpointId: `e${i}`,
    ...(i % 3 === 0 ? { endpointToken: `given-${i}` } : {}),
  }));

const begin = async ({ register }: Running, endpoints: readonly Line[]): Promise<string> =>
  valueOf(await register.batches.start(CONTEXT, { versionName: 'v1', endpoints })).taskId;

async function complete(running: Running, taskId: string) {
  await until(async () => (await running.store.getTask(taskId))?.complete === true);
  return statusOf(running, taskId);
}

/** Each created line has the token that is told, and it is the last of its endpoint. */
function wrongTokens({ cm }: Place, { created }: Awaited<ReturnType<typeof statusOf>>): unknown[] {
  return created.filter(({ endpointId, endpointToken }) => cm.tokensOf(endpointId).at(-1) !== endpointToken);
}

for (const keeper of KEEPERS) {
  void t.test(`${keeper}: a batch of which some get no token`, async (t) => {
    const place = await startPlace(t, keeper);
    if (place === undefined) return;
    const { running, cm } = place;
    const endpoints = lines(1000);
    await register(running, { endpointId: 'first', endpointToken: 'given-9' });
    await register(running, { endpointId: 'e500' });
    const tried = new Map<string, number>();
    const losing: Behaviour = (response, asked) =>
      cm.works(
        { ...response, writeHead: () => reset(response, asked), end: () => undefined } as never,
        asked,
      );
    const special: Record<string, (time: number) => Behaviour> = {
      e20: () => answer(400, { message: 'not this one' }),
      e30: () => answer(500, ''),
      e40: (time) => (time === 1 ? reset : cm.works),
      e60: (time) => (time === 1 ? losing : cm.works),
    };
    cm.behave((response, asked) => {
      const id = endpointOf(asked)!;
      tried.set(id, (tried.get(id) ?? 0) + 1);
      (special[id]?.(tried.get(id)!) ?? cm.works)(response, asked);
    });
    const done = await complete(running, await begin(running, endpoints));
    t.match(done.failed, [
      { endpointId: 'e9', endpointToken: 'given-9', code: 'token-taken', statusReason: /has this token/ },
      { endpointId: 'e20', endpointToken: null, code: 'token-refused', statusReason: /not this one/ },
      {
        endpointId: 'e30',
        endpointToken: 'given-30',
        code: 'credentials-unavailable',
        statusReason: /no answer/,
      },
      {
        endpointId: 'e60',
        endpointToken: 'given-60',
        code: 'token-taken',
        statusReason: /an earlier try had no answer/,
      },
      { endpointId: 'e500', code: 'endpoint-exists' },
    ]);
    t.equal(done.createdCount, 995, 'all others are done');
    t.same(wrongTokens(place, done), []);
    t.equal(tried.get('e30'), 5);
    t.notOk(tried.has('e500'), 'it was there');
    t.equal(
      [...tried.values()].reduce((sum, count) => sum + count, 0),
      999 + 4 + 1 + 1,
      'the others once',
    );
    t.equal(await running.store.count({ application: 'app' }), 997);
  });

  void t.test(
    `${keeper}: a restart when tokens are issued and their endpoints are not registered`,
    async (t) => {
      const place = await startPlace(t, keeper);
      if (place === undefined) return;
      const { running, cm, before } = place;
      const endpoints = lines(800);
      let commits = 0;
      before.commit = async () => {
        if (++commits > 1) throw new StorageUnavailable('away');
      };
      const taskId = await begin(running, endpoints);
      await until(() => commits > 3);
      const issued = new Set(cm.endpoints());
      t.equal(issued.size, 500, 'of one round');
      const next = await place.restart();
      const done = await complete(next, taskId);
      t.same([done.createdCount, done.failedCount], [800, 0]);
      t.same(wrongTokens(place, done), []);
      t.equal(cm.asked.length, 800, 'each was asked for once');
      t.equal(await next.store.count({ application: 'app' }), 800);
    },
  );
}

void t.test('a restart before it is stored which tokens were issued', async (t) => {
  const place = (await startPlace(t))!;
  const { running, cm, before } = place;
  const taskId = await begin(running, lines(90));
  let stores = 0;
  before.putTask = async () => {
    stores++;
    throw new StorageUnavailable('away');
  };
  await until(() => stores > 0);
  t.equal(cm.endpoints().length, 90);
  t.equal(await running.store.count({ application: 'app' }), 0, 'none is used before');
  const done = await complete(await place.restart(), taskId);
  t.same([done.createdCount, done.failedCount], [60, 30]);
  t.same(wrongTokens(place, done), [], 'those that are made are made again');
  t.match(done.failed[0], { code: 'token-taken', statusReason: /earlier try of this very registration/ });
});

void t.test('a batch waits while credential management is away', async (t) => {
  const place = (await startPlace(t))!;
  const { running, cm } = place;
  let asked = 0;
  cm.behave((response, request) => {
    if (++asked <= 30) cm.works(response, request);
    else answer(429, '')(response, request);
  });
  const taskId = await begin(running, lines(200));
  // some more than were on their way
  await until(() => asked > 120);
  t.equal((await statusOf(running, taskId)).failedCount, 0);
  cm.behave(cm.works);
  const done = await complete(running, taskId);
  t.same([done.createdCount, done.failedCount], [200, 0]);
  t.same(wrongTokens(place, done), []);
  t.equal(cm.endpoints().filter((id) => cm.tokensOf(id).length !== 1).length, 0, 'one token each');
});
