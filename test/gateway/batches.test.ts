/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access -- answers are JSON of any shape */
import t from 'tap';
import { limits, registerKettle, request, startHarness } from './harness.js';

void t.test('a batch of registrations and its status', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'taken');
  const started = await h.call('POST', '/endpoints/batch', {
    appVersion: { name: 'kettle-v1' },
    endpoints: [{ endpointId: 'b1', metadata: { a: 1 } }, { endpointId: 'taken', endpointToken: 'tok' }, {}],
  });
  t.equal(started.status, 202, started.text);
  const statusPath = `/endpoints/batch/status?appName=kettle&taskId=${started.json.taskId}`;
  t.same(started.json, { taskId: started.json.taskId });
  t.equal(started.headers.get('location'), `${h.origin}/api/v1${statusPath}`);
  const prefixed = await request(`${h.origin}/epr/api/v1/endpoints/batch`, 'POST', {
    appVersion: { name: 'kettle-v2' },
    endpoints: [{}],
  });
  const location = prefixed.headers.get('location')!;
  t.equal(
    location,
    `${h.origin}/epr/api/v1/endpoints/batch/status?appName=kettle&taskId=${prefixed.json.taskId}`,
  );
  const followed = await request(location, 'GET');
  t.equal(followed.status, 200, 'it can be followed');
  t.equal(followed.headers.get('cache-control'), 'no-store', 'tokens are in it');
  let status = await h.call('GET', statusPath);
  while (status.json.createdCount + status.json.failedCount < 3) status = await h.call('GET', statusPath);
  t.equal(status.json.createdCount, 2);
  t.match(status.json.failed, [
    {
      endpointToken: 'tok',
      endpointId: 'taken',
      metadata: '{}',
      status: 'FAILED',
      code: 'endpoint-exists',
      statusReason: String,
    },
  ]);
  t.match(status.json.created[0], { endpointId: 'b1', metadata: { a: 1 } });
  t.same((await h.call('GET', '/endpoints/b1/metadata')).json, { a: 1 });

  t.equal(
    (await h.call('GET', '/endpoints/batch/status?appName=kettle&taskId=nothing')).json.code,
    'task-not-found',
  );
  t.equal(
    (await h.call('GET', `/endpoints/batch/status?appName=other&taskId=${started.json.taskId}`)).status,
    404,
  );
  const many = {
    appVersion: { name: 'kettle-v1' },
    endpoints: Array.from({ length: limits.batchItems + 1 }, () => ({})),
  };
  t.equal((await h.call('POST', '/endpoints/batch', many)).json.code, 'invalid-body');
  t.equal(
    (await h.call('POST', '/endpoints/batch', { appVersion: { name: 'kettle-v1' }, endpoints: [] })).status,
    400,
  );
  t.equal(
    (await h.call('POST', '/endpoints/batch', { appVersion: { name: 'none' }, endpoints: [{}] })).status,
    404,
  );
});

void t.test('a metadata batch as JSON: one result per item, in order', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1', { old: 1 });
  await registerKettle(h, 'k2');
  const etag = (await h.call('GET', '/endpoints/k2/metadata')).headers.get('etag')!;
  const answer = await h.call('POST', '/endpoints/metadata/batch', [
    { endpointId: 'k1', set: { n: 1 }, unset: ['old', 'absent'] },
    { endpointId: 'none', set: { n: 1 } },
    { endpointId: 'k1', set: { n: 2 } },
    { endpointId: 'k2', set: { n: 1 }, ifMatch: etag },
    { endpointId: 'k2', set: { n: 2 }, ifMatch: etag },
    { endpointId: 'k2', set: { 'a.b': 2 } },
    { endpointId: 'k2', set: { locked: 2 } },
    { endpointId: 'k2', sett: {} },
    { endpointId: 'k2' },
    { set: { n: 1 } },
    { endpointId: '..', set: {} },
    { endpointId: 'k2', set: [] },
    { endpointId: 'k2', unset: [1] },
    { endpointId: 'k2', set: {}, ifMatch: '' },
    7,
  ]);
  t.equal(answer.status, 200);
  const results: {
    endpointId: string | null;
    status: number;
    code?: string;
    etag?: string;
    message?: string;
  }[] = answer.json;
  t.same(
    results.map(({ status }) => status),
    [200, 404, 200, 200, 412, 400, 403, 400, 400, 400, 400, 400, 400, 400, 400],
  );
  t.same(
    results.map(({ endpointId }) => endpointId),
    ['k1', 'none', 'k1', 'k2', 'k2', 'k2', 'k2', 'k2', 'k2', null, '..', 'k2', 'k2', 'k2', null],
  );
  t.ok(
    results.every(({ status, etag: tag, code, message }) =>
      status === 200 ? tag !== undefined : code !== undefined && message !== undefined,
    ),
  );
  const now = await h.call('GET', '/endpoints/k1/metadata');
  t.same(now.json, { n: 2 });
  t.equal(results[2]?.etag, now.headers.get('etag'));
  t.same((await h.call('GET', '/endpoints/k2/metadata')).json, { n: 1 });

  t.same((await h.call('POST', '/endpoints/metadata/batch', [])).json, []);
  t.equal((await h.call('POST', '/endpoints/metadata/batch', {})).json.code, 'invalid-body');
  const many = Array.from({ length: limits.metadataBatchItems + 1 }, () => 1);
  t.match((await h.call('POST', '/endpoints/metadata/batch', many)).json, {
    code: 'invalid-body',
    message: /at most 10000/,
  });
});
