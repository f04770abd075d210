/** How large the head of a request may be, and what becomes of heads that the HTTP server does not take. */
import t from 'tap';
import { openRaw, startHarness } from './harness.js';

const LINE = 'GET /api/v1/endpoints HTTP/1.1\r\n';
const STATUS = /^HTTP\/1.1 \d+/;

void t.test('size', async (t) => {
  const h = await startHarness(t);
  // all but the end, which makes it the same in one piece and in several
  const head = (bytes: number) => `${LINE}Host: x\r\nX-A: ${'a'.repeat(bytes)}`.slice(0, bytes);
  const whole = openRaw(t, h.gateway.port);
  whole.send(head(32_000));
  whole.send('\r\n\r\n');
  t.match(await whole.until(STATUS), /^HTTP\/1.1 200/);
  const large = openRaw(t, h.gateway.port);
  large.send(head(33_000));
  t.match(await large.until(STATUS), /^HTTP\/1.1 431/);
  await large.closed;
  const atOnce = openRaw(t, h.gateway.port);
  atOnce.send(`${head(200_000)}\r\n\r\n`);
  t.match(await atOnce.until(STATUS), /^HTTP\/1.1 431/);
  await atOnce.closed;
});

void t.test('number of headers', async (t) => {
  const h = await startHarness(t);
  const ask = (headers: number) => {
    const raw = openRaw(t, h.gateway.port);
    const others = Array.from({ length: headers - 1 }, (_, i) => `X-${i}: a\r\n`);
    raw.send(`${LINE}Host: x\r\n${others.join('')}\r\n`);
    return raw;
  };
  t.match(await ask(98).until(STATUS), /^HTTP\/1.1 200/);
  const more = ask(99);
  await more.closed;
  t.equal(more.received(), '', 'not answered');
});

void t.test('no Host, and what is no HTTP', async (t) => {
  const h = await startHarness(t);
  const bare = openRaw(t, h.gateway.port);
  bare.send(`${LINE}\r\n`);
  await bare.closed;
  t.equal(bare.received(), '', 'not answered');
  const others: [name: string, text: string][] = [
    ['no HTTP', 'HELLO\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03'],
    ['HTTP/1.0', 'GET /api/v1/endpoints HTTP/1.0\r\nHost: x\r\n\r\n'],
    // a fault of the HTTP server: the rest could follow (docs/architecture.md)
    ['a part of a request line', LINE.slice(0, 15)],
  ];
  for (const [name, text] of others) {
    const raw = openRaw(t, h.gateway.port);
    raw.send(text);
    t.match(await raw.until(STATUS), /^HTTP\/1.1 505/, name);
    await raw.closed;
  }
});
