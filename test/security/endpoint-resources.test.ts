import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { command, CONTEXT, type Running, start, startIn } from '../register/support.js';
import { startKeycloak, startMongo } from '../servers/index.js';
import { tenantOf } from './keycloak-support.js';
import { realResources } from './resources-support.js';

const CHILD = fileURLToPath(new URL('./resources-child.js', import.meta.url));
const keycloak = await startKeycloak(t);
if (keycloak !== undefined) {
  const [kaa, acme] = await Promise.all([keycloak.realm(), keycloak.realm()]);
  const tenants = [tenantOf(kaa), tenantOf(acme, 'acme')];

  const register = (running: Running, endpointId: string, subject?: string, versionName = 'v1') =>
    running.register.endpoints.register(subject === undefined ? CONTEXT : { ...CONTEXT, subject }, {
      endpointId,
      versionName,
      metadata: {},
    });
  const unregister = (running: Running, endpointId: string) =>
    running.register.endpoints.submit(command(endpointId, { type: 'unregister' }));
  const listed = (running: Running) => running.store.listTexts('endpoint-resource/', 100);
  const idOf = async (endpointId: string) => (await kaa.resource(`endpoint-${endpointId}`))?._id;
  /** The limit is the test's own. */
  const until = async (is: () => Promise<boolean>) => {
    while (!(await is())) await pause(20);
  };
  const settled = (running: Running) => until(async () => (await listed(running)).length === 0);

  void t.test(
    'an endpoint has its resource, in the realm of its tenant, as long as it is registered',
    async (t) => {
      const { resources } = realResources(t, tenants);
      const running = await start(t, { resources });
      t.equal((await register(running, 'a', 'sub-1')).kind, 'ok');
      t.match(await kaa.resource('endpoint-a'), {
        name: 'endpoint-a',
        type: 'endpoint',
        ownerManagedAccess: false,
        attributes: { creator: ['sub-1'] },
      });
      const { scopes } = (await kaa.resource('endpoint-a')) as { scopes: { name: string }[] };
      t.same(scopes.map(({ name }) => name).sort(), ['endpoint:delete', 'endpoint:read', 'endpoint:update']);
      t.equal((await register(running, 'w', 'sub-1', 'w1')).kind, 'ok');
      t.same(await acme.resources('endpoint-'), ['endpoint-w']);

      t.match(await register(running, 'a', 'sub-2'), { kind: 'refused', code: 'endpoint-exists' });
      t.match(await register(running, 'a', 'sub-2', 'w1'), { kind: 'refused', code: 'endpoint-exists' });
      t.match(
        await kaa.resource('endpoint-a'),
        { attributes: { creator: ['sub-1'] } },
        'who comes later is not its creator',
      );
      t.same(await acme.resources('endpoint-'), ['endpoint-w']);
      t.match(
        await running.register.endpoints.register(CONTEXT, {
          endpointId: 'b',
          versionName: 'v1',
          metadata: { '': 1 },
        }),
        { kind: 'refused' },
      );
      await settled(running);
      t.same(await kaa.resources('endpoint-'), ['endpoint-a'], 'nothing is left of a refused one');

      t.equal((await unregister(running, 'a')).kind, 'applied');
      await settled(running);
      t.same(await kaa.resources('endpoint-'), []);
      await kaa.addResource('endpoint-a', ['endpoint:read']);
      const leftover = await idOf('a');
      t.equal((await register(running, 'a', 'sub-3')).kind, 'ok', 'in the place of a leftover');
      t.match(await kaa.resource('endpoint-a'), { attributes: { creator: ['sub-3'] } });
      t.not(await idOf('a'), leftover, 'nothing that was given on it counts');
      t.match(await register(running, 'x'.repeat(247)), { kind: 'refused', code: 'invalid-endpoint-id' });
      t.equal((await register(running, 'x'.repeat(246))).kind, 'ok');
      await unregister(running, 'x'.repeat(246));
    },
  );

  void t.test('a batch makes one for each, some at a time', async (t) => {
    const { resources } = realResources(t, tenants);
    const running = await start(t, { resources });
    const ids = Array.from({ length: 40 }, (_, i) => `batch-${String(i).padStart(2, '0')}`);
    const started = await running.register.batches.start(
      { ...CONTEXT, subject: 'sub-b' },
      { versionName: 'v1', endpoints: ids.map((endpointId) => ({ endpointId })) },
    );
    if (started.kind !== 'ok') throw new Error(JSON.stringify(started));
    const { application, taskId } = started.value;
    await until(async () => {
      const status = await running.register.batches.status(CONTEXT, application, taskId);
      return status.kind === 'ok' && status.value.createdCount === ids.length;
    });
    t.same(
      await kaa.resources('endpoint-batch'),
      ids.map((id) => `endpoint-${id}`),
    );
    t.match(await kaa.resource('endpoint-batch-07'), { attributes: { creator: ['sub-b'] } });
  });

  void t.test('the auth server is away', async (t) => {
    const { resources, away } = realResources(t, tenants);
    const running = await start(t, { resources });
    await register(running, 'there');
    await settled(running);
    away.is = true;
    const fault = { kind: 'retry', code: 'auth-server-unavailable' };
    t.match(await register(running, 'none'), fault);
    t.match(await running.register.endpoints.get(CONTEXT, 'none'), { code: 'endpoint-not-found' });
    t.equal((await unregister(running, 'there')).kind, 'applied', 'the endpoint goes first');
    t.ok(await kaa.resource('endpoint-there'));
    t.equal((await listed(running)).length, 2);
    away.is = false;
    await settled(running);
    t.equal(await kaa.resource('endpoint-there'), undefined, 'and its resource later');

    await register(running, 'reused');
    const earlier = await idOf('reused');
    await settled(running);
    away.is = true;
    await unregister(running, 'reused');
    away.is = false;
    t.equal((await register(running, 'reused')).kind, 'ok');
    const id = await idOf('reused');
    t.not(id, earlier);
    await settled(running);
    t.equal(await idOf('reused'), id, 'the removal of the earlier one does not touch it');
  });

  for (const doing of ['register', 'unregister'])
    void t.test(`killed while it ${doing}s: nothing is left for good`, async (t) => {
      const folder = await mkdtemp(join(tmpdir(), 'epr-resources-'));
      t.teardown(() => rm(folder, { recursive: true, force: true }));
      const child = fork(CHILD, [folder, doing, JSON.stringify(tenants[0])]);
      t.teardown(() => child.kill('SIGKILL'));
      await once(child, 'message');
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      const name = `endpoint-killed-${doing}`;
      t.ok(await kaa.resource(name), 'an orphan');
      const { resources } = realResources(t, tenants);
      const running = await startIn(t, folder, { resources });
      t.match(await running.register.endpoints.get(CONTEXT, `killed-${doing}`), {
        code: 'endpoint-not-found',
      });
      await settled(running);
      t.equal(await kaa.resource(name), undefined);
    });

  const mongo = await startMongo(t);
  if (mongo !== undefined) {
    void t.test('on MongoDB', async (t) => {
      const storageUrl = mongo.url;
      const { resources, away } = realResources(t, tenants);
      const running = await start(t, { resources, storageUrl });
      t.equal((await register(running, 'm', 'sub-m')).kind, 'ok');
      await settled(running);
      away.is = true;
      await unregister(running, 'm');
      t.match(await listed(running), [{ name: 'endpoint-resource/kaa/m' }]);
      away.is = false;
      const again = await running.restart({ resources, storageUrl });
      await settled(again);
      t.equal(await kaa.resource('endpoint-m'), undefined);
    });

    for (const when of ['before', 'after'])
      void t.test(
        `another replica removes what an earlier endpoint left, just ${when} it is registered again`,
        async (t) => {
          const endpointId = `shared-${when}`;
          const { resources } = realResources(t, tenants);
          const removing = gate();
          const go = gate();
          const removed = gate();
          const first = await start(t, {
            storageUrl: mongo.url,
            replica: `first-${when}`,
            resources: {
              ...resources,
              async remove(...of) {
                removing.open();
                await go.opened;
                return resources.remove(...of).finally(removed.open);
              },
            },
          });
          const now = async () => {
            go.open();
            await removed.opened;
          };
          const second = await start(t, {
            storageUrl: mongo.url,
            replica: `second-${when}`,
            resources,
            wrap: (store) => ({
              ...store,
              async commit(...batch) {
                if (when === 'before') await now();
                return store.commit(...batch);
              },
            }),
          });
          t.equal((await register(first, endpointId)).kind, 'ok');
          await settled(first);
          await unregister(first, endpointId);
          await removing.opened;
          t.equal((await register(second, endpointId)).kind, 'ok');
          if (when === 'after') {
            await settled(second);
            await now();
            // who removes it sees then that it is registered
            await until(async () => (await kaa.resource(`endpoint-${endpointId}`)) !== undefined);
          }
          await settled(first);
          t.ok(await kaa.resource(`endpoint-${endpointId}`));
        },
      );
  }
}

function gate() {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}
