import t from 'tap';
import { decodeEvent } from '../../src/avro/index.js';
import { CONTEXT, fill, start, valueOf } from '../register/support.js';
import { startNats } from '../servers/index.js';
import { eventsOf, json, metadataOf, startAnswering } from './served-support.js';

void t.test('EPMMP ep-metadata-get-request', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const running = await start(t, { inherits: true });
  await fill(t, running, { e1: { city: 'Kyiv', temp: 4 }, room: { floor: 2, city: 'Lviv' } });
  valueOf(await running.register.relations.link(CONTEXT, [{ from: 'room', to: 'e1' }]));
  const { client } = await startAnswering(t, nats.url, running.register);
  const get = (fields: object) =>
    client.epmmp('ep-metadata-get-request', {
      endpointId: 'e1',
      include: [],
      includeMetadata: true,
      correlationId: 'mine',
      ...fields,
    });

  const whole = await get({});
  t.match(whole, {
    correlationId: 'mine',
    timeout: 0,
    endpointId: 'e1',
    eTag: /^"[^"]+"$/,
    statusCode: 200,
    reasonPhrase: null,
    appVersionName: 'v1',
  });
  t.same(JSON.parse(String(whole.payload)), { city: 'Kyiv', temp: 4 });
  t.ok(Math.abs(whole.timestamp - Date.now()) < 60_000);

  const without = await get({ includeMetadata: false });
  t.match(without, { eTag: whole.eTag, payload: null, statusCode: 200, appVersionName: 'v1' });
  t.same(JSON.parse(String((await get({ include: ['temp,no'] })).payload)), { temp: 4 });
  t.same(JSON.parse(String((await get({ include: ['inherited'] })).payload)), {
    city: 'Kyiv',
    temp: 4,
    floor: 2,
  });

  const nothing = { eTag: null, payload: null, appVersionName: null, correlationId: 'mine' };
  t.match(await get({ endpointId: 'e9' }), {
    ...nothing,
    endpointId: 'e9',
    statusCode: 404,
    reasonPhrase: 'The endpoint "e9" is not registered.',
  });
  t.match(await get({ endpointId: 'e 9' }), { ...nothing, endpointId: 'e 9', statusCode: 400 });
});

void t.test('EPMMP ep-metadata-patch-request: as PATCH does, and ifMatch in every form', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const running = await start(t);
  await fill(t, running, { e1: { n: 0 } });
  const { client } = await startAnswering(t, nats.url, running.register, {}, { bodyBytes: 5000 });
  const patch = (value: unknown, fields: object = {}) =>
    client.epmmp('ep-metadata-patch-request', {
      endpointId: 'e1',
      ifMatch: null,
      patch: Buffer.isBuffer(value) ? value : json(value),
      correlationId: 'patching',
      ...fields,
    });
  const setTo = (n: number) => [{ op: 'replace', path: '/n', value: n }];
  const eTag = async () => {
    const fields = { endpointId: 'e1', include: [], includeMetadata: false };
    return (await client.epmmp('ep-metadata-get-request', fields)).eTag as string;
  };

  t.match(await patch(setTo(1)), {
    correlationId: 'patching',
    endpointId: 'e1',
    statusCode: 200,
    reasonPhrase: null,
  });
  const [event] = eventsOf(running, 'metadata-updated');
  t.equal(decodeEvent('metadata-updated', event!.payload).correlationId, 'patching');

  const first = await eTag();
  t.equal((await patch(setTo(2), { ifMatch: first })).statusCode, 200, 'with quotes');
  t.equal((await patch(setTo(3), { ifMatch: first })).statusCode, 412, 'the former one');
  t.equal((await patch(setTo(3), { ifMatch: first.slice(1, -1) })).statusCode, 412);
  const bare = (await eTag()).slice(1, -1);
  t.equal((await patch(setTo(3), { ifMatch: bare })).statusCode, 200, 'without quotes');
  t.equal((await patch(setTo(4), { ifMatch: `other, ${(await eTag()).slice(1, -1)}` })).statusCode, 200);
  t.equal((await patch(setTo(5), { ifMatch: '*' })).statusCode, 200);
  t.equal((await patch(setTo(6), { ifMatch: '' })).statusCode, 400, 'an empty condition is not none');
  t.equal((await patch(setTo(6), { ifMatch: '"half' })).statusCode, 400);
  t.equal((await patch(setTo(6), { ifMatch: 'W/"weak"' })).statusCode, 412);
  t.match(await metadataOf(client, 'e1'), { n: 5 });

  t.match(await patch([{ op: 'test', path: '/n', value: 9 }]), {
    statusCode: 409,
    reasonPhrase: /test|another/,
  });
  t.match(await patch([{ op: 'remove', path: '/no' }]), { statusCode: 400, reasonPhrase: /Operation 0/ });
  t.match(await patch({ n: 1 }), { statusCode: 400, reasonPhrase: /array/ });
  t.match(await patch(Buffer.from('[{"op":')), { statusCode: 400, reasonPhrase: /not JSON/ });
  t.match(await patch(Buffer.alloc(0)), { statusCode: 400, reasonPhrase: /empty/ });
  t.match(await patch([{ op: 'add', path: '/secret', value: 1 }]), {
    statusCode: 403,
    reasonPhrase: /secret/,
  });
  t.match(await patch([{ op: 'add', path: '/a-b', value: 1 }]), { statusCode: 400, reasonPhrase: /a-b/ });
  t.match(await patch([{ op: 'add', path: '/big', value: 'x'.repeat(6000) }]), { statusCode: 413 });
  t.match(await patch([], { endpointId: 'e9' }), { statusCode: 404, endpointId: 'e9' });
  t.match(await patch([], { correlationId: 'c'.repeat(300) }), { statusCode: 400, reasonPhrase: /256/ });
  t.same(await metadataOf(client, 'e1'), { n: 5 }, 'nothing of what was refused is there');
});

void t.test('EPMMP ep-metadata-key-update-request: any JSON value, and the limits of REST', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const running = await start(t, { settings: { limits: LIMITS } });
  await fill(t, running, { e1: {} });
  const { client, count } = await startAnswering(t, nats.url, running.register, {}, { nesting: 3 });
  const update = (metadataKey: string, value: unknown, fields: object = {}) =>
    client.epmmp('ep-metadata-key-update-request', {
      endpointId: 'e1',
      metadataKey,
      metadataValue: Buffer.isBuffer(value) ? value : json(value),
      ...fields,
    });
  for (const [key, value] of Object.entries({ a: null, b: [1, { c: 'ü' }], a2: 1e21 }))
    t.match(await update(key, value), { endpointId: 'e1', statusCode: 200, reasonPhrase: null }, key);
  t.equal((await update('a', Buffer.from(' "new"\n'))).statusCode, 200);
  t.same(await metadataOf(client, 'e1'), { a: 'new', b: [1, { c: 'ü' }], a2: 1e21 });

  t.match(await update('secret', 1), { statusCode: 403, reasonPhrase: /restricted/ });
  t.match(await update('x.y', 1), { statusCode: 400, reasonPhrase: /x\.y/ });
  t.match(await update('', 1), { statusCode: 400 });
  t.match(await update('__proto__', 1), { statusCode: 400, reasonPhrase: /__proto__/ });
  t.match(await update('a', Buffer.from('{"d":1,"d":2}')), { statusCode: 400, reasonPhrase: /twice/ });
  t.match(await update('a', Buffer.from([0xff])), { statusCode: 400, reasonPhrase: /UTF-8/ });
  t.match(await update('a', [[[[1]]]]), { statusCode: 400, reasonPhrase: /deep/ });
  t.match(await update('a', 'x'.repeat(400)), { statusCode: 413, reasonPhrase: /300/ });
  t.match(await update('a', 1, { endpointId: 'e9' }), { statusCode: 404, endpointId: 'e9' });
  for (const key of ['k4', 'k5']) t.equal((await update(key, 1)).statusCode, 200);
  t.match(await update('k6', 1), { statusCode: 400, reasonPhrase: /6 metadata keys/ });

  const labels = { protocol: 'epmmp', request: 'ep-metadata-key-update-request' };
  t.equal(await count('epr_nats_requests_total', { ...labels, status: '200' }), 6);
  t.equal(await count('epr_nats_requests_total', { ...labels, status: '413' }), 1);
});

const LIMITS = {
  metadataKeys: 5,
  endpointBytes: 300,
  metadataKeyPattern: '^[a-zA-Z0-9_]+$',
  nesting: 3,
  restrictedKeys: ['secret'],
};

void t.test('EPMMP ep-metadata-key-batch-update-request: every valid command is applied', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const running = await start(t);
  await fill(t, running, Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`e${i}`, {}])));
  const { client } = await startAnswering(t, nats.url, running.register);
  const command = (endpointId: string, metadataKey: string, value: unknown) => ({
    endpointId,
    metadataKey,
    metadataValue: json(value),
  });
  const batch = (commands: object[]) =>
    client.epmmp('ep-metadata-key-batch-update-request', { commands, correlationId: 'batch' });

  const thousand = Array.from({ length: 1000 }, (_, i) => command(`e${i % 100}`, `k${i % 3}`, i));
  t.match(await batch(thousand), { correlationId: 'batch', statusCode: 200, reasonPhrase: null });
  for (const i of [0, 1, 99]) {
    const expected: Record<string, number> = {};
    for (let n = i; n < 1000; n += 100) expected[`k${n % 3}`] = n;
    t.same(await metadataOf(client, `e${i}`), expected, 'the last command of a key wins');
  }
  const ids = new Set(
    eventsOf(running, 'metadata-updated').map(
      ({ payload }) => decodeEvent('metadata-updated', payload).correlationId,
    ),
  );
  t.same([...ids], ['batch']);

  const failing = await batch([
    command('e0', 'a', 1),
    command('nobody', 'a', 1),
    command('e1', 'secret', 1),
    command('no id', 'a', 1),
    command('nobody', 'b', 1),
    { ...command('e2', 'a', 1), metadataValue: Buffer.from('{') },
    command('e3', 'a', 1),
  ]);
  t.match(failing, {
    statusCode: 404,
    reasonPhrase:
      /^5 of 7 commands failed, of nobody, e1, "no id", e2\. The first: .*"nobody" is not registered/,
  });
  t.match(await metadataOf(client, 'e0'), { a: 1 });
  t.match(await metadataOf(client, 'e3'), { a: 1 });
  t.match(await batch([command('e1', 'secret', 1), command('nobody', 'a', 1)]), { statusCode: 403 });
  t.match(await batch([]), { statusCode: 200, reasonPhrase: null });
});

void t.test('EPMMP ep-metadata-keys-get-request, ep-app-version-get-request', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const running = await start(t);
  await fill(t, running, { e1: { b: 1, a: 2, B: 3 }, e2: {}, constructor: {} });
  const version = { tenant: 'kaa', application: 'app', version: 'v2' };
  const moved = { endpointId: 'e2', correlationId: 'c', timestampMs: Date.now(), version };
  t.equal((await running.register.endpoints.submit({ type: 'set-version', ...moved })).kind, 'applied');
  const { client } = await startAnswering(t, nats.url, running.register);
  const keys = (endpointId: string) => client.epmmp('ep-metadata-keys-get-request', { endpointId });
  t.match(await keys('e1'), { endpointId: 'e1', keys: ['B', 'a', 'b'], statusCode: 200, reasonPhrase: null });
  t.match(await keys('e2'), { keys: [], statusCode: 200 });
  t.match(await keys('e9'), { endpointId: 'e9', keys: [], statusCode: 404, reasonPhrase: /"e9"/ });

  const versions = async (...endpointIds: string[]) => {
    const response = await client.epmmp('ep-app-version-get-request', { endpointIds });
    t.same(response.endpointIds, endpointIds, 'the ids are echoed');
    const { statusCode, reasonPhrase, appVersionsToEndpoints } = response;
    const map = appVersionsToEndpoints as Record<string, string[]>;
    return {
      statusCode,
      reasonPhrase,
      ...Object.fromEntries(Object.entries(map).map(([v, l]) => [v, l.sort()])),
    };
  };
  const good = { statusCode: 200, reasonPhrase: null };
  t.same(await versions('e1', 'e9', 'e2', 'constructor', 'e1', 'no id'), {
    ...good,
    v1: ['constructor', 'e1'],
    v2: ['e2'],
  });
  t.same(await versions('e8', 'e9'), {
    statusCode: 404,
    reasonPhrase: 'None of the 2 endpoints is registered.',
  });
  t.same(await versions(), good, 'nothing is asked, nothing is unknown');
  const many = Array.from({ length: 1200 }, (_, i) => `none-${i}`);
  t.same(await versions(...many, 'e1'), { ...good, v1: ['e1'] });
});
