import t from 'tap';
import { ITEMS_IN_FLIGHT } from '../../src/gateway/streams/metadata-items.js';
import { metadataOf } from '../../src/model/record.js';
import {
  type Harness,
  holdSubmits,
  limits,
  openRaw,
  registerKettle,
  request,
  startHarness,
} from './harness.js';

const path = '/api/v1/endpoints/metadata/batch';
const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n`;

function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

interface Result {
  endpointId: string | null;
  line?: number;
  status: number;
  code?: string;
  message?: string;
}

async function post(h: Harness, text: string | Uint8Array): Promise<Result[]> {
  const answer = await request(h.origin + path, 'POST', text, { 'content-type': 'application/x-ndjson' });
  t.equal(answer.status, 200);
  t.equal(answer.headers.get('content-type'), 'application/x-ndjson');
  return answer.text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Result);
}

void t.test('results in the order of the lines, bad lines among them', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1');
  const lines = [
    '{"endpointId":"k1","set":{"a":1}}',
    '',
    'not json',
    '{"endpointId":"none","set":{"a":1}}',
    '  \r',
    '{"endpointId":"k1","set":{"a":1,"a":2}}',
    '{"endpointId":"k1","set":{"a":2}}\r',
    '{"endpointId":"k1","extra":1}',
    `{"endpointId":"k1","set":{"a":"${'x'.repeat(limits.ndjsonLineBytes)}"}}`,
    `{"endpointId":"k1","set":{"b":${'['.repeat(33)}${']'.repeat(33)}}}`,
    '{"endpointId":"k1","set":{"c":"\\ud800"}}',
    '{"endpointId":"k1","set":{"\u043a":1}}',
    '{"endpointId":"k1","set":{"b":[{"x":null}]},"unset":["zzz"]}',
  ];
  const results = await post(h, lines.join('\n'));
  t.same(
    results.map(({ status, endpointId, line }) => [status, endpointId, line]),
    [
      [200, 'k1', undefined],
      [400, null, 2],
      [400, null, 3],
      [404, 'none', undefined],
      [400, null, 5],
      [400, null, 6],
      [200, 'k1', undefined],
      [400, 'k1', undefined],
      [413, null, 9],
      [400, null, 10],
      [400, null, 11],
      [400, 'k1', undefined],
      [200, 'k1', undefined],
    ],
  );
  for (const blank of [results[1], results[4]]) t.match(blank, { code: 'malformed-json', message: /empty/ });
  t.match(results[8], { code: 'body-too-large', message: /65536 bytes/ });
  t.same((await h.call('GET', '/endpoints/k1/metadata')).json, { a: 2, b: [{ x: null }] });
  t.same(await post(h, ''), []);
  t.same(
    (await post(h, '\n\n')).map(({ line }) => line),
    [1, 2],
  );
  t.equal(
    (await post(h, '{"endpointId":"k1","set":{"a":2}}\n')).length,
    1,
    'a last line feed begins no line',
  );
  t.same(await post(h, Uint8Array.of(0xff, 10)), [
    {
      endpointId: null,
      line: 1,
      status: 400,
      code: 'malformed-json',
      message: 'The text is not valid UTF-8.',
    },
  ]);
  t.equal(
    (
      await request(h.origin + path, 'POST', '1', {
        'content-type': 'application/x-ndjson',
        'content-encoding': 'gzip',
      })
    ).status,
    415,
  );
});

void t.test('more lines than are carried out at a time keep their order', async (t) => {
  const h = await startHarness(t);
  for (let i = 0; i < 7; i++) await registerKettle(h, `k${i}`);
  const count = 10_000;
  let text = '';
  for (let i = 0; i < count; i++)
    text += i % 100 === 99 ? `bad ${i}\n` : `{"endpointId":"k${i % 7}","set":{"n":${i}}}\n`;
  const results = await post(h, text);
  t.equal(results.length, count);
  t.ok(
    results.every((result, i) =>
      i % 100 === 99 ? result.status === 400 : result.endpointId === `k${i % 7}` && result.status === 200,
    ),
  );
  for (let k = 0; k < 7; k++) {
    let last = count - 1;
    while (last % 7 !== k || last % 100 === 99) last--;
    t.equal(
      (await h.call('GET', `/endpoints/k${k}/metadata/n`)).json,
      last,
      'the last line of each endpoint won',
    );
  }
});

void t.test('a result comes while the request is still being sent, lines cut anywhere', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1');
  const raw = openRaw(t, h.gateway.port);
  raw.send(head);
  raw.send(chunk('{"endpointId":"k1",'));
  raw.send(chunk('"set":{"a":"\u00e9'.slice(0, -1)));
  for (const byte of Buffer.from('\u00e9"}}\n{"endp'))
    raw.send(Buffer.concat([Buffer.from('1\r\n'), Buffer.of(byte), Buffer.from('\r\n')]));
  await raw.until(/"status":200.*\n/);
  raw.send(chunk('ointId":"none","set":{}}'));
  raw.send('0\r\n\r\n');
  t.match(
    await raw.until(/0\r\n\r\n$/),
    /"k1","status":200[^]*"none","status":404/,
    'the last line needs no line feed',
  );
  t.equal((await h.call('GET', '/endpoints/k1/metadata/a')).json, '\u00e9');
});

void t.test(
  'a client that reads nothing is read no further, and gets every result when it does',
  async (t) => {
    const h = await startHarness(t);
    const raw = openRaw(t, h.gateway.port);
    raw.send(head);
    raw.send(chunk('x\n'));
    await raw.until(/malformed-json/);
    raw.socket.pause();
    // refused at once: what is tried here is the way in and out only
    const line = `${'x'.repeat(400)}\n`;
    const part = line.repeat(500);
    let sent = 1;
    const waiting = (): Promise<boolean> =>
      new Promise((resolve) => {
        if (raw.socket.writableLength === 0) return resolve(false);
        const timer = setTimeout(() => resolve(true), 500);
        raw.socket.once('drain', () => {
          clearTimeout(timer);
          resolve(false);
        });
      });
    let stuck = false;
    while (!stuck && sent < 1_000_000) {
      raw.send(chunk(part));
      sent += 500;
      stuck = await waiting();
    }
    t.ok(stuck, 'the service stopped reading');
    raw.send('0\r\n\r\n');
    await new Promise<void>((resolve) => {
      raw.socket.on('data', (data) => {
        if (data.subarray(-5).toString('latin1') === '0\r\n\r\n') resolve();
      });
      raw.socket.resume();
    });
    t.equal(raw.received().split('"malformed-json"').length - 1, sent);
  },
);

void t.test(
  'a client that goes away in the middle: what was begun is done, the service goes on',
  async (t) => {
    const h = await startHarness(t);
    for (let i = 0; i < 50; i++) await registerKettle(h, `k${i}`);
    const raw = openRaw(t, h.gateway.port);
    raw.send(head);
    let text = '';
    for (let i = 0; i < 5000; i++) text += `{"endpointId":"k${i % 50}","set":{"n":${i}}}\n`;
    raw.send(chunk(text));
    await raw.until(/"status":200/);
    raw.socket.destroy();
    await raw.closed;
    const results = await post(h, '{"endpointId":"k0","set":{"after":true}}');
    t.match(results, [{ endpointId: 'k0', status: 200 }]);
    t.match((await h.call('GET', '/endpoints/k0/metadata')).json, { after: true, n: Number });
    t.same(h.logged, []);
  },
);

void t.test(
  'a stop takes no further lines, answers those that were taken, says so, and does not wait for the request',
  async (t) => {
    const held = holdSubmits();
    const h = await startHarness(t, { wrap: held.wrap });
    await registerKettle(h, 'k1');
    const idle = openRaw(t, h.gateway.port);
    idle.send(head);
    idle.send(chunk('x\n'));
    await idle.until(/malformed-json/);
    const raw = openRaw(t, h.gateway.port);
    raw.send(head);
    raw.send(chunk('{"endpointId":"k1","set":{"a":1}}\n{"endpointId":"none","set":{}}\n{"endpointId":"k1",'));
    await held.arrived(2);
    const stopped = h.gateway.stop(600_000);
    raw.send(chunk('"set":{"late":1}}\n{"endpointId":"k1","set":{"late":2}}\n'));
    t.match(
      await idle.until(/\r\n0\r\n\r\n$/),
      /\{"endpointId":null,"status":503,"code":"stopping","message":"[^"]+"\}\n\r\n0\r\n\r\n$/,
      'one without lines on the way ends at once',
    );
    t.notMatch(raw.received(), /stopping/, 'not before what was taken is answered');
    held.release();
    const text = await raw.until(/\r\n0\r\n\r\n$/);
    t.match(
      text,
      /"k1","status":200[^]*"none","status":404[^]*\{"endpointId":null,"status":503,"code":"stopping"/,
    );
    t.equal(text.split('"endpointId"').length - 1, 3);
    await stopped;
    await raw.closed;
    t.equal(held.count(), 2);
    const record = await h.register.endpoints.get({ correlationId: 'c' }, 'k1');
    t.same(record.kind === 'ok' && metadataOf(record.value), { a: 1 });
    t.same(h.logged, []);
  },
);

void t.test('a request whose end was read when the service stops is answered as ever', async (t) => {
  const held = holdSubmits();
  const h = await startHarness(t, { wrap: held.wrap });
  await registerKettle(h, 'k1');
  const answers = post(h, '{"endpointId":"k1","set":{"a":1}}');
  await held.arrived();
  const stopped = h.gateway.stop(600_000);
  held.release();
  t.match(await answers, [{ endpointId: 'k1', status: 200 }]);
  t.equal((await answers).length, 1);
  await stopped;
});

void t.test('a client that pauses longer than other requests may, and one that is held back', async (t) => {
  const submits = holdSubmits((command) => command.endpointId === 'held');
  const h = await startHarness(t, { wrap: submits.wrap });
  await registerKettle(h, 'k1');
  const paused = openRaw(t, h.gateway.port);
  paused.send(head);
  paused.send(chunk('{"endpointId":"k1","set":{"a":1}}\n'));
  await paused.until(/"status":200/);
  const held = openRaw(t, h.gateway.port);
  held.send(head);
  const line = '{"endpointId":"held","set":{}}\n';
  const lines = 1_000_000;
  for (let i = 0; i < lines; i += 10_000) held.send(chunk(line.repeat(10_000)));
  held.send('0\r\n\r\n');
  await submits.arrived(ITEMS_IN_FLIGHT);
  await new Promise((resolve) => setTimeout(resolve, 14_000)); // other requests have 10 s
  paused.send(chunk('{"endpointId":"k1","set":{"a":2}}\n'));
  await paused.until(/"status":200[^]*"status":200/);
  t.equal(submits.count(), ITEMS_IN_FLIGHT, 'no more lines are under way');
  t.ok(held.socket.writableLength > 0 && !held.socket.destroyed, 'and the rest is not read');
  held.socket.destroy();
  submits.release();
  paused.send('0\r\n\r\n');
  await paused.until(/\r\n0\r\n\r\n$/);
});

void t.test('a client that sends nothing for too long is cut off', async (t) => {
  const h = await startHarness(t, { streamIdleMs: 200 });
  const raw = openRaw(t, h.gateway.port);
  raw.send(head + chunk('x\n'));
  await raw.until(/malformed-json/);
  await raw.closed;
  t.notMatch(raw.received(), /\r\n0\r\n\r\n$/, 'as a broken answer');
  t.same(h.logged, []);
});
