import type { Document } from 'mongodb';
import t, { type Test } from 'tap';
import { parseQuery, type JsonObject, type Query } from '../../src/filters/index.js';
import { openMongoStore } from '../../src/storage/mongodb/index.js';
import { PLANNED_INDEXES } from '../../src/storage/mongodb/indexes.js';
import type { RecordQuery, Scope } from '../../src/storage/port.js';
import { startMongo } from '../servers/index.js';
import { eventsOf, filterOf, idOf, register, START_MS, unregister, written } from './contract/building.js';
import { queryOf, walk } from './contract/lists.js';

t.setTimeout(120_000);
const mongo = await startMongo(t);

/** What a command asks of a collection. */
interface Shape {
  collection: string;
  filter: Document;
  sort: Record<string, number>;
}

function shapesOf(command: Document): Shape[] {
  const shape = (name: string, filter: Document, sort: unknown = {}): Shape => ({
    collection: command[name] as string,
    filter,
    sort:
      sort instanceof Map
        ? (Object.fromEntries(sort) as Record<string, number>)
        : (sort as Record<string, number>),
  });
  if (command['find'] !== undefined)
    return [shape('find', command['filter'] as Document, command['sort'] ?? {})];
  if (command['findAndModify'] !== undefined) return [shape('findAndModify', command['query'] as Document)];
  if (command['aggregate'] !== undefined)
    return [shape('aggregate', (command['pipeline'] as Document[])[0]!['$match'] as Document)];
  for (const [name, list] of [
    ['update', 'updates'],
    ['delete', 'deletes'],
  ] as const)
    if (command[name] !== undefined)
      return (command[list] as Document[]).map((each) => shape(name, each['q'] as Document));
  return [];
}

/** Fields that every document of the answer has one known value of, and fields that are bounded at all. */
function fieldsOf(filter: Document | Map<string, unknown>): { equal: Set<string>; bounded: Set<string> } {
  const equal = new Set<string>();
  const bounded = new Set<string>();
  const entries = filter instanceof Map ? [...filter] : Object.entries(filter);
  for (const [field, condition] of entries as [string, unknown][]) {
    if (field === '$and') {
      for (const part of condition as Document[]) {
        const inner = fieldsOf(part);
        inner.equal.forEach((name) => equal.add(name));
        inner.bounded.forEach((name) => bounded.add(name));
      }
    } else if (!field.startsWith('$')) {
      const operators =
        condition instanceof Map
          ? [...condition.keys()].map(String)
          : typeof condition === 'object' && condition !== null
            ? Object.keys(condition)
            : [];
      bounded.add(field);
      if (!operators.some((name) => name.startsWith('$'))) equal.add(field);
      else if (operators.includes('$elemMatch')) bounded.add(`${field}.key`);
    }
  }
  return { equal, bounded };
}

/**
 * The declared indexes along which the server can answer, of them those that the most of equal fields enter: equal fields
 * come first, then the sort, or the field that is bounded.
 */
function indexesFor({ collection, filter, sort }: Shape): string[] {
  const { equal, bounded } = fieldsOf(filter);
  const wanted = Object.entries(sort).filter(([field]) => !equal.has(field));
  const indexes = [
    { name: '_id_', collection, keys: { _id: 1 } as Record<string, number> },
    ...PLANNED_INDEXES.filter((plan) => plan.collection === collection),
  ];
  let best: { names: string[]; prefix: number } | undefined;
  const isScoped = ['tenant', 'application', 'application_version', 'filters'].some((field) =>
    equal.has(field),
  );
  for (const { name, keys } of indexes) {
    const fields = Object.entries(keys);
    let prefix = 0;
    while (prefix < fields.length && equal.has(fields[prefix]![0])) prefix++;
    const behind = fields.slice(prefix);
    const turn = (wanted[0]?.[1] ?? 0) * (behind[0]?.[1] ?? 0);
    const isSorted = wanted.every(
      ([field, sign], i) => behind[i]?.[0] === field && behind[i][1] * sign === turn,
    );
    const isEntered = prefix > 0 || bounded.has(fields[0]![0]) || (wanted.length > 0 && !isScoped);
    if (!isSorted || !isEntered) continue;
    if (best === undefined || prefix > best.prefix) best = { names: [name], prefix };
    else if (prefix === best.prefix) best.names.push(name);
  }
  return best?.names ?? [];
}

function parsed(source: JsonObject): Query {
  const result = parseQuery(source);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.query;
}

/** The first field of an index that serves the scope best: a filter's members, a version, an application, a tenant. */
function narrowestOf({ filterNumber, version, application, tenant }: Scope): readonly string[] {
  if (filterNumber !== undefined) return ['members', 'member_ids'];
  if (version !== undefined) return ['version_list', 'version_ids'];
  if (application !== undefined) return ['application_list', 'evaluation'];
  return tenant !== undefined ? ['tenant_list', 'tenant_ids'] : ['all_list', '_id_'];
}

const SORTS: RecordQuery['sort'][] = (['createdDate', 'endpointId'] as const).flatMap((by) =>
  (['asc', 'desc'] as const).map((direction) => ({ by, direction })),
);

void t.test('a shape that no index has is told', async (t) => {
  const of = (filter: Document, sort: Record<string, number> = {}) =>
    indexesFor({ collection: 'endpoints', filter, sort });
  t.same(of({ record: 1 }), []);
  t.same(of({ application: 'a' }, { created: 1, _id: 1 }), [], 'a direction that none has');
  t.same(of({ application: 'a' }, { created: 1, _id: -1 }), ['application_list'], 'backwards');
  t.same(of({ tenant: { $gte: '' } }, { created: -1, _id: 1 }), ['all_list']);
  t.same(of({ filterSet: 1, application: 'a' }, { revision: 1 }), []);
  t.same(of({ application: 'a', created: 5 }, { _id: 1 }), ['application_list'], 'the rest of a date');
  t.same(of({ tenant: 'a', nothing: 5 }, { filterSet: 1 }), []);
});

if (mongo !== undefined) {
  const open = async (t: Test, sent: Document[]) => {
    const store = await openMongoStore({
      url: mongo.freshUrl(),
      durability: 'sync',
      onCommand: (command) => sent.push(command),
    });
    t.teardown(() => store.close());
    return store;
  };

  void t.test(
    'every list, in every scope and order, goes along the declared index of its scope',
    async (t) => {
      const sent: Document[] = [];
      const store = await open(t, sent);
      const writes = Array.from({ length: 150 }, (_, i) =>
        register(
          {
            id: idOf(i),
            // a date of many, and others of few
            createdMs: START_MS + (i < 60 ? 0 : Math.floor(i / 3)),
            version: i % 2 === 0 ? 'v1' : 'v2',
            metadata: { n: i },
          },
          { matched: i % 3 === 0 ? [1] : [] },
        ),
      );
      await written(t, store, writes);
      const scopes: Scope[] = [
        {},
        { tenant: 'kaa' },
        { application: 'app' },
        { tenant: 'kaa', application: 'app' },
        { application: 'app', version: 'v1' },
        { tenant: 'kaa', version: 'v1' },
        { application: 'app', filterNumber: 1 },
        { application: 'app', filterNumber: 1, version: 'v1' },
      ];
      for (const scope of scopes) {
        for (const sort of SORTS) {
          for (const where of [
            undefined,
            parsed({ metadata: { $elemMatch: { key: 'n', value: { $gte: 0 } } } }),
          ]) {
            const base = { scope, sort, ...(where ? { where } : {}) };
            sent.length = 0;
            await walk(t, store, queryOf({ ...base, limit: 60 }));
            await store.find(queryOf({ ...base, limit: 5, offset: 50, withTotal: true }));
            await store.find(queryOf({ ...base, limit: 5, test: () => true, withTotal: true }));
            const shapes = sent.flatMap(shapesOf).filter(({ collection }) => collection === 'endpoints');
            const title = `${JSON.stringify(scope)} ${sort.by} ${sort.direction}`;
            t.ok(shapes.length >= 4, `${title}: ${shapes.length} queries`);
            for (const shape of shapes) {
              const names = indexesFor(shape);
              if (names.length === 0) t.fail(`${title}: no index for ${JSON.stringify(shape)}`);
              const isSorted = Object.keys(shape.sort).length > 0;
              if (isSorted && !narrowestOf(scope).some((name) => names.includes(name)))
                t.fail(`${title}: ${names.join()} for ${JSON.stringify(shape)}`);
            }
          }
        }
        sent.length = 0;
        await store.count(scope);
        t.ok(
          sent.flatMap(shapesOf).every((shape) => indexesFor(shape).length > 0),
          `count of ${JSON.stringify(scope)}`,
        );
      }
    },
  );

  void t.test('and so does every other query', async (t) => {
    const sent: Document[] = [];
    const store = await open(t, sent);
    const id = idOf(1);
    await written(t, store, [
      register(
        { id, tokenHash: 'aa', metadata: { a: 1 } },
        { events: eventsOf(id, 1, 'registered'), matched: [1] },
      ),
    ]);
    await store.commit([register({ id: idOf(2), tokenHash: 'aa' }), register({ id })]);
    await store.load([id, idOf(2)]);
    await store.memberships([id]);
    await store.find(queryOf({ endpointIds: [id], withTotal: true }));
    await store.scanStale('app', 5, 10);
    await store.scanStale('app', 5, 10, id);
    const entries = await store.readOutbox(10);
    await store.readOutbox(10, entries[0]!.position);
    await store.clearOutbox(entries.map(({ position }) => position));
    await store.metadataKeys('app');
    await store.dropMemberships('app', 1);
    await written(t, store, [unregister({ id, revision: 2 })]);
    await store.commitFilters([{ filter: filterOf(), expectedRevision: 0, events: eventsOf('f', 1) }]);
    const [from, to] = [1, 2].map((i) => ({ endpointId: idOf(i), createdMs: START_MS }));
    const link = [{ from: from!, to: to! }];
    await store.commitRelations({ tenant: 'kaa', expectedRevision: 0, link, unlink: [], events: [] });
    await store.relationsRevision('kaa');
    await store.linked('kaa', link);
    for (const direction of ['contains', '!contains'] as const) {
      await store.related('kaa', [from!, to!], direction, 10);
      const relations = { tenant: 'kaa', end: from!, direction, limit: 10, offset: 0 };
      await store.findRelations(relations);
      await store.findRelations({ ...relations, after: to! });
    }
    const { replication } = store;
    await replication!.readFilterChanges(0);
    await replication!.findOutdated('app', 2, 10);
    await store.putTask({ id: 'task', application: 'app', createdMs: 1, complete: false, body: '{}' });
    await store.getTask('task');
    await store.openTasks();
    await store.expireTasks(5);
    await store.secret('s');
    await store.close();
    const names = new Set<string>();
    for (const shape of sent.flatMap(shapesOf)) {
      const text = `${shape.collection} ${JSON.stringify([shape.filter, shape.sort])}`;
      names.add(shape.collection);
      // what is small, and read as a whole at the start or by housekeeping
      if (shape.collection === 'filters' && 'removed' in shape.filter) continue;
      if (shape.collection === 'counters') continue;
      if (shape.collection === 'relationGuards' && 'pending' in shape.filter) continue;
      if (indexesFor(shape).length === 0) t.fail(text);
    }
    t.ok(
      ['endpoints', 'filters', 'tasks', 'metadata-keys', 'relations'].every((name) => names.has(name)),
      [...names].join(),
    );
    t.ok(sent.some((command) => command['aggregate'] !== undefined || command['find'] === 'endpoints'));
  });
}
