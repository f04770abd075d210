/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access -- answers are JSON of any shape */
import t from 'tap';
import { openAccess } from '../../src/security/index.js';
import { registerKettle, startHarness } from './harness.js';

void t.test('endpoints are deleted by list, each by itself', async (t) => {
  const h = await startHarness(t);
  for (const id of ['a', 'b', 'c']) await registerKettle(h, id, { n: 1 });
  const answer = await h.call('POST', '/endpoints/delete', {
    endpointIds: ['c', 'nobody', 'a', 'no/id', 'c', ''],
  });
  t.equal(answer.status, 200);
  t.same(answer.json.deleted, ['c', 'a'], 'in the order of the request, once each');
  t.same(
    answer.json.failed.map((each: { endpointId: string; code: string }) => [each.endpointId, each.code]),
    [
      ['nobody', 'endpoint-not-found'],
      ['no/id', 'invalid-endpoint-id'],
      ['', 'invalid-endpoint-id'],
    ],
  );
  t.ok(answer.json.failed.every((each: { message: string }) => each.message.length > 10));
  t.equal((await h.call('GET', '/endpoints/a')).status, 404);
  t.equal((await h.call('GET', '/endpoints/b')).status, 200);
  t.equal((await h.call('GET', '/endpoints')).json.totalElements, 1);
  t.same((await h.call('POST', '/endpoints/delete', { endpointIds: [] })).json, { deleted: [], failed: [] });
  const again = await h.call('POST', '/endpoints/delete', { endpointIds: ['a'] });
  t.match(again.json, { deleted: [], failed: [{ endpointId: 'a', code: 'endpoint-not-found' }] });
});

void t.test('as many as are allowed, and one more', async (t) => {
  const h = await startHarness(t);
  const items = Array.from({ length: 1000 }, (_none, i) => ({ endpointId: `e${i}` }));
  for (let round = 0; round < 3; round++) {
    const endpoints = items.map(({ endpointId }) => ({ endpointId: `${endpointId}-${round}` }));
    await h.call('POST', '/endpoints/batch', { appVersion: { name: 'kettle-v1' }, endpoints });
  }
  const registered = async () => (await h.call('GET', '/endpoints?limit=1')).json.totalElements as number;
  while ((await registered()) < 3000);
  const endpointIds = Array.from({ length: 10_000 }, (_none, i) => `e${i % 1000}-${Math.floor(i / 1000)}`);
  const { json } = await h.call('POST', '/endpoints/delete', { endpointIds });
  t.same(json.deleted, endpointIds.slice(0, 3000));
  t.equal(json.failed.length, 7000);
  t.equal(await registered(), 0);
  const more = await h.call('POST', '/endpoints/delete', { endpointIds: [...endpointIds, 'x'] });
  t.match([more.status, more.json.code, more.json.details[0].path], [400, 'invalid-body', '/endpointIds']);
});

void t.test('bad lists change nothing', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'a');
  for (const body of [{}, { endpointIds: 'a' }, { endpointIds: ['a', 1] }, { endpointIds: ['a'], x: 1 }, []])
    t.equal((await h.call('POST', '/endpoints/delete', body)).json.code, 'invalid-body');
  t.equal((await h.call('GET', '/endpoints/a')).status, 200);
});

void t.test('each must be granted; what is unknown to the caller stays so', async (t) => {
  const access = {
    ...openAccess(),
    authenticates: true,
    decide: async (_caller: object, scope: string, resources: readonly string[]) =>
      resources.map((each) => scope !== 'endpoint:delete' || each === 'endpoint-mine'),
  };
  const h = await startHarness(t, { access });
  for (const id of ['mine', 'theirs']) await registerKettle(h, id);
  const { json } = await h.call('POST', '/endpoints/delete', { endpointIds: ['theirs', 'nobody', 'mine'] });
  t.match(json, {
    deleted: ['mine'],
    failed: [
      { endpointId: 'theirs', code: 'forbidden' },
      { endpointId: 'nobody', code: 'endpoint-not-found' },
    ],
  });
  t.equal((await h.call('GET', '/endpoints/theirs')).status, 200);
});

void t.test('those that the register can not take now are named as such', async (t) => {
  const settings = { queueLimit: 20_000 };
  const h = await startHarness(t, { settings });
  await registerKettle(h, 'a');
  settings.queueLimit = 0;
  const { json } = await h.call('POST', '/endpoints/delete', { endpointIds: ['a'] });
  t.match(json, { deleted: [], failed: [{ endpointId: 'a', code: 'overloaded' }] });
  settings.queueLimit = 20_000;
  t.same((await h.call('POST', '/endpoints/delete', { endpointIds: ['a'] })).json.deleted, ['a']);
});
