/* eslint-disable @typescript-eslint/no-unsafe-argument, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access -- answers are JSON of any shape */
import t from 'tap';
import { type Harness, registerKettle, startHarness } from './harness.js';

const path = '/applications/kettle/filters';

const above = (value: number) => ({ metadata: { $elemMatch: { key: 'temp', value: { $gt: value } } } });

async function untilActive(h: Harness, id: string): Promise<void> {
  for (;;) {
    const answer = await h.call('GET', `${path}/${id}`);
    if (answer.json.status === 'active') return;
    if (answer.status !== 200) throw new Error(answer.text);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

void t.test('a filter from its creation to its end', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1', { temp: 95 });
  await registerKettle(h, 'k2', { temp: 20 });
  const created = await h.call('POST', path, { name: 'Hot', mongoQuery: JSON.stringify(above(90)) });
  t.equal(created.status, 201, created.text);
  const { id } = created.json;
  t.equal(created.headers.get('location'), `${h.origin}/api/v1${path}/${id}`);
  t.match(created.json, { name: 'Hot', description: '', mongoQuery: above(90), status: 'pending' });
  t.match(created.json.progress, { evaluated: Number, total: 2, state: /^(waiting|evaluating)$/ });
  await untilActive(h, id);

  const got = await h.call('GET', `${path}/${id}`);
  t.notOk('progress' in got.json);
  t.equal(got.json.matchedEndpointsCount, 1);
  const etag = got.headers.get('etag')!;
  t.equal((await h.call('GET', `${path}/${id}`, undefined, { 'if-none-match': etag })).status, 304);
  const members = await h.call('GET', `/endpoints?filterId=${id}&include=filters`);
  t.equal(members.json.totalElements, 1);
  t.match(members.json.content, [{ endpointId: 'k1', filters: [id] }]);
  t.same((await h.call('GET', '/endpoints/k1?include=filters')).json.filters, [id]);

  await h.call('PUT', '/endpoints/k2/metadata/temp', 91);
  const grown = await h.call('GET', `${path}/${id}`, undefined, { 'if-none-match': etag });
  t.match(grown.json, { matchedEndpointsCount: 2 }, 'a count that changed is answered');
  await h.call('PUT', '/endpoints/k2/metadata/temp', 20);

  t.equal((await h.call('POST', path, { name: 'Hot', mongoQuery: {} })).status, 409);
  const before = { 'if-match': grown.headers.get('etag')! };
  const renamed = await h.call('PATCH', `${path}/${id}`, { name: 'Very hot' }, before);
  t.equal(renamed.status, 200);
  t.match(renamed.json, { name: 'Very hot', status: 'active' });
  t.equal((await h.call('PATCH', `${path}/${id}`, { name: 'x' }, { 'if-match': etag })).status, 412);
  const changed = await h.call('PATCH', `${path}/${id}`, {
    mongoQuery: { metadata: { $elemMatch: { key: 'temp', value: { $lt: 50 } } } },
  });
  t.equal(changed.json.status, 'pending');
  await untilActive(h, id);
  t.match((await h.call('GET', `/endpoints?filterId=${id}`)).json.content, [{ endpointId: 'k2' }]);

  const list = await h.call('GET', `${path}?name=VERY&limit=1`);
  t.equal(list.json.totalElements, 1);
  t.equal(list.json.content[0].id, id);
  t.equal((await h.call('GET', `${path}?name=zzz`)).json.totalElements, 0);
  t.equal((await h.call('DELETE', `${path}/${id}`, undefined, { 'if-match': '"old"' })).status, 412);
  t.equal((await h.call('DELETE', `${path}/${id}`)).status, 204);
  t.equal((await h.call('GET', `${path}/${id}`)).json.code, 'filter-not-found');
  t.equal((await h.call('GET', `/endpoints?filterId=${id}`)).status, 404);
});

void t.test('bad filters', async (t) => {
  const h = await startHarness(t);
  t.equal(
    (await h.call('POST', path, { name: 'x', mongoQuery: { a: { $near: 1 } } })).json.code,
    'invalid-query',
  );
  t.equal((await h.call('POST', path, { name: 'x', mongoQuery: '{' })).status, 400);
  const bad = await h.call('POST', path, { name: '', mongoQuery: 7, status: 'active' });
  t.equal(bad.json.code, 'invalid-body');
  t.equal(bad.json.details.length, 3);
  t.equal((await h.call('GET', '/applications/none/filters')).json.code, 'application-not-found');
  t.equal((await h.call('GET', '/applications/NONE/filters')).status, 400);
  t.equal((await h.call('GET', `${path}/none`)).json.code, 'filter-not-found');
  t.equal((await h.call('GET', path)).json.totalElements, 0, 'nothing was saved');
});
