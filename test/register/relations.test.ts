import t, { type Test } from 'tap';
import { decodeEvent } from '../../src/avro/index.js';
import type { EventGroup } from '../../src/model/event.js';
import { createdOf, metadataOf } from '../../src/model/record.js';
import type { RelationDirection } from '../../src/model/relation.js';
import { type Store, StorageUnavailable } from '../../src/storage/index.js';
import {
  codeOf,
  command,
  CONTEXT,
  fill,
  type Running,
  start as startRegister,
  type StartOptions,
  until,
  valueOf,
} from './support.js';

const start = (t: Test, options: StartOptions = {}) =>
  startRegister(t, { threads: 1, inPlace: true, ...options });

const item = (text: string) => {
  const [from, to] = text.split('>');
  return { from: from!, to: to! };
};

function link({ register }: Running, ...texts: string[]) {
  return register.relations.link(CONTEXT, texts.map(item));
}

function unlink({ register }: Running, ...texts: string[]) {
  return register.relations.unlink(CONTEXT, texts.map(item));
}

async function idsOf({ register }: Running, id: string, direction: RelationDirection = 'contains') {
  const page = valueOf(await register.relations.list(CONTEXT, id, { direction, offset: 0, limit: 10_000 }));
  if (page.total !== page.endpointIds.length)
    throw new Error(`${page.total} are counted, ${page.endpointIds.length} are listed`);
  return page.endpointIds.sort();
}

function unregister({ register }: Running, id: string) {
  return register.endpoints.submit(command(id, { type: 'unregister' }));
}

/** Ids that each event of relations names. */
function relationEvents(groups: readonly EventGroup[]): string[] {
  return groups.flatMap(({ events }) =>
    events
      .filter(({ kind }) => kind === 'relations-updated')
      .map(({ kind, payload }) => (decodeEvent(kind, payload)['endpointIds'] as string[]).join()),
  );
}

void t.test('links and what they come to', async (t) => {
  const running = await start(t);
  await fill(t, running, { a: {}, b: {}, c: {} });
  t.same(valueOf(await link(running, 'a>b', 'a>b', 'b>c')), ['linked', 'already-linked', 'linked']);
  t.same(await idsOf(running, 'a'), ['b']);
  t.same(await idsOf(running, 'c', '!contains'), ['b']);
  t.same(valueOf(await unlink(running, 'a>c', 'a>b', 'a>b')), ['not-linked', 'unlinked', 'not-linked']);
  t.same(await idsOf(running, 'a'), []);
  t.same(valueOf(await link(running)), []);
  t.same(relationEvents(running.events), ['a,b,c', 'a,b'], 'one event a request names what changed');
  t.equal(
    codeOf(
      await running.register.relations.list(CONTEXT, 'x', { direction: 'contains', offset: 0, limit: 1 }),
    ),
    'endpoint-not-found',
  );
  const before = running.events.length;
  t.same(valueOf(await link(running, 'b>c')), ['already-linked']);
  t.equal(running.events.length, before, 'what changes nothing publishes nothing');
  const again = await running.restart();
  t.same(await idsOf(again, 'b'), ['c']);
});

void t.test('one bad item refuses all, and every bad one is said', async (t) => {
  const running = await start(t);
  await fill(t, running, { a: {}, b: {}, c: {} });
  await running.register.endpoints.register(CONTEXT, { endpointId: 'w', versionName: 'w1', metadata: {} });
  await link(running, 'a>b');
  const answer = await link(running, 'b>c', 'x>c', 'a>a', 'c>a', 'a>w', 'y>z');
  t.match(answer, {
    code: 'endpoint-not-found',
    message: 'The endpoint "x" is not registered. Nothing was changed.',
    details: [
      { path: '/1/from', message: 'The endpoint "x" is not registered.' },
      { path: '/2', message: 'The endpoint "a" can not contain itself.' },
      { path: '/3', message: '"c" can not contain "a", which contains it: "a" > "b" > "c".' },
      { path: '/4/to', message: 'The endpoint "w" is not registered.' },
      { path: '/5/from' },
      { path: '/5/to' },
    ],
  });
  t.same(await idsOf(running, 'b'), [], 'nothing was changed');
  t.equal(codeOf(await link(running, 'b>a')), 'relation-cycle');
  t.equal(codeOf(await link(running, 'b>b')), 'relation-to-itself');
  t.equal(codeOf(await link(running, 'b>c', 'c>b')), 'relation-cycle', 'within a request');
  t.same(valueOf(await link(running, 'b>c')), ['linked']);
  t.equal(codeOf(await unlink(running, 'b>c', 'b>x')), 'endpoint-not-found');
  t.equal(codeOf(await unlink(running, 'b>b')), 'relation-to-itself');
  t.same(await idsOf(running, 'b'), ['c']);
  const other = { ...CONTEXT, tenant: 'acme' };
  t.equal(codeOf(await running.register.relations.link(other, [item('a>c')])), 'endpoint-not-found');
  t.equal(
    codeOf(await running.register.relations.list(other, 'a', { direction: 'contains', offset: 0, limit: 1 })),
    'endpoint-not-found',
  );
});

void t.test('of links that would make a cycle together, some win, and there is none', async (t) => {
  const running = await start(t);
  const ids = Array.from({ length: 12 }, (_, i) => `e${i}`);
  await fill(t, running, Object.fromEntries(ids.map((id) => [id, {}])));
  for (let round = 0; round < 5; round++) {
    const answers = await Promise.all(ids.map((id, i) => link(running, `${id}>${ids[(i + 1) % 12]}`)));
    t.equal(answers.filter(({ kind }) => kind === 'ok').length, 11, 'all but the one that closes the ring');
    t.equal(codeOf(answers.find(({ kind }) => kind !== 'ok')!), 'relation-cycle');
    await Promise.all(ids.map((id, i) => unlink(running, `${id}>${ids[(i + 1) % 12]}`)));
  }
  const both = await Promise.all([link(running, 'e0>e1'), link(running, 'e1>e0')]);
  t.same(both.map(codeOf).sort(), ['ok', 'relation-cycle']);
});

void t.test(
  'random links and unlinks from many sides: never a cycle, and what was answered is there',
  async (t) => {
    const running = await start(t);
    const ids = Array.from({ length: 10 }, (_, i) => `e${i}`);
    await fill(t, running, Object.fromEntries(ids.map((id) => [id, {}])));
    let seed = 7;
    const next = (n: number) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % n;
    const linked = new Set<string>();
    for (let round = 0; round < 40; round++) {
      const texts = Array.from({ length: 6 }, () => `e${next(10)}>e${next(10)}`);
      const unlinks = Array.from({ length: 2 }, () => [...linked][next(linked.size + 1)] ?? 'e1>e2');
      const answers = await Promise.all([
        ...unlinks.map((text) => unlink(running, text).then((answer) => ({ text, answer }))),
        ...texts.map((text) => link(running, text).then((answer) => ({ text, answer }))),
      ]);
      for (const { text, answer } of answers) {
        if (answer.kind !== 'ok') continue;
        if (answer.value[0] === 'linked') linked.add(text);
        if (answer.value[0] === 'unlinked') linked.delete(text);
      }
      const stored: string[] = [];
      for (const id of ids) for (const to of await idsOf(running, id)) stored.push(`${id}>${to}`);
      if (stored.sort().join() !== [...linked].sort().join()) t.same(stored, [...linked].sort());
      if (hasCycle(stored)) t.fail(`a cycle: ${stored.join()}`);
    }
    t.ok(linked.size > 5, `${linked.size} links at the end`);
  },
);

function hasCycle(texts: readonly string[]): boolean {
  let left = texts.map(item);
  for (;;) {
    const contained = new Set(left.map(({ to }) => to));
    const rest = left.filter(({ from }) => contained.has(from));
    if (rest.length === left.length) return left.length > 0;
    left = rest;
  }
}

void t.test('an unregistration takes its links along, and what comes after it has none', async (t) => {
  const running = await start(t);
  const many = Object.fromEntries(Array.from({ length: 2500 }, (_, i) => [`x${i}`, {}]));
  await fill(t, running, { a: {}, b: {}, ...many });
  await link(running, 'a>b');
  for (let at = 0; at < 2500; at += 500)
    await link(
      running,
      ...Object.keys(many)
        .slice(at, at + 500)
        .map((id) => `b>${id}`),
    );
  const before = running.events.length;
  t.equal((await unregister(running, 'b')).kind, 'applied');
  t.same(await idsOf(running, 'a'), []);
  t.same(await idsOf(running, 'x7', '!contains'), []);
  const named = relationEvents(running.events.slice(before)).map((text) => text.split(','));
  t.same([...new Set(named.map(([first]) => first))], ['b']);
  t.equal(new Set(named.flat()).size, 2502, 'the events name both ends of all');
  t.ok(Math.max(...named.map(({ length }) => length)) <= 1001, 'in parts that fit into a message');
  await fill(t, running, { b: {} });
  t.same(await idsOf(running, 'b'), []);
  const none = running.events.length;
  await unregister(running, 'x1');
  t.same(relationEvents(running.events.slice(none)), [], 'no event without relations');
});

void t.test('a registration with relations', async (t) => {
  const running = await start(t);
  const { register, events } = running;
  await fill(t, running, { a: {}, b: {}, c: {} });
  await link(running, 'a>b', 'b>c');
  const before = events.length;
  const relations = [{ from: 'a' }, { from: 'a' }, { to: 'c' }];
  const x = { endpointId: 'x', versionName: 'v1', metadata: {} };
  t.equal(codeOf(await register.endpoints.register(CONTEXT, { ...x, relations })), 'ok');
  t.same(await idsOf(running, 'x'), ['c']);
  t.same(await idsOf(running, 'x', '!contains'), ['a']);
  t.same(
    events.slice(before).map((group) => [group.source, group.events.map(({ kind }) => kind)]),
    [['x', ['registered', 'relations-updated']]],
    'one entry',
  );
  t.same(relationEvents(events.slice(before)), ['x,a,c']);
  t.equal(codeOf(await link(running, 'c>x')), 'relation-cycle');

  const y = { ...x, endpointId: 'y' };
  const bad = await register.endpoints.register(CONTEXT, {
    ...y,
    relations: [{ from: 'c' }, { to: 'a' }, { from: 'y' }, { to: 'nobody' }],
  });
  t.match(bad, {
    code: 'relation-cycle',
    details: [{ path: '/relations/1/to' }, { path: '/relations/2/from' }, { path: '/relations/3/to' }],
  });
  t.equal(codeOf(await register.endpoints.get(CONTEXT, 'y')), 'endpoint-not-found');
  t.same(await idsOf(running, 'c'), [], 'nothing is linked');
  t.equal(codeOf(await register.endpoints.register(CONTEXT, { ...x, relations })), 'endpoint-exists');
  t.same(await idsOf(running, 'x', '!contains'), ['a'], 'the one that exists keeps its own');

  const refused = await register.endpoints.register(CONTEXT, {
    ...y,
    metadata: { 'bad key': 1 },
    relations: [{ from: 'a' }],
  });
  t.match(refused, { code: 'invalid-metadata-key', details: [{ path: /^\/metadata\// }] });
  t.same(await idsOf(running, 'a'), ['b', 'x'], 'what was linked is taken back');
  const other = await register.endpoints.register(CONTEXT, {
    endpointId: 'w',
    versionName: 'w1',
    metadata: {},
    relations: [{ from: 'a' }],
  });
  t.equal(codeOf(other), 'endpoint-not-found', 'of another tenant');
});

void t.test('one of many registrations under an id wins, with its own relations', async (t) => {
  const running = await start(t, { now: () => 1_700_000_000_000 });
  const parents = Array.from({ length: 8 }, (_, i) => `p${i}`);
  await fill(t, running, Object.fromEntries(parents.map((id) => [id, {}])));
  const answers = await Promise.all(
    parents.map((from) =>
      running.register.endpoints.register(CONTEXT, {
        endpointId: 'x',
        versionName: 'v1',
        metadata: {},
        relations: [{ from }],
      }),
    ),
  );
  const winner = answers.findIndex(({ kind }) => kind === 'ok');
  t.equal(answers.filter(({ kind }) => kind === 'ok').length, 1);
  t.ok(answers.every((answer) => ['ok', 'endpoint-exists'].includes(codeOf(answer))));
  t.same(await idsOf(running, 'x', '!contains'), [parents[winner]], 'though all are of one millisecond');
});

void t.test('many registrations at once share their commits', async (t) => {
  let commits = 0;
  const running = await start(t, {
    wrap: (store) => ({ ...store, commitRelations: (write) => (commits++, store.commitRelations(write)) }),
  });
  await fill(t, running, { hub: {} });
  const answers = await Promise.all(
    Array.from({ length: 500 }, (_, i) =>
      running.register.endpoints.register(CONTEXT, {
        endpointId: `x${i}`,
        versionName: 'v1',
        metadata: {},
        relations: [{ from: 'hub' }],
      }),
    ),
  );
  t.ok(answers.every(({ kind }) => kind === 'ok'));
  t.equal((await idsOf(running, 'hub')).length, 500);
  t.ok(commits <= 2, `${commits} commits`);
});

/** A store that is away at a named step: before it is done, or before it is answered. */
function failing(step: keyof Store, mode: 'before' | 'after') {
  const state = { armed: false };
  const wrap = (store: Store): Store => ({
    ...store,
    [step]: async (...args: unknown[]): Promise<unknown> => {
      const call = async () =>
        (store as unknown as Record<string, (...args: unknown[]) => unknown>)[step]!(...args);
      if (!state.armed) return call();
      if (mode === 'after') await call();
      throw new StorageUnavailable('cut off');
    },
  });
  return { state, wrap };
}

void t.test('killed between the links and the registration: nothing is seen of either', async (t) => {
  const fault = failing('commit', 'before');
  const running = await start(t, { wrap: fault.wrap });
  await fill(t, running, { a: {}, b: {} });
  fault.state.armed = true;
  const x = { endpointId: 'x', versionName: 'v1', metadata: {}, relations: [{ from: 'a' }, { to: 'b' }] };
  t.equal(codeOf(await running.register.endpoints.register(CONTEXT, x)), 'storage-unavailable');
  const { store } = running;
  const [a] = await store.load(['a']);
  const query = { tenant: 'kaa', direction: 'contains', offset: 0, limit: 10 } as const;
  const end = { endpointId: 'a', createdMs: createdOf(a!) };
  t.equal((await store.findRelations({ ...query, end })).ends.length, 1, 'the link is there');
  const again = await running.restart();
  t.same(await idsOf(again, 'a'), []);
  t.same(await idsOf(again, 'b', '!contains'), []);
  t.same(relationEvents(again.events), []);
  t.equal(codeOf(await again.register.endpoints.register(CONTEXT, x)), 'ok', 'it can be done again');
  t.same(await idsOf(again, 'a'), ['x']);
  t.same(await idsOf(again, 'x'), ['b']);
  const count = async ({ store }: Running) => (await store.findRelations({ ...query, end })).ends.length;
  t.equal(await count(again), 2, 'what was left is not taken away while a registration may be at it');
  const later = await again.restart({ now: () => Date.now() + 2 * 60 * 60 * 1000 });
  t.same(await idsOf(later, 'a'), ['x'], 'an hour later, who meets it takes it away');
  await until(async () => (await count(later)) === 1);
  t.same(await idsOf(later, 'a'), ['x']);
});

void t.test('killed between an unregistration and its links: they are not seen, and go', async (t) => {
  const fault = failing('commitRelations', 'before');
  const running = await start(t, { wrap: fault.wrap });
  await fill(t, running, { a: {}, b: {}, c: {} });
  await link(running, 'a>b', 'b>c');
  fault.state.armed = true;
  await unregister(running, 'b');
  t.equal(codeOf(await running.register.endpoints.get(CONTEXT, 'b')), 'endpoint-not-found');
  t.same(await idsOf(running, 'a'), [], 'not shown');
  const again = await running.restart();
  await until(() => again.events.length > 0);
  t.same(await idsOf(again, 'a'), []);
  t.same(relationEvents(again.events), ['b,c,a'], 'the event is not lost');
  await fill(t, again, { b: {} });
  t.same(valueOf(await link(again, 'c>b', 'b>a')), ['linked', 'linked'], 'no cycle by what is gone');
});

void t.test('a dead endpoint makes no cycle', async (t) => {
  const fault = failing('commitRelations', 'before');
  const running = await start(t, { wrap: fault.wrap });
  await fill(t, running, { a: {}, b: {}, c: {} });
  await link(running, 'a>b', 'b>c');
  fault.state.armed = true;
  await unregister(running, 'b');
  fault.state.armed = false;
  t.same(valueOf(await link(running, 'c>a')), ['linked']);
  t.same(relationEvents(running.events), ['a,b,c', 'b,c,a', 'c,a']);
});

void t.test('links of an unregistered endpoint are dropped when the storage is back', async (t) => {
  const fault = failing('commitRelations', 'before');
  const running = await start(t, { wrap: fault.wrap });
  await fill(t, running, { a: {}, b: {} });
  await link(running, 'a>b');
  fault.state.armed = true;
  t.equal((await unregister(running, 'b')).kind, 'applied', 'it is unregistered all the same');
  t.equal(codeOf(await link(running, 'a>a')), 'relation-to-itself');
  t.ok(running.doubts() > 0);
  fault.state.armed = false;
  await until(() => relationEvents(running.events).length === 2);
  t.same(relationEvents(running.events), ['a,b', 'b,a']);
  t.equal(await running.store.relationsRevision('kaa'), 2);
});

void t.test('an answer that is lost is unknown, and safe to ask again', async (t) => {
  const fault = failing('commitRelations', 'after');
  const running = await start(t, { wrap: fault.wrap });
  await fill(t, running, { a: {}, b: {} });
  fault.state.armed = true;
  t.equal(codeOf(await link(running, 'a>b')), 'storage-unavailable');
  fault.state.armed = false;
  t.same(valueOf(await link(running, 'a>b')), ['already-linked']);
});

void t.test('a full queue, and the end', async (t) => {
  const running = await start(t, { settings: { queueLimit: 0 } });
  t.equal(codeOf(await link(running, 'a>b')), 'overloaded');
  await running.stop();
  t.equal(codeOf(await link(running, 'a>b')), 'storage-unavailable');
});

void t.test('what an endpoint inherits', async (t) => {
  const running = await start(t, { inherits: true });
  await fill(t, running, {
    site: { city: 'Kyiv', zone: 'far', lamp: 1 },
    east: { zone: 'east', heat: 1, both: 'east' },
    west: { zone: 'west', both: 'west', none: null },
    dev: { own: 1, heat: 0 },
    alone: { a: 1 },
  });
  await link(running, 'site>east', 'site>west', 'east>dev', 'west>dev');
  const inherited = async (id: string, keys?: string[], hidden: string[] = []) => {
    const record = valueOf(await running.register.endpoints.get(CONTEXT, id));
    const readable = async (ids: readonly string[]) => ids.map((each) => !hidden.includes(each));
    const wanted = keys === undefined ? { readable } : { keys, readable };
    return valueOf(await running.register.relations.inherited(record, wanted));
  };
  t.same(await inherited('dev'), { zone: 'east', both: 'east', none: null, city: 'Kyiv', lamp: 1 });
  t.same(await inherited('dev', ['city', 'heat', 'nothing']), { city: 'Kyiv' });
  t.same(await inherited('dev', ['own']), {});
  t.same(await inherited('dev', ['zone'], ['east']), { zone: 'west' }, 'what may not be read counts not');
  t.same(await inherited('dev', ['city'], ['east', 'west']), { city: 'Kyiv' }, 'but what is beyond it does');
  t.same(await inherited('alone'), {});
  t.same(await inherited('site'), {});
  await unregister(running, 'east');
  t.same(await inherited('dev', ['zone']), { zone: 'west' });
  await unregister(running, 'west');
  t.same(await inherited('dev'), {});
  const own = valueOf(await running.register.endpoints.get(CONTEXT, 'dev'));
  t.same(metadataOf(own), { own: 1, heat: 0 });
});

void t.test('an application that does not inherit; more containers than are looked through', async (t) => {
  const running = await start(t);
  await fill(t, running, { a: { x: 1 }, b: {} });
  await link(running, 'a>b');
  const readable = async (ids: readonly string[]) => ids.map(() => true);
  const record = valueOf(await running.register.endpoints.get(CONTEXT, 'b'));
  t.same(valueOf(await running.register.relations.inherited(record, { readable })), {});
  const wide = await running.restart({ inherits: true });
  t.same(valueOf(await wide.register.relations.inherited(record, { readable })), { x: 1 });
  const ids = Array.from({ length: 1001 }, (_, i) => `c${i}`);
  await fill(t, wide, Object.fromEntries(ids.map((id) => [id, {}])));
  for (const some of [ids.slice(0, 500), ids.slice(500)])
    t.equal(codeOf(await link(wide, ...some.map((id) => `${id}>a`))), 'ok');
  t.equal(codeOf(await wide.register.relations.inherited(record, { readable })), 'too-many-containers');
  t.same(valueOf(await wide.register.relations.inherited(record, { keys: ['x'], readable })), { x: 1 });
});
