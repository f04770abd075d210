/* eslint-disable @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access -- answers are JSON of any shape */
import t from 'tap';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { startGateway } from '../../src/gateway/index.js';
import { openAccess, type Access } from '../../src/security/index.js';
import { holdSubmits, limits, openRaw, registerKettle, request, startHarness } from './harness.js';

void t.test('health, information and metrics', async (t) => {
  const h = await startHarness(t, { info: { version: '9.9.9' } });
  for (const path of ['/health', '/health/ready', '/actuator/health']) {
    const answer = await request(h.managementOrigin + path, 'GET');
    t.equal(answer.status, 200);
    t.same(answer.json, { status: 'UP', authentication: 'off', components: { storage: { status: 'UP' } } });
  }
  t.same((await request(`${h.managementOrigin}/health/live`, 'GET')).json, { status: 'UP' });
  t.equal((await request(`${h.managementOrigin}/info`, 'GET')).json.version, '9.9.9');
  t.equal((await request(`${h.managementOrigin}/health`, 'HEAD')).status, 200);
  t.equal((await request(`${h.managementOrigin}/health`, 'POST', '1')).status, 405);
  t.equal((await request(`${h.managementOrigin}/constructor`, 'GET')).status, 404);

  await registerKettle(h, 'k1');
  await h.call('PUT', '/endpoints/k1/metadata/a', '123');
  await h.call('PUT', '/endpoints/none/metadata/a', '123');
  await h.call('GET', '/nothing');
  const { text } = await request(`${h.managementOrigin}/metrics`, 'GET');
  const route = 'route="/endpoints/{endpointId}/metadata/{key}",method="PUT"';
  t.ok(text.includes(`epr_http_requests_total{${route},status="200"} 1`));
  t.ok(text.includes(`epr_http_requests_total{${route},status="404"} 1`));
  t.ok(text.includes('epr_http_requests_total{route="unknown",method="*",status="404"} 1'));
  t.ok(text.includes(`epr_http_request_duration_seconds_count{${route}} 2`));
  t.ok(text.includes(`epr_http_request_bytes_total{${route}} 6`));
  t.ok(text.includes('epr_http_requests_in_flight 0'));
});

void t.test('a port that is taken', async (t) => {
  const h = await startHarness(t);
  const deps = {
    register: h.register,
    access: openAccess(),
    log: pino({ level: 'silent' }),
    health: async () => ({ components: {} }),
  };
  const options = {
    host: '127.0.0.1',
    managementHost: '127.0.0.1',
    pathPrefixes: [''],
    limits: () => limits,
  };
  await t.rejects(
    startGateway({
      ...deps,
      metrics: new Registry(),
      options: { ...options, port: h.gateway.port, managementPort: 0 },
    }),
    { message: new RegExp(`127.0.0.1 port ${h.gateway.port}.*server.port \\(environment: SERVER_PORT\\)`) },
  );
  await t.rejects(
    startGateway({
      ...deps,
      metrics: new Registry(),
      options: { ...options, port: 0, managementPort: h.gateway.managementPort },
    }),
    { message: /management.port/ },
  );
});

void t.test('stopping lets what is in flight end, and takes no more', async (t) => {
  const held = holdSubmits();
  const h = await startHarness(t, { wrap: held.wrap });
  await registerKettle(h, 'k1');
  const live = openRaw(t, h.gateway.port);
  live.send('GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n');
  await live.until(/welcome/);
  const idle = openRaw(t, h.gateway.port);
  idle.send('GET /api/v1/endpoints/k1/metadata HTTP/1.1\r\nHost: x\r\n\r\n');
  await idle.until(/\{\}$/);
  const writing = h.call('PUT', '/endpoints/k1/metadata/a', '1');
  await held.arrived();
  const stopped = h.gateway.stop(10_000);
  t.match(await live.until(/event: dropped.*\n.*stopping/), /stopping/);
  idle.send('GET /api/v1/endpoints/k1/metadata HTTP/1.1\r\nHost: x\r\n\r\n');
  t.match(await idle.until(/"code":"stopping"\}/), /503 Service Unavailable/);
  t.equal((await request(`${h.managementOrigin}/health/ready`, 'GET')).status, 503);
  t.equal((await request(`${h.managementOrigin}/health/live`, 'GET')).status, 200);
  await t.rejects(fetch(`${h.origin}/api/v1/endpoints`), 'no new connection');
  held.release();
  t.equal((await writing).status, 200);
  await stopped;
  await idle.closed;
});

void t.test('stopping does not wait for ever', async (t) => {
  const h = await startHarness(t, {
    wrap: (register) => ({
      ...register,
      endpoints: { ...register.endpoints, submit: () => new Promise(() => undefined) },
    }),
  });
  const raw = openRaw(t, h.gateway.port);
  raw.send('PUT /api/v1/endpoints/k1/metadata/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1');
  while (!/in_flight 1/.test(await (await fetch(`${h.managementOrigin}/metrics`)).text()));
  await h.gateway.stop(50);
  await raw.closed;
  t.match(h.logged.join(), /1 requests were not answered/);
});

void t.test('authorization comes from the table', async (t) => {
  const asked: string[] = [];
  const access: Access = {
    ...openAccess(),
    authenticates: true,
    authenticate: async (header) =>
      header === 'Bearer good' ? { tenant: 'kaa' } : { kind: 'refused', code: 'forbidden', message: 'No.' },
    decide: async (_caller, scope, resources) => {
      asked.push(...resources.map((resource) => `${scope} ${resource}`));
      return resources.map((resource) => resource !== 'endpoint-closed');
    },
    granted: () => new Set(['endpoint-k1', 'endpoint-none', 'application-kettle']),
  };
  const h = await startHarness(t, { access });
  const good = { authorization: 'Bearer good' };
  t.equal((await h.call('GET', '/endpoints/k1')).status, 403, 'who asks is asked first');
  t.equal((await h.call('GET', '/openapi.json')).status, 200, 'public');
  for (const endpointId of ['k1', 'closed']) {
    const body = { appVersion: { name: 'kettle-v1' }, endpointId };
    t.equal((await h.call('POST', '/endpoints', body, good)).status, 201);
  }
  t.equal((await h.call('GET', '/endpoints/closed', undefined, good)).json.code, 'forbidden');
  t.equal((await h.call('PUT', '/endpoints/k1/metadata/a', '1', good)).status, 200);
  const batch = [{ endpointId: 'k1', set: { b: 1 } }, 7, { endpointId: 'closed', set: { b: 1 } }];
  const results = await h.call('POST', '/endpoints/metadata/batch', batch, good);
  t.same(
    results.json.map(({ status }: { status: number }) => status),
    [200, 400, 403],
  );
  const lines = batch.map((item) => JSON.stringify(item)).join('\n');
  const streamed = await h.call('POST', '/endpoints/metadata/batch', lines, {
    ...good,
    'content-type': 'application/x-ndjson',
  });
  t.same(
    streamed.text
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { status: number }).status),
    [200, 400, 403],
  );
  t.same(
    (await h.call('GET', '/endpoints', undefined, good)).json.content.map(
      (each: { endpointId: string }) => each.endpointId,
    ),
    ['k1'],
  );
  t.equal((await h.call('GET', '/endpoints', undefined, good)).json.totalElements, 1, 'not counted either');
  t.ok(asked.includes('application:endpoint:create application-kettle'));
  t.ok(asked.includes('endpoint:update endpoint-k1'));
});
