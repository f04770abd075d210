import t from 'tap';
import { metadataOf } from '../../src/model/record.js';
import { StorageUnavailable } from '../../src/storage/index.js';
import { codeOf, CONTEXT, fill, type Running, start, until, valueOf } from './support.js';

const status = async ({ register }: Running, taskId: string) =>
  valueOf(await register.batches.status(CONTEXT, 'app', taskId));

async function complete(running: Running, taskId: string, items: number) {
  await until(async () => {
    const { createdCount, failedCount } = await status(running, taskId);
    return createdCount + failedCount === items;
  });
  await until(async () => (await running.store.getTask(taskId))?.complete === true);
  return status(running, taskId);
}

void t.test('every item is created, or fails with its reason', async (t) => {
  const running = await start(t);
  await fill(t, running, { taken: {} });
  const endpoints = [
    { endpointId: 'a', endpointToken: 'ta', metadata: { x: 1 } },
    {},
    { endpointId: 'taken', endpointToken: 'tt', metadata: { y: 1 } },
    { endpointId: 'b', endpointToken: 'ta' },
    { endpointId: 'a', endpointToken: 'again' },
    { endpointId: '..' },
    { endpointToken: 'a.b' },
    { endpointId: 'c', metadata: { 'bad.key': 1 } },
  ];
  const { taskId, application } = valueOf(
    await running.register.batches.start(CONTEXT, { versionName: 'v1', endpoints }),
  );
  t.equal(application, 'app');
  const done = await complete(running, taskId, endpoints.length);
  t.equal(done.createdCount, 2);
  t.same(done.created[0], { endpointId: 'a', endpointToken: 'ta', metadata: { x: 1 } });
  t.match(done.created[1], {
    endpointId: /^[0-9a-f-]{36}$/,
    endpointToken: /^[A-Za-z0-9]{20}$/,
    metadata: {},
  });
  t.match(done.failed, [
    {
      endpointToken: 'tt',
      endpointId: 'taken',
      metadata: '{"y":1}',
      status: 'FAILED',
      code: 'endpoint-exists',
      statusReason: /"taken" is registered already/,
    },
    { endpointToken: 'ta', endpointId: 'b', code: 'token-taken', statusReason: /token/ },
    {
      endpointToken: 'again',
      endpointId: 'a',
      code: 'endpoint-exists',
      statusReason: /earlier endpoint with the id "a"/,
    },
    { endpointToken: null, endpointId: '..', code: 'invalid-endpoint-id', statusReason: /endpoint id/ },
    { endpointToken: 'a.b', endpointId: null, code: 'invalid-body', statusReason: /token/ },
    { endpointToken: null, endpointId: 'c', code: 'invalid-metadata-key', statusReason: /bad\.key/ },
  ]);
  t.same(metadataOf(valueOf(await running.register.endpoints.get(CONTEXT, 'a'))), { x: 1 });
  t.equal(codeOf(await running.register.batches.status(CONTEXT, 'other', taskId)), 'task-not-found');
  t.equal(
    codeOf(await running.register.batches.status({ ...CONTEXT, tenant: 'acme' }, 'app', taskId)),
    'task-not-found',
  );
  t.equal(codeOf(await running.register.batches.status(CONTEXT, 'app', 'none')), 'task-not-found');
  t.equal(
    codeOf(await running.register.batches.start(CONTEXT, { versionName: 'v9', endpoints })),
    'application-version-not-found',
  );
  const next = await running.restart();
  t.same(await status(next, taskId), done, 'it is kept over a restart');
});

void t.test('of endpoints that are given one token, the first is created', async (t) => {
  const running = await start(t);
  const names = Array.from({ length: 300 }, (_, i) => `e${i}`);
  const endpoints = names.flatMap((name) =>
    ['first', 'second', 'third'].map((place) => ({ endpointId: `${name}-${place}`, endpointToken: name })),
  );
  const { taskId } = valueOf(await running.register.batches.start(CONTEXT, { versionName: 'v1', endpoints }));
  const done = await complete(running, taskId, endpoints.length);
  t.same(
    done.created.map(({ endpointId }) => endpointId),
    names.map((name) => `${name}-first`),
  );
  t.same(new Set(done.failed.map(({ code }) => code)), new Set(['token-taken']));
});

void t.test('an empty batch is complete', async (t) => {
  const running = await start(t);
  const { taskId } = valueOf(
    await running.register.batches.start(CONTEXT, { versionName: 'v1', endpoints: [] }),
  );
  t.match(await complete(running, taskId, 0), { createdCount: 0, failedCount: 0 });
});

void t.test('a batch larger than the queue leaves room for others and comes to its end', async (t) => {
  const running = await start(t, { settings: { queueLimit: 300 } });
  const endpoints = Array.from({ length: 2000 }, (_, i) => ({ endpointId: `e${i}` }));
  const { taskId } = valueOf(await running.register.batches.start(CONTEXT, { versionName: 'v1', endpoints }));
  t.equal(
    codeOf(
      await running.register.endpoints.register(CONTEXT, {
        endpointId: 'other',
        versionName: 'v1',
        metadata: {},
      }),
    ),
    'ok',
  );
  t.match(await complete(running, taskId, 2000), { createdCount: 2000, failedCount: 0 });
});

void t.test(
  'a restart in the middle: what it registered counts as created, and nothing is registered twice',
  async (t) => {
    let commits = 0;
    const running = await start(t, {
      wrap: (store) => ({
        ...store,
        // some is written, with its answer lost; then nothing
        commit: async (writes) => {
          if (++commits > 3) throw new StorageUnavailable('away');
          const results = await store.commit(writes);
          if (commits === 3) throw new StorageUnavailable('its answer is lost');
          return results;
        },
      }),
    });
    const endpoints = Array.from({ length: 1000 }, (_, i) => ({
      endpointId: `e${i}`,
      endpointToken: `t${i}`,
      metadata: { i },
    }));
    const { taskId } = valueOf(
      await running.register.batches.start(CONTEXT, { versionName: 'v1', endpoints }),
    );
    await until(() => commits > 4);
    const registered = await running.store.count({ application: 'app' });
    t.ok(registered > 0 && registered < 1000, `${registered} are registered at the restart`);
    const next = await running.restart();
    const done = await complete(next, taskId, 1000);
    t.same([done.createdCount, done.failedCount], [1000, 0]);
    t.same(
      done.created.map(({ endpointToken }) => endpointToken),
      endpoints.map(({ endpointToken }) => endpointToken),
    );
    t.equal(await next.store.count({ application: 'app' }), 1000);
    const events = await next.store.readOutbox(100_000);
    t.equal(events.length, 1000, 'one registration each');
  },
);

void t.test('complete tasks are kept for their time', async (t) => {
  let now = Date.now();
  const running = await start(t, { now: () => now });
  const { taskId } = valueOf(
    await running.register.batches.start(CONTEXT, { versionName: 'v1', endpoints: [{}] }),
  );
  await complete(running, taskId, 1);
  now += 59_000;
  const soon = await running.restart({ now: () => now });
  t.equal(codeOf(await soon.register.batches.status(CONTEXT, 'app', taskId)), 'ok');
  now += 2000;
  const late = await soon.restart({ now: () => now });
  await until(async () => (await late.store.getTask(taskId)) === undefined);
  t.equal(codeOf(await late.register.batches.status(CONTEXT, 'app', taskId)), 'task-not-found');
});
