/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access -- answers are JSON of any shape */
import t from 'tap';
import { openAccess, type Access } from '../../src/security/index.js';
import { type Answer, type Harness, openRaw, registerKettle, startHarness } from './harness.js';

const of = (...texts: string[]) =>
  texts.map((text) => {
    const [from, to] = text.split('>');
    return { type: 'contains', from, to };
  });

async function registerAll(h: Harness, ...ids: string[]): Promise<void> {
  await Promise.all(ids.map((id) => registerKettle(h, id)));
}

/** Ids on a page. */
function idsIn({ json }: Answer): string[] {
  return (json as { content: { endpointId: string }[] }).content.map(({ endpointId }) => endpointId);
}

async function related(h: Harness, id: string, relation = 'contains'): Promise<string[]> {
  return idsIn(
    await h.call('GET', `/endpoints/${id}/relations?relation=${encodeURIComponent(relation)}`),
  ).sort();
}

void t.test('link, unlink, and what is said of it', async (t) => {
  const h = await startHarness(t);
  await registerAll(h, 'a', 'b', 'c');
  const linked = await h.call('PUT', '/relations/link', of('a>b', 'b>c', 'a>b'));
  t.equal(linked.status, 200);
  t.same(linked.json, [
    { type: 'contains', from: 'a', to: 'b', status: 'linked' },
    { type: 'contains', from: 'b', to: 'c', status: 'linked' },
    { type: 'contains', from: 'a', to: 'b', status: 'already-linked' },
  ]);
  t.same((await h.call('GET', '/endpoints/a/relations?relation=contains')).json, {
    totalElements: 1,
    content: [{ endpointId: 'b' }],
  });
  t.same(await related(h, 'b', '!contains'), ['a']);
  const unlinked = await h.call('PUT', '/relations/unlink', of('a>b', 'a>c'));
  t.same(
    unlinked.json.map(({ status }: { status: string }) => status),
    ['unlinked', 'not-linked'],
  );
  t.same(await related(h, 'a'), []);
  t.same((await h.call('PUT', '/relations/link', [])).json, []);
  t.equal((await h.call('DELETE', '/endpoints/c')).status, 204);
  t.same(await related(h, 'b'), []);
  await h.call('PUT', '/relations/link', of('a>b'));
  t.same((await h.call('POST', '/endpoints/delete', { endpointIds: ['b'] })).json.deleted, ['b']);
  t.same(await related(h, 'a'), []);
});

void t.test('what is refused, and what it says', async (t) => {
  const h = await startHarness(t);
  await registerAll(h, 'a', 'b', 'c');
  await h.call('PUT', '/relations/link', of('a>b', 'b>c'));
  const link = (body: unknown) => h.call('PUT', '/relations/link', body);
  const refusals: [body: unknown, status: number, code: string, paths: string[]][] = [
    [of('x>a', 'a>y'), 404, 'endpoint-not-found', ['/0/from', '/1/to']],
    [of('a>a'), 409, 'relation-to-itself', ['/0']],
    [of('c>a', 'nobody>a'), 409, 'relation-cycle', ['/0', '/1/from']],
    [[{ type: 'contains', from: 'a' }], 400, 'invalid-body', ['/0']],
    [[{ type: 'has', from: 'a', to: 'c' }], 400, 'invalid-body', ['/0/type']],
    [[{ type: 'contains', from: 'a b', to: 1, x: 1 }], 400, 'invalid-body', ['/0/x', '/0/from', '/0/to']],
    [{}, 400, 'invalid-body', ['']],
    [Array.from({ length: 1001 }, () => of('a>c')[0]), 400, 'invalid-body', ['']],
  ];
  for (const [body, status, code, paths] of refusals) {
    const answer = await link(body);
    t.equal(answer.status, status, answer.text);
    t.equal(answer.json.code, code);
    t.same(answer.json.details.map(({ path }: { path: string }) => path).sort(), paths.sort());
  }
  t.match(
    (await link(of('c>a'))).json.message,
    '"c" can not contain "a", which contains it: "a" > "b" > "c".',
  );
  t.same(await related(h, 'a'), ['b'], 'nothing was changed');
  const unlink = await h.call('PUT', '/relations/unlink', of('a>b', 'a>nobody'));
  t.same([unlink.status, unlink.json.code], [404, 'endpoint-not-found']);
  t.same(await related(h, 'a'), ['b']);

  for (const query of [
    '',
    '?relation=holds',
    '?relation=contains&relation=contains',
    '?relation=contains&limit=0',
  ])
    t.equal((await h.call('GET', `/endpoints/a/relations${query}`)).json.code, 'invalid-parameter', query);
  t.equal(
    (await h.call('GET', '/endpoints/a/relations?relation=contains&x=1')).json.code,
    'unknown-parameter',
  );
  const unknown = await h.call('GET', '/endpoints/nobody/relations?relation=contains');
  t.same([unknown.status, unknown.json.code], [404, 'endpoint-not-found']);
});

void t.test('pages by offset and by cursor, both ways', async (t) => {
  const h = await startHarness(t);
  const ids = Array.from({ length: 23 }, (_, i) => `e${i}`);
  await registerAll(h, 'hub', 'leaf', ...ids);
  await h.call('PUT', '/relations/link', of(...ids.flatMap((id) => [`hub>${id}`, `${id}>leaf`])));
  const listed = (await h.call('GET', '/endpoints')).json.content as { endpointId: string }[];
  const order = listed.map(({ endpointId }) => endpointId).filter((id) => id.startsWith('e'));
  for (const path of [
    '/endpoints/hub/relations?relation=contains',
    '/endpoints/leaf/relations?relation=!contains',
  ]) {
    const byCursor: string[] = [];
    const byOffset: string[] = [];
    let cursor = '';
    for (let offset = 0; offset < 23; offset += 5) {
      const answer = await h.call('GET', `${path}&limit=5${cursor}`);
      const page = answer.json;
      t.equal(page.totalElements, 23);
      byCursor.push(...idsIn(answer));
      t.equal(page.nextCursor === undefined, offset === 20, 'a cursor while more follows');
      cursor = `&cursor=${page.nextCursor}`;
      byOffset.push(...idsIn(await h.call('GET', `${path}&limit=5&offset=${offset}`)));
    }
    t.same(byCursor, order, 'in the order of every list');
    t.same(byOffset, order);
    t.same((await h.call('GET', `${path}&offset=99`)).json, { totalElements: 23, content: [] });
    const { nextCursor } = (await h.call('GET', `${path}&limit=1`)).json;
    for (const wrong of [`${path}&cursor=${nextCursor}&offset=1`, `${path}&cursor=nonsense`])
      t.equal((await h.call('GET', wrong)).json.code, 'invalid-parameter');
    const other = path.includes('!') ? path.replace('!', '') : path.replace('=contains', '=!contains');
    t.equal(
      (await h.call('GET', `${other}&cursor=${nextCursor}`)).json.code,
      'invalid-parameter',
      'of another list',
    );
  }
});

void t.test('of links that would close a ring at the same moment, one is refused', async (t) => {
  const h = await startHarness(t);
  const ids = ['a', 'b', 'c', 'd'];
  await registerAll(h, ...ids);
  const answers = await Promise.all(
    ids.map((id, i) => h.call('PUT', '/relations/link', of(`${id}>${ids[(i + 1) % 4]}`))),
  );
  t.same(answers.map(({ status }) => status).sort(), [200, 200, 200, 409]);
  t.equal(answers.find(({ status }) => status === 409)!.json.code, 'relation-cycle');
});

void t.test('registering with relations', async (t) => {
  const h = await startHarness(t);
  await registerAll(h, 'a', 'c');
  const body = { appVersion: { name: 'kettle-v1' }, endpointId: 'b' };
  const relations = [
    { type: 'contains', from: 'a' },
    { type: 'contains', to: 'c' },
  ];
  t.equal((await h.call('POST', '/endpoints', { ...body, relations })).status, 201);
  t.same(await related(h, 'b'), ['c']);
  t.same(await related(h, 'a'), ['b']);
  const taken = await h.call('POST', '/endpoints', { ...body, relations });
  t.same([taken.status, taken.json.code], [409, 'endpoint-exists']);

  const again = { ...body, endpointId: 'd' };
  const refusals: [relations: unknown, status: number, code: string, paths: string[]][] = [
    [[{ type: 'contains', from: 'x' }], 404, 'endpoint-not-found', ['/relations/0/from']],
    [[{ type: 'contains', to: 'd' }], 409, 'relation-to-itself', ['/relations/0/to']],
    [
      [
        { type: 'contains', from: 'b' },
        { type: 'contains', to: 'a' },
      ],
      409,
      'relation-cycle',
      ['/relations/1/to'],
    ],
    [[{ type: 'contains', from: 'a', to: 'b' }], 400, 'invalid-body', ['/relations/0']],
    [[{ type: 'contains' }], 400, 'invalid-body', ['/relations/0']],
    [[{ from: 'a' }], 400, 'invalid-body', ['/relations/0', '/relations/0']],
  ];
  for (const [bad, status, code, paths] of refusals) {
    const answer = await h.call('POST', '/endpoints', { ...again, relations: bad });
    t.equal(answer.status, status, answer.text);
    t.equal(answer.json.code, code);
    t.same(
      answer.json.details.map(({ path }: { path: string }) => path),
      paths,
      answer.text,
    );
    t.equal((await h.call('GET', '/endpoints/d')).status, 404, 'not registered');
  }
  const metadata = { 'no key': 1 };
  const invalid = await h.call('POST', '/endpoints', { ...again, metadata, relations });
  t.same([invalid.json.code, invalid.json.details[0].path], ['invalid-metadata-key', '/metadata/no key']);
  t.same(await related(h, 'a'), ['b'], 'what was linked for it is taken back');
});

void t.test('a repeated request under an idempotency key has its relations once', async (t) => {
  const h = await startHarness(t);
  await registerAll(h, 'a');
  const body = { appVersion: { name: 'kettle-v1' }, relations: [{ type: 'contains', from: 'a' }] };
  const answers = [];
  for (let i = 0; i < 2; i++)
    answers.push(await h.call('POST', '/endpoints', body, { 'idempotency-key': 'one' }));
  t.same(
    answers.map(({ status }) => status),
    [201, 201],
  );
  t.same(answers[0]!.json, answers[1]!.json);
  t.same(await related(h, 'a'), [answers[0]!.json.endpointId]);
});

void t.test(
  'scopes: endpoint:update on every endpoint that is named, endpoint:read on what is shown',
  async (t) => {
    const asked: string[] = [];
    const access: Access = {
      ...openAccess(),
      authenticates: true,
      authenticate: async () => ({ tenant: 'kaa' }),
      decide: async (_caller, scope, resources) => {
        asked.push(...resources.map((resource) => `${scope} ${resource}`));
        return resources.map(
          (resource) =>
            !(scope === 'endpoint:update' && /fixed|nobody/.test(resource)) &&
            !(scope === 'endpoint:read' && resource.endsWith('hidden')),
        );
      },
      granted: () => new Set(['endpoint-a', 'endpoint-b', 'endpoint-d', 'endpoint-fixed']),
    };
    const h = await startHarness(t, { access });
    await registerAll(h, 'a', 'b', 'd', 'fixed', 'hidden');
    const refused = await h.call('PUT', '/relations/link', of('a>b', 'a>fixed', 'nobody>b'));
    t.same([refused.status, refused.json.code], [403, 'forbidden']);
    t.same(
      refused.json.details.map(({ path }: { path: string }) => path),
      ['/1/to', '/2/from'],
    );
    t.match(refused.json.details[1].message, /"nobody" is not registered/, 'unknown rather than forbidden');
    t.equal((await h.call('PUT', '/relations/unlink', of('fixed>a'))).status, 403);
    t.equal((await h.call('PUT', '/relations/link', of('nobody>a'))).status, 404);
    const body = { appVersion: { name: 'heir-v1' }, endpointId: 'c' };
    const registered = await h.call('POST', '/endpoints', {
      ...body,
      relations: [{ type: 'contains', to: 'fixed' }],
    });
    t.same([registered.status, registered.json.details[0].path], [403, '/relations/0/to']);
    t.equal((await h.call('GET', '/endpoints/c')).status, 404);
    t.equal((await h.call('PUT', '/relations/link', of('a>b', 'a>hidden'))).status, 200);
    t.same(await related(h, 'a'), ['b']);
    await h.call('PUT', '/relations/link', of('a>d'));
    const page = async (more: string) =>
      (await h.call('GET', `/endpoints/a/relations?relation=contains&limit=1${more}`)).json as {
        totalElements: number;
        content: { endpointId: string }[];
        nextCursor?: string;
      };
    const first = await page('');
    t.equal(first.totalElements, 2, 'what is hidden is not counted');
    const second = await page(`&cursor=${first.nextCursor}`);
    t.notHas(second, { nextCursor: String });
    const ids = [first, second].map(({ content }) => content[0]!.endpointId);
    t.same(ids.sort(), ['b', 'd']);
    t.same((await page('&offset=1')).content, second.content);
    t.ok(asked.includes('endpoint:update endpoint-a') && asked.includes('endpoint:update endpoint-b'));

    await h.call('PUT', '/endpoints/hidden/metadata/secret', '1');
    await h.call('PUT', '/endpoints/b/metadata/open', '2');
    await h.call('POST', '/endpoints', {
      ...body,
      relations: ['hidden', 'b'].map((from) => ({ type: 'contains', from })),
    });
    t.same((await h.call('GET', '/endpoints/c/metadata?include=inherited')).json, { open: 2 });
  },
);

void t.test('inherited metadata, and its ETag', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'site', { city: 'Kyiv', zone: 'far' });
  await registerKettle(h, 'room', { zone: 'near', lamp: null });
  const relations = [{ type: 'contains', from: 'room' }];
  const heir = { appVersion: { name: 'heir-v1' }, endpointId: 'heir', metadata: { own: 1 }, relations };
  t.equal((await h.call('POST', '/endpoints', heir)).status, 201);
  await h.call('PUT', '/relations/link', of('site>room'));
  const path = '/endpoints/heir/metadata';
  const own = await h.call('GET', path);
  t.same(own.json, { own: 1 });
  const all = await h.call('GET', `${path}?include=inherited`);
  t.same(all.json, { own: 1, zone: 'near', lamp: null, city: 'Kyiv' });
  for (const include of ['city,own', 'city&include=own', 'inherited,city,own'])
    t.same((await h.call('GET', `${path}?include=${include}`)).json, { own: 1, city: 'Kyiv' }, include);
  t.same((await h.call('GET', `${path}?include=own`)).json, { own: 1 });
  t.equal((await h.call('GET', `${path}/city`)).status, 404, 'one value is the own one');
  t.same((await h.call('GET', '/endpoints/heir/metadata-keys')).json, ['own']);

  const [ownTag, tag] = [own.headers.get('etag')!, all.headers.get('etag')!];
  t.not(tag, ownTag);
  const again = (etag: string) =>
    h.call('GET', `${path}?include=inherited`, undefined, { 'if-none-match': etag });
  t.equal((await again(tag)).status, 304);
  t.equal((await again(ownTag)).status, 200, 'other content, another tag');
  await h.call('PUT', '/endpoints/site/metadata/city', '"Lviv"');
  const changed = await again(tag);
  t.same([changed.status, changed.json.city], [200, 'Lviv'], 'a container changed');
  const write = (etag: string) => h.call('PUT', `${path}/own`, '2', { 'if-match': etag });
  t.equal((await write(tag)).status, 412, 'a write compares the own tag');
  t.equal((await write(ownTag)).status, 200);
  t.same((await h.call('GET', '/endpoints/room/metadata?include=inherited')).json, {
    zone: 'near',
    lamp: null,
  });
  const off = await h.call('GET', '/endpoints/room/metadata?include=inherited,city,zone');
  t.same(off.json, { zone: 'near' }, 'its application does not inherit');
  t.equal((await h.call('GET', '/endpoints/nobody/metadata?include=inherited')).status, 404);
});

void t.test('live events of relations reach who watches either end', async (t) => {
  const h = await startHarness(t);
  await registerAll(h, 'a', 'b', 'c');
  const raw = openRaw(t, h.gateway.port);
  raw.send('GET /api/v1/events?endpointId=b&application=kettle HTTP/1.1\r\nHost: x\r\n\r\n');
  await raw.until(/welcome/);
  await h.call('PUT', '/relations/link', of('a>c'), { 'x-correlation-id': 'no' });
  await h.call('PUT', '/relations/link', of('a>b'), { 'x-correlation-id': 'yes' });
  await h.call('DELETE', '/endpoints/a', undefined, { 'x-correlation-id': 'gone' });
  const text = await raw.until(/"correlationId":"gone"/);
  const events = [...text.matchAll(/^data: (.*)$/gm)].map(
    ([, json]) => JSON.parse(json!) as { type: string; correlationId: string; endpointIds: string[] },
  );
  t.same(
    events.map(({ type, correlationId }) => [type, correlationId]),
    [
      ['relations-updated', 'yes'],
      ['relations-updated', 'gone'],
    ],
  );
  t.match(events[0], { source: 'relations:kaa', application: 'kettle', endpointIds: ['a', 'b'] });
  t.same(events[1]!.endpointIds.toSorted(), ['a', 'b', 'c']);
});
