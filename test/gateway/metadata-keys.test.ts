import t from 'tap';
import { openAccess } from '../../src/security/index.js';
import { registerKettle, startHarness } from './harness.js';

const path = '/applications/kettle/metadata-keys';

void t.test('the keys of an application, by version, follow every way of change', async (t) => {
  const h = await startHarness(t);
  const keys = async (): Promise<unknown> => {
    const answer = await h.call('GET', path);
    t.equal(answer.status, 200);
    return answer.json;
  };
  t.same(await keys(), { 'kettle-v1': [], 'kettle-v2': [] });
  await registerKettle(h, 'k1', { temp: 1, city: 'Kyiv' });
  await registerKettle(h, 'k2', { temp: 2 });
  t.same(await keys(), { 'kettle-v1': ['city', 'temp'], 'kettle-v2': [] });
  await h.call('PUT', '/endpoints/k1/metadata/on', true);
  await h.call('DELETE', '/endpoints/k1/metadata/city');
  t.same(await keys(), { 'kettle-v1': ['on', 'temp'], 'kettle-v2': [] });
  await h.call('PATCH', '/endpoints/k1/metadata', [
    { op: 'add', path: '/a', value: 1 },
    { op: 'remove', path: '/a' },
    { op: 'move', from: '/on', path: '/off' },
  ]);
  t.same(await keys(), { 'kettle-v1': ['off', 'temp'], 'kettle-v2': [] });
  await h.call('PUT', '/endpoints/k1/app-version', { name: 'kettle-v2' });
  t.same(await keys(), { 'kettle-v1': ['temp'], 'kettle-v2': ['off', 'temp'] });
  const items = [
    { endpointId: 'k2', set: { x: 1, y: 1 } },
    { endpointId: 'k2', unset: ['x', 'temp'] },
    { endpointId: 'k2', set: { x: 2 } },
    { endpointId: 'k2', unset: ['y'] },
  ];
  await h.call('POST', '/endpoints/metadata/batch', items);
  t.same(await keys(), { 'kettle-v1': ['x'], 'kettle-v2': ['off', 'temp'] });
  await h.call('DELETE', '/endpoints/k1');
  t.same(await keys(), { 'kettle-v1': ['x'], 'kettle-v2': [] });
});

void t.test("an application that is unknown, or another tenant's", async (t) => {
  const h = await startHarness(t, {
    access: { ...openAccess(), authenticates: true, authenticate: async () => ({ tenant: 'acme' }) },
  });
  for (const app of ['kettle', 'nobody']) {
    const answer = await h.call('GET', `/applications/${app}/metadata-keys`);
    t.match(answer, { status: 404, json: { code: 'application-not-found' } });
  }
  t.match((await h.call('GET', `${path}?x=1`)).json, { code: 'unknown-parameter' });
});
