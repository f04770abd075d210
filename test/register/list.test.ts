import t from 'tap';
import { headOf } from '../../src/model/record.js';
import type { ListQuery } from '../../src/register/index.js';
import { codeOf, command, CONTEXT, createFilter, HOT, start, untilActive, valueOf } from './support.js';

void t.test('every parameter of the list', async (t) => {
  const running = await start(t);
  const { endpoints } = running.register;
  const fleet: [id: string, version: string, metadata: object][] = [
    ['kyiv-1', 'v1', { city: 'Kyiv', temp: 4, on: true }],
    ['kyiv-2', 'v2', { city: 'kyiv', temp: '4', on: 'true' }],
    ['lviv-1', 'v1', { city: 'Lviv', temp: 30, nested: { deep: [{ text: 'needle.x' }] } }],
    ['odesa-1', 'v2', { city: null, temp: 25, note: 'null' }],
    ['x1', 'w1', { city: 'Kyiv' }],
    ['gone', 'v1', { city: 'Kyiv' }],
  ];
  for (const [endpointId, versionName, metadata] of fleet)
    valueOf(await endpoints.register(CONTEXT, { endpointId, versionName, metadata: metadata as never }));
  await endpoints.submit(command('gone', { type: 'unregister' }));
  const { filter } = await createFilter(running, 'hot', HOT);
  const all: ListQuery = {
    regex: false,
    sort: { by: 'endpointId', direction: 'asc' },
    offset: 0,
    limit: 100,
  };
  const list = (query: Partial<ListQuery>, context: object = {}) =>
    endpoints.list({ ...CONTEXT, ...context }, { ...all, ...query });
  const ids = async (query: Partial<ListQuery>, context: object = {}) => {
    const page = valueOf(await list(query, context));
    t.equal(page.total, page.records.length, 'the total');
    return page.records.map((record) => headOf(record).endpointId).join(' ');
  };
  await untilActive(running, filter.id);

  t.equal(await ids({}), 'kyiv-1 kyiv-2 lviv-1 odesa-1 x1', 'what is unregistered is not there');
  t.equal(await ids({ endpointIds: ['lviv-1', 'none', 'gone', 'kyiv-1'] }), 'kyiv-1 lviv-1');
  t.equal(await ids({ endpointIds: [] }), '');
  t.equal(await ids({ endpointIds: ['^KYIV'], regex: true }), 'kyiv-1 kyiv-2');
  t.equal(await ids({ application: 'app' }), 'kyiv-1 kyiv-2 lviv-1 odesa-1');
  t.equal(await ids({ application: 'app', version: 'v2' }), 'kyiv-2 odesa-1');
  t.equal(await ids({ version: 'w1' }), 'x1');
  t.equal(await ids({ version: 'w1', application: 'app' }), '');
  t.equal(await ids({ tenant: 'acme' }), 'x1');
  t.equal(await ids({}, { tenant: 'acme' }), 'x1');
  t.equal(
    codeOf(await list({ tenant: 'kaa' }, { tenant: 'acme' })),
    'forbidden',
    'who may see one tenant sees no other',
  );
  t.equal(await ids({ filterId: filter.id }), 'lviv-1 odesa-1');
  t.equal(await ids({ filterId: filter.id, version: 'v1' }), 'lviv-1');
  t.equal(await ids({ filterId: filter.id, application: 'other' }), '');
  t.equal(codeOf(await list({ filterId: filter.id }, { tenant: 'acme' })), 'filter-not-found');
  t.equal(codeOf(await list({ filterId: 'none' })), 'filter-not-found');

  const object = (value: object, regex = false) =>
    ids({ metadataFilter: { kind: 'object', value: value as never }, regex });
  const pairs = (texts: [string, string][], regex = false) =>
    ids({ metadataFilter: { kind: 'pairs', pairs: texts }, regex });
  t.equal(await object({ city: 'Kyiv' }), 'kyiv-1 x1');
  t.equal(await object({ city: 'Kyiv', temp: { $lt: 20 } }), 'kyiv-1');
  t.equal(await object({ temp: { $exists: false } }), 'x1');
  t.match(
    await list({ metadataFilter: { kind: 'object', value: { $or: [] } } }),
    { code: 'invalid-parameter', details: [{ path: 'metadataFilter', message: /"\$or" is an operator/ }] },
    'what could never be is refused, not empty',
  );
  t.equal(await object({}), 'kyiv-1 kyiv-2 lviv-1 odesa-1 x1');
  t.equal(await object({ city: '^ky' }, true), 'kyiv-1 kyiv-2 x1');
  t.equal(await object({ city: '^ky', temp: { $gte: 4 } }, true), 'kyiv-1', 'operators stay what they are');
  t.equal(await pairs([['temp', '4']]), 'kyiv-1 kyiv-2', 'the number and the text');
  t.equal(await pairs([['on', 'true']]), 'kyiv-1 kyiv-2');
  t.equal(await pairs([['city', 'null']]), 'odesa-1');
  t.equal(
    await pairs([
      ['city', 'Kyiv'],
      ['temp', '4'],
    ]),
    'kyiv-1',
  );
  t.equal(await pairs([['city', 'KY']], true), 'kyiv-1 kyiv-2 x1');
  t.equal(await pairs([['toString', 'x']]), '');

  t.equal(await ids({ multiFilter: 'needle' }), 'lviv-1', 'at any depth');
  t.equal(await ids({ multiFilter: 'odesa' }), 'odesa-1', 'in the id');
  t.equal(await ids({ multiFilter: '30' }), 'lviv-1', 'in a number');
  t.equal(await ids({ multiFilter: 'text' }), '', 'not in names');
  t.equal(await ids({ multiFilter: 'NEEDLE.X', regex: true }), 'lviv-1');
  t.equal(await ids({ multiFilter: '^(x|od)', regex: true }), 'odesa-1 x1');
  t.equal(
    await ids({ query: { metadata: { $elemMatch: { key: 'temp', value: { $gte: 25 } } } }, version: 'v1' }),
    'lviv-1',
  );
  t.equal(
    await ids({ query: HOT, metadataFilter: { kind: 'object', value: { city: null } }, multiFilter: '2' }),
    'odesa-1',
    'all that is asked holds',
  );

  t.equal(codeOf(await list({ endpointIds: ['('], regex: true })), 'invalid-parameter');
  t.equal(codeOf(await list({ multiFilter: '(?=x)', regex: true })), 'invalid-parameter');
  t.equal(
    codeOf(await list({ metadataFilter: { kind: 'object', value: { a: { $where: 1 } } } })),
    'invalid-parameter',
  );
  t.equal(codeOf(await list({ query: { $where: '1' } })), 'invalid-query');
  t.equal(codeOf(await list({ query: [] })), 'invalid-query');
  t.match(await list({ endpointIds: ['('], multiFilter: '[', regex: true }), {
    details: [{ path: 'endpointId' }, { path: 'multiFilter' }],
  });

  const page = valueOf(await list({ limit: 2, offset: 1 }));
  t.same([page.total, page.records.map((record) => headOf(record).endpointId)], [5, ['kyiv-2', 'lviv-1']]);
  const rest = valueOf(await list({ limit: 2, after: page.next! }));
  t.same(
    rest.records.map((record) => headOf(record).endpointId),
    ['odesa-1', 'x1'],
  );
  t.same(valueOf(await list({ offset: 99 })).records, []);
});
