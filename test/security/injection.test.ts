/** Text of users stays text: in NATS subjects, in headers, in lines of the log. */
import { execFileSync } from 'node:child_process';
import t, { type Test } from 'tap';
import { createClient } from '../messaging/served-support.js';
import { connectNats, untilPublished } from '../end-to-end/support/event-stream.js';
import { type Service, startService } from '../end-to-end/support/service.js';
import { type Answer, openRaw, request, startHarness } from '../gateway/harness.js';
import { startNats } from '../servers/index.js';
import { startIssuer } from './issuer.js';

const NASTY = 'x"\r\nSet-Cookie: a=b\r\n\r\n{"level":"fatal"}\u2028\u001b[2J\u0000 kaa.v1.> * .. \'$where\'';
const CONFIG = 'kaa.applications.demo: { versions: { demo-v1: } }\nlogging: { format: json, level: debug }\n';

function sender(service: Service, authorization?: string) {
  return (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    request(`${service.rest.url}/api/v1${path}`, method, body, {
      ...(authorization === undefined ? {} : { authorization }),
      ...headers,
    });
}

void t.test('no text of a user becomes part of a NATS subject', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectNats(t, nats.url);
  const subjects = new Set<string>();
  connection.subscribe('kaa.>', { callback: (_error, message) => void subjects.add(message.subject) });
  await connection.flush();
  const service = await startService(t, { natsUrl: nats.url, config: CONFIG });
  const send = sender(service);
  const version = { appVersion: { name: 'demo-v1' } };
  const headers = { 'x-correlation-id': 'kaa.v1.events.>', 'idempotency-key': 'kaa.*.>' };
  const made: Answer[] = [];
  for (const endpointId of ['a.b', 'a..b', '.a', 'a.', '...', 'kaa.v1.events', '_INBOX.x'])
    made.push(await send('POST', '/endpoints', { ...version, endpointId, metadata: { k: '*.>' } }, {}));
  made.push(await send('POST', '/endpoints', { ...version, metadata: {} }, headers));
  t.same(
    made.map(({ status }) => status),
    made.map(() => 201),
  );
  for (const endpointId of ['*', '>', 'a.*', 'a.>', 'a b', 'a\n', ' '])
    t.equal((await send('POST', '/endpoints', { ...version, endpointId })).status, 400);
  const id = encodeURIComponent('a..b');
  t.equal((await send('PUT', `/endpoints/${id}/metadata`, { k: NASTY })).status, 200);
  t.equal((await send('PUT', `/endpoints/${id}/metadata/%2A`, 1)).status, 400);
  const mongoQuery = { metadata: { $elemMatch: { key: '*.>', value: NASTY } } };
  t.equal((await send('POST', '/applications/demo/filters', { name: '*.>', mongoQuery })).status, 201);
  for (const name of ['*', '>', 'demo.>', '..'])
    t.ok((await send('GET', `/applications/${encodeURIComponent(name)}/filters`)).status >= 400);
  const relation = [{ type: 'contains', from: 'a.b', to: '...' }];
  t.equal((await send('PUT', '/relations/link', relation)).status, 200);
  t.equal((await send('DELETE', `/endpoints/kaa.v1.events`)).status, 204);
  // those over NATS, too, are answered where they asked to be and nowhere else
  const client = createClient(connection, 10_000);
  for (const endpointId of ['*', '>', 'kaa.v1.>', NASTY]) {
    const wish = { endpointId, metadataKey: endpointId, metadataValue: Buffer.from('1'), correlationId: '>' };
    const { statusCode } = await client.epmmp('ep-metadata-key-update-request', wish);
    t.ok(statusCode >= 400);
  }
  await untilPublished(service);
  await connection.flush();
  const form =
    /^kaa\.v1\.(events\.epr\.(endpoint\.(lifecycle|metadata|relations)\.[a-z-]+|endpoint-filter\.[0-9a-f-]{36}\.[a-z-]+)|service\.epr\.epmmp\.ep-metadata-key-update-request)$/;
  t.ok(subjects.size > 4);
  for (const subject of subjects) t.match(subject, form);
});

void t.test('no text of a user ends a header or begins one', async (t) => {
  const h = await startHarness(t);
  const evil = '%0d%0aSet-Cookie:%20a=b%0d%0a%0d%0a';
  const asked: [line: string, headers?: string, body?: string][] = [
    [`GET /api/v1/endpoints/${evil}`],
    [`GET /api/v1/endpoints/x/metadata/${evil}`],
    [`GET /api/v1/applications/${evil}/filters`],
    [`GET /api/v1/endpoints?cursor=${evil}`],
    [`GET /api/v1/endpoints?${evil}=1`],
    [`GET /api/v1/events?lastEventId=${evil}`],
    [`GET /api/v1/endpoints/batch/status?appName=${evil}&taskId=${evil}`],
    [`GET /${evil}`],
    [`GET /console/${evil}`],
    ['GET /api/v1/endpoints', 'X-Correlation-ID: a\tb\u00e9\r\n'],
    ['GET /api/v1/endpoints/none/metadata', `If-None-Match: "${evil}"\r\n`],
    [
      'POST /api/v1/endpoints',
      'Host: evil.example/\u00e9?x=#\r\nContent-Type: application/json\r\n',
      JSON.stringify({ appVersion: { name: 'kettle-v1' }, endpointId: 'h-1' }),
    ],
    [
      'POST /api/v1/endpoints',
      'X-Forwarded-Proto: javascript\r\nContent-Type: application/json\r\n',
      JSON.stringify({ appVersion: { name: 'kettle-v1' }, endpointId: 'h-2' }),
    ],
    [
      'POST /api/v1/endpoints',
      'Content-Type: application/json\r\n',
      JSON.stringify({ appVersion: { name: NASTY }, endpointId: 'h-3' }),
    ],
  ];
  for (const [line, headers = '', body = ''] of asked) {
    const raw = openRaw(t, h.gateway.port);
    const host = headers.startsWith('Host') ? '' : 'Host: x\r\n';
    const length = body === '' ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    raw.send(`${line} HTTP/1.1\r\n${host}${headers}${length}Connection: close\r\n\r\n${body}`);
    const text = await raw.until(/\r\n\r\n/);
    const head = text.slice(0, text.indexOf('\r\n\r\n'));
    t.match(head, /^HTTP\/1.1 \d{3} /, line);
    for (const each of head.split('\r\n').slice(1)) t.match(each, /^[A-Za-z-]+: [\x20-\x7e]*$/, line);
    t.notMatch(head, /^set-cookie/im, line);
    t.notMatch(head, /evil\.example|javascript/, line);
  }
});

function eachIsOneObject(t: Test, output: string): void {
  for (const line of output.split('\n').filter((each) => each !== '')) {
    const parsed = JSON.parse(line) as { level: string };
    t.not(parsed.level, 'fatal');
    t.notMatch(line, /[\u0000-\u001f]/u); // eslint-disable-line no-control-regex
  }
}

void t.test('each line of the log is one object, whatever is asked for', async (t) => {
  const issuer = await startIssuer(t, 'kaa');
  const service = await startService(t, {
    config: CONFIG,
    settings: {
      'kaa.security.authentication.enabled': 'true',
      'kaa.tenants.kaa.issuer': issuer.url,
      'server.host': '127.0.0.1',
    },
  });
  const send = sender(service, `Bearer ${await issuer.token({ sub: NASTY })}`);
  const version = { appVersion: { name: 'demo-v1' } };
  t.equal(
    (await send('POST', '/endpoints', { ...version, endpointId: 'l-1', metadata: { k: NASTY } })).status,
    201,
  );
  await send('POST', '/endpoints', { appVersion: { name: NASTY }, endpointId: NASTY });
  await send('GET', `/endpoints/${encodeURIComponent(NASTY)}`);
  await send('GET', `/endpoints?filterId=${encodeURIComponent(NASTY)}`);
  await send('POST', '/endpoints/search', { query: { [NASTY]: NASTY } });
  await send('POST', '/endpoints', `{"a": ${NASTY}`);
  for (const bad of [
    await issuer.token({ iss: NASTY }),
    await issuer.token({}, { header: { kid: NASTY } }),
    await issuer.token({ typ: NASTY }),
  ])
    t.equal((await sender(service, `Bearer ${bad}`)('GET', '/endpoints')).status, 401);
  await service.stop();
  t.match(service.output(), 'A token of an issuer that is of no tenant', 'it was logged');
  eachIsOneObject(t, service.output());
});

void t.test('nor does text of a user begin a line of the log for people', async (t) => {
  const from = new URL('../../src/observability/index.js', import.meta.url).href;
  const script = `
    const { createLog } = await import(${JSON.stringify(from)});
    const log = createLog({ level: 'info', format: 'pretty' });
    const text = ${JSON.stringify(NASTY)};
    log.warn({ issuer: text, known: [text] }, 'A token was refused.');
    log.warn({ found: text }, \`It says: \${text}\`);
  `;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const lines = output.split('\n').filter((line) => line !== '');
  for (const line of lines) {
    t.match(line, /^\[?\d\d:\d\d:\d\d/, 'each is a line of its own');
    t.notMatch(line, /[\u0000-\u001f]/u); // eslint-disable-line no-control-regex
  }
  t.equal(lines.length, 2);
});
