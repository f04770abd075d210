import t from 'tap';
import { type Answer, type Harness, limits, registerKettle, startHarness } from './harness.js';

interface Operation {
  operationId: string;
  parameters: { name: string; in: string; example?: unknown }[];
  requestBody?: { content: Record<string, { example?: unknown }> };
  responses: Record<string, { description: string; content?: object }>;
  'x-scope'?: string;
}

interface Row {
  name: string;
  method: string;
  /** under /api/v1, the names in braces filled in */
  path: string;
  operation: Operation;
  /** media type, and a body that the operation takes */
  media: [type: string, body: string][];
}

/** What stands in the harness's register for the examples of the document. */
const NAMES: Record<string, string> = { endpointId: 'k1', app: 'kettle', key: 'a' };
const BODIES: Record<string, unknown> = {
  registerEndpoint: { appVersion: { name: 'kettle-v1' }, endpointId: 'k1' },
  setEndpointAppVersion: { name: 'kettle-v1' },
};

async function readTable(h: Harness): Promise<Row[]> {
  const created = await h.call('POST', '/applications/kettle/filters', {
    name: 'f',
    mongoQuery: { application_version: 'kettle-v1' },
  });
  const names: Record<string, string> = { ...NAMES, id: (created.json as { id: string }).id };
  const document = (await h.call('GET', '/openapi.json')).json as {
    paths: Record<string, Record<string, Operation>>;
  };
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path: path.replace(/\{(\w+)\}/g, (_all, name: string) => names[name]!),
      operation,
      media: Object.entries(operation.requestBody?.content ?? {}).map(([type, { example }]) => {
        const body = BODIES[operation.operationId] ?? example;
        return [type, typeof body === 'string' ? body : JSON.stringify(body)] as [string, string];
      }),
    })),
  );
}

/** Where the document does not have an answer, with what was answered. */
function undocumented({ operation }: Row, { status, json }: Pick<Answer, 'status' | 'json'>): string[] {
  const { code } = (json ?? {}) as { code?: string };
  const response = operation.responses[status];
  if (response === undefined) return [`${status} ${code}`];
  return status < 400 || (code !== undefined && response.description.includes(`\`${code}\``))
    ? []
    : [`${status}: ${code}`];
}

async function walk(
  h: Harness,
  rows: readonly Row[],
  requests: (row: Row) => [path: string, body: string | undefined, headers: Record<string, string>][],
): Promise<{ missing: string[]; statuses: Map<string, number[]> }> {
  const missing: string[] = [];
  const statuses = new Map<string, number[]>();
  for (const row of rows) {
    if (row.operation.operationId === 'streamEvents') continue; // its answer has no end
    for (const [path, body, headers] of requests(row)) {
      const answer = await h.call(row.method, path, body, headers);
      missing.push(...undocumented(row, answer).map((found) => `${row.name}: ${found}`));
      statuses.set(row.name, [...(statuses.get(row.name) ?? []), answer.status]);
    }
  }
  return { missing, statuses };
}

const plain = (row: Row): [string, string | undefined, Record<string, string>][] =>
  row.media.length === 0
    ? [[row.path, undefined, {}]]
    : row.media.map(([type, body]) => [row.path, body, { 'content-type': type }]);

/** What is wrong in the request itself. */
function badRequests(row: Row): [string, string | undefined, Record<string, string>][] {
  const [type, body] = row.media[0] ?? ['', undefined];
  const typed: Record<string, string> = type === '' ? {} : { 'content-type': type };
  const bad: ReturnType<typeof plain> = [
    [`${row.path}?nobody=1`, body, typed],
    [`${row.path}?limit=x&limit=y&offset=-1&include=z`, body, typed],
    [row.path, body, { ...typed, 'x-correlation-id': 'x'.repeat(200) }],
    [row.path, body, { ...typed, 'if-match': '"no"' }],
    [row.path, body, { ...typed, 'if-match': 'no quotes' }],
    [row.path, body, { ...typed, 'if-none-match': '"no"' }],
  ];
  for (const name of ['k1', 'kettle', 'a'])
    if (row.path.split('/').includes(name)) {
      bad.push([row.path.replace(`/${name}`, '/%C3%A9'), body, typed]);
      bad.push([row.path.replace(`/${name}`, '/%ff'), body, typed]);
      bad.push([row.path.replace(`/${name}`, '/unknown'), body, typed]);
    }
  for (const [media] of row.media) {
    for (const text of [
      '',
      '{',
      '17',
      '{"x":1}',
      '[{}]',
      '['.repeat(99) + ']'.repeat(99),
      '{"a":1,"a":2}',
      JSON.stringify('x'.repeat(limits.bodyBytes)),
    ])
      bad.push([row.path, text, { 'content-type': media }]);
    bad.push([row.path, body, { 'content-type': 'text/plain' }]);
    bad.push([row.path, body, { 'content-type': media, 'content-encoding': 'gzip' }]);
  }
  return bad;
}

void t.test('whatever an operation answers is in the document', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1', { a: 1 });
  const rows = await readTable(h);
  t.ok(rows.length > 20);
  // what deletes comes last
  rows.sort((a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'));
  const bad = await walk(h, rows, badRequests);
  t.same(bad.missing, []);
  for (const row of rows)
    if (row.media.length > 0)
      for (const status of [400, 415])
        t.ok(bad.statuses.get(row.name)?.includes(status), `${row.name} answers ${status}`);
  const good = await walk(h, rows, plain);
  t.same(good.missing, []);
  for (const row of rows) if (row.media.length > 0) t.ok(row.operation.responses[429], row.name);
});

void t.test('when the register is full, its storage is away, or the service stops', async (t) => {
  const settings = { queueLimit: 20_000 };
  const h = await startHarness(t, { settings });
  await registerKettle(h, 'k1', { a: 1 });
  const rows = await readTable(h);
  settings.queueLimit = 0;
  const full = await walk(h, rows, plain);
  t.same(full.missing, []);
  t.ok([...full.statuses.values()].flat().includes(429));
  await h.store.close();
  settings.queueLimit = 20_000;
  const away = await walk(h, rows, plain);
  t.same(away.missing, []);
  t.ok([...away.statuses.values()].flat().includes(503));
  // that each answers so while it stops is in lifecycle.test.ts
  for (const { operation, name } of rows)
    t.match(operation.responses['503'], { description: /`stopping`/ }, name);
});
