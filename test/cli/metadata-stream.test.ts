import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { createHttpClient } from '../../src/cli/http.js';
import { createLedger, NO_COUNTS, type Failure } from '../../src/cli/import/ledger.js';
import { createMetadataStream } from '../../src/cli/import/metadata-stream.js';
import { createPatience } from '../../src/cli/patience.js';
import type { TestContext } from './run-cli.js';

interface Item {
  endpointId: string;
  set: { n: number };
}

/**
 * What a faulty register does with one line: answers with a status, cuts the connection before or after doing it, or
 * stops: says so instead of doing it, and reads no further.
 */
type Behaviour = (item: Item, seen: number) => number | 'cut-before' | 'cut-after' | 'stop';

async function* linesOf(request: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of request.setEncoding('utf8')) {
    const lines = (rest + (chunk as string)).split('\n');
    rest = lines.pop()!;
    yield* lines;
  }
}

/** A stand-in that fails on purpose; what it does to a line that it takes is what the register does: the last one wins. */
async function startFaulty(
  t: TestContext,
  behaviour: Behaviour,
  onRequest?: (count: number, response: ServerResponse) => boolean,
) {
  const state = new Map<string, number>();
  const seen = new Map<string, number>();
  let requests = 0;
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    requests++;
    request.on('error', () => undefined);
    if (onRequest?.(requests, response) === true) return;
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    for await (const line of linesOf(request)) {
      const item = JSON.parse(line) as Item;
      const times = (seen.get(line) ?? 0) + 1;
      seen.set(line, times);
      const what = behaviour(item, times);
      if (what === 'cut-before') return void response.destroy();
      if (what === 'stop') break;
      if (what === 'cut-after' || what === 200) state.set(item.endpointId, item.set.n);
      if (what === 'cut-after') return void response.destroy();
      response.write(
        `${JSON.stringify({ endpointId: item.endpointId, status: what, code: `code-${what}` })}\n`,
      );
    }
    const stopping = { endpointId: null, status: 503, code: 'stopping', message: 'stopping' };
    response.end(request.complete ? undefined : `${JSON.stringify(stopping)}\n`);
  };
  const server = createServer(
    (request, response) => void handle(request, response).catch(() => response.destroy()),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    state,
    requests: () => requests,
  };
}

const ENDPOINTS = 7;
const WINDOW = 50;

async function sendLines(t: TestContext, url: URL, count: number, retryForMs = 10_000) {
  const failures: Failure[] = [];
  const notices: string[] = [];
  const ledger = createLedger({ line: 0, counts: NO_COUNTS }, (failure) => failures.push(failure));
  const controller = new AbortController();
  const client = createHttpClient(url, undefined);
  t.teardown(() => {
    controller.abort();
    client.close();
  });
  const { signal } = controller;
  const patience = createPatience({
    server: url.href,
    retryForMs,
    signal,
    onNotice: (text) => notices.push(text),
  });
  let answered = 0;
  const stream = createMetadataStream(
    { client, patience, signal },
    { window: WINDOW, onAnswered: () => answered++ },
  );
  for (let number = 1; number <= count; number++) {
    const endpointId = `e${number % ENDPOINTS}`;
    const bytes = Buffer.from(JSON.stringify({ endpointId, set: { n: number } }));
    await stream.send(ledger.open({ number, bytes, tooLong: false }), {
      kind: 'metadata',
      endpointId,
      conditional: false,
    });
    if (ledger.openLines() > 2 * WINDOW) throw new Error(`${ledger.openLines()} lines on the way`);
  }
  await stream.drain();
  return {
    counts: ledger.counts(),
    doneLine: ledger.doneLine(),
    failures,
    notices,
    answered: () => answered,
  };
}

/** The last line of each endpoint. */
function lastOf(count: number): Map<string, number> {
  const last = new Map<string, number>();
  for (let number = 1; number <= count; number++) last.set(`e${number % ENDPOINTS}`, number);
  return last;
}

const sorted = (map: Map<string, number>): [string, number][] => [...map].sort();

void t.test('every line is answered, in one request', async (t) => {
  const server = await startFaulty(t, () => 200);
  const { counts, doneLine } = await sendLines(t, server.url, 1000);
  t.match(counts, { updated: 1000, failed: 0 });
  t.equal(doneLine, 1000);
  t.equal(server.requests(), 1);
  t.same(sorted(server.state), sorted(lastOf(1000)));
});

void t.test('a refused line fails alone, with its number', async (t) => {
  const server = await startFaulty(t, ({ set }) => (set.n % 100 === 0 ? 404 : 200));
  const { counts, failures } = await sendLines(t, server.url, 1000);
  t.match(counts, { updated: 990, failed: 10 });
  t.same(
    failures.map(({ line, status, code }) => ({ line, status, code })),
    Array.from({ length: 10 }, (_, i) => ({ line: (i + 1) * 100, status: 404, code: 'code-404' })),
  );
});

void t.test(
  'a connection that breaks is opened again at the first line without an answer; the last line of an endpoint wins',
  async (t) => {
    let cuts = 0;
    const server = await startFaulty(t, ({ set }, seen) => {
      if (set.n % 97 !== 0 || seen > 1) return 200;
      return ++cuts % 2 === 0 ? 'cut-before' : 'cut-after';
    });
    const { counts, doneLine, notices } = await sendLines(t, server.url, 1000);
    t.match(counts, { updated: 1000, failed: 0 });
    t.equal(doneLine, 1000);
    t.equal(cuts, 10);
    t.equal(server.requests(), 11);
    t.same(sorted(server.state), sorted(lastOf(1000)));
    t.match(notices.join('\n'), /does not answer/);
  },
);

void t.test(
  'a register that stops is come back to, at the first line without an answer, each line done once',
  async (t) => {
    const done: number[] = [];
    const server = await startFaulty(t, ({ set }, seen) => {
      if (set.n % 300 === 0 && seen === 1) return 'stop';
      done.push(set.n);
      // said to be done already, were it sent twice
      return set.n % 300 === 1 ? 412 : 200;
    });
    const { counts, doneLine, notices, failures } = await sendLines(t, server.url, 1000);
    t.match(counts, { updated: 996, failed: 4 });
    t.equal(doneLine, 1000);
    t.equal(server.requests(), 4);
    t.same(
      done,
      Array.from({ length: 1000 }, (_, i) => i + 1),
    );
    t.same(notices, [], 'that is not a register that is away');
    t.notMatch(failures.map(({ message }) => message).join(), /twice/);
  },
);

void t.test(
  'a line that is asked to come again later comes again, and does not overtake a later one of its endpoint',
  async (t) => {
    const server = await startFaulty(t, ({ set }, seen) => (set.n % 201 === 0 && seen === 1 ? 429 : 200));
    const { counts, doneLine } = await sendLines(t, server.url, 500);
    t.match(counts, { updated: 500, failed: 0 });
    t.equal(doneLine, 500);
    t.same(sorted(server.state), sorted(lastOf(500)));
  },
);

void t.test('a register that asks to wait is waited for', async (t) => {
  const server = await startFaulty(
    t,
    () => 200,
    (count, response) => {
      if (count > 2) return false;
      response.writeHead(count === 1 ? 503 : 429, { 'retry-after': '0' }).end('{"message":"later"}');
      return true;
    },
  );
  const { counts } = await sendLines(t, server.url, 100);
  t.match(counts, { updated: 100, failed: 0 });
  t.equal(server.requests(), 3);
});

void t.test('what trying again does not change ends it', async (t) => {
  const refusing = await startFaulty(
    t,
    () => 200,
    (_, response) => {
      response.writeHead(401).end('{"message":"who are you?"}');
      return true;
    },
  );
  await t.rejects(sendLines(t, refusing.url, 10), { message: /asks for a token \(401\): who are you\?/ });
  const other = await startFaulty(
    t,
    () => 200,
    (_, response) => {
      response.writeHead(200).end('<html>hello</html>\n');
      return true;
    },
  );
  await t.rejects(sendLines(t, other.url, 10), { message: /no endpoint register/ });
});

void t.test('a register that stays away ends it when patience does', async (t) => {
  const server = await startFaulty(t, () => 'cut-before');
  await t.rejects(sendLines(t, server.url, 10, 300), { message: /No answer from/, exitCode: 1 });
});
