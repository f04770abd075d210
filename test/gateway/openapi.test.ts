import t from 'tap';
import { type Described, type Operation, readDescribed } from './described.js';
import { type Harness, limits, registerKettle, startHarness } from './harness.js';

interface Row {
  /** the names in braces filled in */
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

async function readTable(h: Harness): Promise<{ rows: Row[]; described: Described }> {
  const created = await h.call('POST', '/applications/kettle/filters', {
    name: 'f',
    mongoQuery: { application_version: 'kettle-v1' },
  });
  const names: Record<string, string> = { ...NAMES, id: (created.json as { id: string }).id };
  const described = await readDescribed(h);
  const rows = described.operations.map((operation) => ({
    path: operation.path.replace(/\{(\w+)\}/g, (_all, name: string) => names[name]!),
    operation,
    media: Object.entries(operation.requestBody?.content ?? {}).map(([type, { example }]) => {
      const body = BODIES[operation.operationId] ?? example;
      return [type, typeof body === 'string' ? body : JSON.stringify(body)] as [string, string];
    }),
  }));
  return { rows, described };
}

async function walk(
  h: Harness,
  { rows, described }: { rows: readonly Row[]; described: Described },
  requests: (row: Row) => [path: string, body: string | undefined, headers: Record<string, string>][],
): Promise<{ missing: string[]; statuses: Map<string, number[]> }> {
  const missing: string[] = [];
  const statuses = new Map<string, number[]>();
  for (const row of rows) {
    const { operationId, method, name } = row.operation;
    if (operationId === 'streamEvents') continue; // its answer has no end
    for (const [path, body, headers] of requests(row)) {
      const answer = await h.call(method, path, body, headers);
      missing.push(...described.undocumented(row.operation, answer).map((found) => `${name}: ${found}`));
      statuses.set(name, [...(statuses.get(name) ?? []), answer.status]);
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
  const table = await readTable(h);
  const { rows } = table;
  t.ok(rows.length > 20);
  // what deletes comes last
  const deletes = ({ operation }: Row) => Number(operation.method === 'DELETE');
  rows.sort((a, b) => deletes(a) - deletes(b));
  const bad = await walk(h, table, badRequests);
  t.same(bad.missing, []);
  for (const row of rows)
    if (row.media.length > 0)
      for (const status of [400, 415])
        t.ok(
          bad.statuses.get(row.operation.name)?.includes(status),
          `${row.operation.name} answers ${status}`,
        );
  const good = await walk(h, table, plain);
  t.same(good.missing, []);
  for (const row of rows) if (row.media.length > 0) t.ok(row.operation.responses[429], row.operation.name);
});

void t.test('when the register is full, its storage is away, or the service stops', async (t) => {
  const settings = { queueLimit: 20_000 };
  const h = await startHarness(t, { settings });
  await registerKettle(h, 'k1', { a: 1 });
  const table = await readTable(h);
  settings.queueLimit = 0;
  const full = await walk(h, table, plain);
  t.same(full.missing, []);
  t.ok([...full.statuses.values()].flat().includes(429));
  await h.store.close();
  settings.queueLimit = 20_000;
  const away = await walk(h, table, plain);
  t.same(away.missing, []);
  t.ok([...away.statuses.values()].flat().includes(503));
  // that each answers so while it stops is in lifecycle.test.ts
  for (const { operation } of table.rows)
    t.match(operation.responses['503'], { description: /`stopping`/ }, operation.name);
});
