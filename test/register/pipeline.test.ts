import t from 'tap';
import { metadataOf } from '../../src/model/record.js';
import { StorageUnavailable, type Store } from '../../src/storage/index.js';
import { codeOf, command, CONTEXT, fill, outboxOf, set, start, valueOf } from './support.js';

void t.test('commands on one endpoint take effect in the order of the calls', async (t) => {
  const running = await start(t);
  const { register } = running;
  await fill(t, running, Object.fromEntries(Array.from({ length: 20 }, (_, e) => [`e${e}`, {}])));
  const rounds = 60;
  const all: Promise<void>[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let e = 0; e < 20; e++) {
      all.push(
        register.endpoints.submit(set(`e${e}`, 'n', round)).then((outcome) => {
          t.match(outcome, { kind: 'applied', revision: round + 2 });
        }),
      );
    }
    if (round % 7 === 0) await new Promise(setImmediate);
  }
  await Promise.all(all);
  const seen = new Map<string, number[]>();
  for (const { source, events } of running.events)
    for (const { revision } of events) seen.set(source, [...(seen.get(source) ?? []), revision]);
  for (let e = 0; e < 20; e++) {
    const record = valueOf(await register.endpoints.get(CONTEXT, `e${e}`));
    t.same(metadataOf(record), { n: rounds - 1 });
    t.same(
      seen.get(`e${e}`),
      Array.from({ length: rounds + 1 }, (_, i) => i + 1),
      'events are told in order, without gaps',
    );
  }
  t.equal((await outboxOf(running)).length, running.events.length, 'what was told is what is stored');
});

void t.test('lives of one endpoint in one turn', async (t) => {
  const { register } = await start(t);
  const registration = { endpointId: 'e', versionName: 'v1', metadata: {}, endpointToken: 'token' };
  const outcomes = await Promise.all([
    register.endpoints.submit(set('e', 'a', 1)),
    register.endpoints.register(CONTEXT, registration),
    register.endpoints.submit(set('e', 'a', 1)),
    register.endpoints.register(CONTEXT, registration),
    register.endpoints.submit(command('e', { type: 'unregister' })),
    register.endpoints.submit(set('e', 'a', 2)),
    register.endpoints.register(CONTEXT, registration),
    register.endpoints.submit(set('e', 'b', 3)),
  ]);
  t.same(outcomes.map(codeOf), [
    'endpoint-not-found',
    'ok',
    'applied',
    'endpoint-exists',
    'applied',
    'endpoint-not-found',
    'ok',
    'applied',
  ]);
  t.same(metadataOf(valueOf(await register.endpoints.get(CONTEXT, 'e'))), { b: 3 });
});

void t.test(
  'a token that is taken refuses its registration, and what came behind finds no endpoint',
  async (t) => {
    const { register, events } = await start(t);
    const registration = (endpointId: string) => ({
      endpointId,
      versionName: 'v1',
      metadata: {},
      endpointToken: 'same',
    });
    t.equal(codeOf(await register.endpoints.register(CONTEXT, registration('e1'))), 'ok');
    const outcomes = await Promise.all([
      register.endpoints.register(CONTEXT, registration('e2')),
      register.endpoints.submit(set('e2', 'a', 1)),
      register.endpoints.register(CONTEXT, registration('e3')),
      register.endpoints.submit(command('e3', { type: 'unregister' })),
    ]);
    t.same(outcomes.map(codeOf), ['token-taken', 'endpoint-not-found', 'token-taken', 'endpoint-not-found']);
    t.same(
      events.map(({ source }) => source),
      ['e1'],
    );
    await register.endpoints.submit(command('e1', { type: 'unregister' }));
    t.equal(
      codeOf(await register.endpoints.register(CONTEXT, registration('e2'))),
      'ok',
      'a token is free again',
    );
  },
);

void t.test('a full queue refuses, and takes again', async (t) => {
  const running = await start(t, { settings: { queueLimit: 50 } });
  await fill(t, running, { e: {} });
  const outcomes = await Promise.all(
    Array.from({ length: 80 }, (_, i) => running.register.endpoints.submit(set('e', 'n', i))),
  );
  t.same(outcomes.map(codeOf), [
    ...Array.from({ length: 50 }, () => 'applied'),
    ...Array.from({ length: 30 }, () => 'overloaded'),
  ]);
  t.equal(codeOf(await running.register.endpoints.submit(set('e', 'n', -1))), 'applied');
});

void t.test('after stop, commands are refused, and what was under way is answered', async (t) => {
  const running = await start(t);
  await fill(t, running, { e: {} });
  const underWay = Array.from({ length: 100 }, (_, i) => running.register.endpoints.submit(set('e', 'n', i)));
  const stopped = running.register.stop();
  t.equal(codeOf(await running.register.endpoints.submit(set('e', 'n', -1))), 'stopping');
  t.same([...new Set((await Promise.all(underWay)).map(codeOf))], ['applied']);
  await stopped;
});

/** Rejects every n-th call of load and commit; a commit that rejects may have been done. */
function unreliable(store: Store, every: number, doneFirst: boolean): Store {
  let calls = 0;
  const fails = () => ++calls % every === 0;
  const away = () => Promise.reject(new StorageUnavailable('The storage is away.'));
  return {
    ...store,
    load: (ids, options) => (fails() ? away() : store.load(ids, options)),
    commit: async (writes) => {
      if (!fails()) return store.commit(writes);
      if (doneFirst) await store.commit(writes);
      return away();
    },
  };
}

for (const doneFirst of [false, true]) {
  void t.test(
    `a storage that is away now and then (${doneFirst ? 'its answer is lost' : 'nothing is done'})`,
    async (t) => {
      const running = await start(t, { resume: false });
      await fill(t, running, Object.fromEntries(Array.from({ length: 10 }, (_, e) => [`e${e}`, {}])));
      const next = await running.restart({ wrap: (store) => unreliable(store, 5, doneFirst) });
      let retries = 0;
      await Promise.all(
        Array.from({ length: 10 }, async (_, e) => {
          for (let n = 0; n < 30; n++) {
            for (;;) {
              const outcome = await next.register.endpoints.submit(set(`e${e}`, 'n', n));
              if (outcome.kind === 'applied' || outcome.kind === 'unchanged') break;
              t.match(outcome, {
                kind: 'retry',
                code: 'storage-unavailable',
                message: /^The storage is away\. Whether this write was made is not known/,
              });
              retries++;
            }
          }
        }),
      );
      t.ok(retries > 10, `${retries} times it was away`);
      t.ok(next.doubts() > 0, 'the relay is told to look through the outbox');
      const revisions = new Map<string, number[]>();
      for (const { source, events } of await outboxOf(next))
        for (const { revision } of events)
          revisions.set(source, [...(revisions.get(source) ?? []), revision]);
      for (let e = 0; e < 10; e++) {
        const [record] = await next.store.load([`e${e}`]);
        t.same(metadataOf(record!), { n: 29 });
        t.same(
          revisions.get(`e${e}`),
          Array.from({ length: 31 }, (_, i) => i + 1),
          'each change once, with its events',
        );
      }
    },
  );
}

void t.test(
  'a cache that is behind: conflicts are computed anew, and what writes nothing is decided on what is stored',
  async (t) => {
    const running = await start(t, { resume: false });
    await fill(t, running, { e1: { a: 1 }, e2: { a: 1 }, e3: { a: 1 } });
    const stale = new Map<string, Uint8Array | undefined>();
    const next = await running.restart({
      wrap: (store) => ({
        ...store,
        load: async (ids, options) => {
          const records = await store.load(ids, options);
          return options?.fresh === false
            ? records.map((record, i) => (stale.has(ids[i]!) ? stale.get(ids[i]!) : record))
            : records;
        },
      }),
    });
    const { endpoints } = next.register;
    for (const id of ['e1', 'e2', 'e3']) stale.set(id, (await next.store.load([id]))[0]);
    // as another replica would
    await endpoints.submit(set('e1', 'a', 2));
    await endpoints.submit(command('e3', { type: 'unregister' }));
    t.match(
      await endpoints.submit(set('e1', 'b', 1)),
      { kind: 'applied', revision: 3 },
      'the guard catches it',
    );
    t.match(
      await endpoints.submit(set('e1', 'a', 1)),
      { kind: 'applied', revision: 4 },
      'it is a no-op on the old record only',
    );
    t.equal(codeOf(await endpoints.submit(set('e3', 'a', 1))), 'endpoint-not-found');
    stale.set('new', undefined);
    t.equal(
      codeOf(await endpoints.register(CONTEXT, { endpointId: 'new', versionName: 'v1', metadata: {} })),
      'ok',
    );
    t.equal(
      codeOf(await endpoints.submit(set('new', 'a', 1))),
      'applied',
      'it is there, whatever the cache says',
    );
    t.equal(
      codeOf(await endpoints.register(CONTEXT, { endpointId: 'new', versionName: 'v1', metadata: {} })),
      'endpoint-exists',
    );
  },
);

void t.test('conflicts without end are given back', async (t) => {
  const running = await start(t, { resume: false });
  await fill(t, running, { e: {} });
  const next = await running.restart({
    wrap: (store) => ({
      ...store,
      commit: async (writes) => writes.map(() => ({ kind: 'conflict' as const })),
    }),
  });
  t.match(await next.register.endpoints.submit(set('e', 'a', 1)), { kind: 'retry', code: 'overloaded' });
});

void t.test('one bad endpoint takes no other with it', async (t) => {
  const running = await start(t, { resume: false });
  await fill(t, running, { good: {}, bad: {} });
  const next = await running.restart({
    wrap: (store) => ({
      ...store,
      load: async (ids, options) => {
        const records = await store.load(ids, options);
        return records.map((record, i) => (ids[i] === 'bad' ? Buffer.alloc(40, 8) : record));
      },
    }),
    threads: 1,
  });
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      next.register.endpoints.submit(set(i % 2 === 0 ? 'good' : 'bad', 'a', i)),
    ),
  );
  t.same(
    outcomes.map(codeOf),
    Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 'applied' : 'internal')),
  );
  t.equal(codeOf(await next.register.endpoints.submit(set('good', 'a', -1))), 'applied');
});

void t.test('what watches and fails does not make a write fail', async (t) => {
  const running = await start(t);
  await fill(t, running, { e: {} });
  const { live, endpoints } = running.register;
  let seen = 0;
  live.subscribe(() => {
    throw new Error('a watcher');
  });
  /** a listener is told a moment after the answer */
  const told = () => new Promise<void>((resolve) => live.subscribe(() => resolve()));
  const end = live.subscribe((items) => (seen += items.length));
  const first = told();
  t.equal(codeOf(await endpoints.submit(set('e', 'a', 1))), 'applied');
  await first;
  t.ok(seen > 0);
  end();
  const before = seen;
  const second = told();
  await endpoints.submit(set('e', 'a', 2));
  await second;
  t.equal(seen, before);
});

void t.test(
  'a registration after an unregistration goes on with the revision; forms and tenants',
  async (t) => {
    const { register } = await start(t);
    const make = (more: object) =>
      register.endpoints.register(CONTEXT, { versionName: 'v1', metadata: {}, ...more });
    const made = valueOf(await make({}));
    t.match(made, { endpointId: /^[0-9a-f-]{36}$/, token: /^[A-Za-z0-9]{20}$/ });
    t.equal(codeOf(await make({ endpointId: '..' })), 'invalid-endpoint-id');
    t.equal(codeOf(await make({ endpointId: 'a/b' })), 'invalid-endpoint-id');
    t.equal(codeOf(await make({ endpointToken: 'a.b' })), 'invalid-body');
    t.equal(codeOf(await make({ versionName: 'v9' })), 'application-version-not-found');
    t.equal(
      codeOf(
        await register.endpoints.register(
          { ...CONTEXT, tenant: 'acme' },
          { versionName: 'v1', metadata: {} },
        ),
      ),
      'application-version-not-found',
    );
    t.equal(
      codeOf(await register.endpoints.get({ ...CONTEXT, tenant: 'acme' }, made.endpointId)),
      'endpoint-not-found',
    );
    await register.endpoints.submit(command(made.endpointId, { type: 'unregister' }));
    t.equal(codeOf(await register.endpoints.get(CONTEXT, made.endpointId)), 'endpoint-not-found');
    await make({ endpointId: made.endpointId });
    t.match(await register.endpoints.submit(set(made.endpointId, 'a', 1)), { kind: 'applied', revision: 4 });
  },
);
