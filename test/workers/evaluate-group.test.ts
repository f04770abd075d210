import t from 'tap';
import type { VersionRef, Wish } from '../../src/model/command.js';
import type { JsonObject, JsonValue } from '../../src/model/json.js';
import { decodeRecord, isTombstone, metadataOf } from '../../src/model/record.js';
import {
  command,
  etag,
  evaluate,
  eventsOf,
  outcomesOf,
  payloadsOf,
  put,
  recordAfter,
  register,
  setKey,
  settingsOf,
  source,
  V1,
  V2,
  WORKER_SETTINGS,
} from './support.js';

const patch = (operations: JsonValue) =>
  command({ type: 'json-patch', patchText: JSON.stringify(operations) });
const merge = (document: JsonValue) => command({ type: 'merge-patch', patchText: JSON.stringify(document) });
const replace = (metadata: JsonObject) =>
  command({ type: 'replace-metadata', metadataText: JSON.stringify(metadata) });
const change = (set: JsonObject, unset: string[] = []) =>
  command({ type: 'change-keys', setText: JSON.stringify(set), unset });
const unregister = () => command({ type: 'unregister' });

void t.test('registration', async (t) => {
  const group = evaluate([register({ a: 1, b: null })]);
  t.match(group.outcomes, [
    { kind: 'applied', revision: 1, metadataRevision: 1, createdMs: 1000, versionSinceMs: 1000 },
  ]);
  const { head, revision, createdMs, metadataRevision, metadataUpdatedMs } = decodeRecord(
    group.write!.record,
  );
  t.same([revision, createdMs, group.write!.moved], [1, 1000, true]);
  t.same([metadataRevision, metadataUpdatedMs], [1, 1000]);
  t.same(head, {
    endpointId: 'e1',
    ...V1,
    versionSinceMs: 1000,
    tokenHash: 'hash',
  });
  t.same(eventsOf(group), ['registered 1']);
  t.match(payloadsOf(group)[0], {
    correlationId: 'c',
    timestamp: 1000,
    timeout: 0,
    appVersionName: 'v1',
    endpointId: 'e1',
    originatorReplicaId: 'replica',
  });
  t.notOk(
    'metadataUpdatedMs' in decodeRecord(recordAfter([register()])),
    'without metadata there was no change of it',
  );
});

void t.test('registration with metadata events, or with none at all', async (t) => {
  const settings = settingsOf({ metadataOnRegistration: true });
  t.same(eventsOf(evaluate([register({ a: null })], { settings })), ['registered 1', 'metadata-updated 1']);
  t.match(payloadsOf(evaluate([register({ a: null, b: 'x' })], { settings }))[1], {
    added: { a: null, b: '"x"' },
    updated: {},
    removed: {},
  });
  t.same(eventsOf(evaluate([register()], { settings })), ['registered 1']);
  const silent = evaluate([register(), setKey('a', 1)], { settings: settingsOf({ withEvents: false }) });
  t.equal(silent.write!.events, undefined);
});

void t.test('what exists is not registered again, but for the same task', async (t) => {
  const record = recordAfter([register({}, { task: 't1' })]);
  t.same(outcomesOf(evaluate([register()], { record })), ['endpoint-exists']);
  t.same(outcomesOf(evaluate([register({}, { task: 't2' })], { record })), ['endpoint-exists']);
  const again = evaluate([register({ other: 1 }, { task: 't1' })], { record });
  t.same(outcomesOf(again), ['unchanged']);
  t.equal(again.write, undefined);
});

void t.test('metadata, each way', async (t) => {
  const record = recordAfter([register({ a: 1, b: { x: [1] } })]);
  const cases: [
    name: string,
    wish: ReturnType<typeof command>,
    metadata: JsonObject,
    added: string[],
    updated: string[],
    removed: string[],
  ][] = [
    ['replace', replace({ b: { x: [2] }, c: 1 }), { b: { x: [2] }, c: 1 }, ['c'], ['b'], ['a']],
    [
      'json patch',
      patch([
        { op: 'add', path: '/b/x/-', value: 2 },
        { op: 'remove', path: '/a' },
      ]),
      { b: { x: [1, 2] } },
      [],
      ['b'],
      ['a'],
    ],
    ['merge patch', merge({ a: null, b: { y: 1 } }), { b: { x: [1], y: 1 } }, [], ['b'], ['a']],
    ['set a key', setKey('a', 2), { a: 2, b: { x: [1] } }, [], ['a'], []],
    ['set a new key', setKey('c', null), { a: 1, b: { x: [1] }, c: null }, ['c'], [], []],
    [
      'set constructor',
      setKey('constructor', 1),
      { a: 1, b: { x: [1] }, constructor: 1 },
      ['constructor'],
      [],
      [],
    ],
    ['delete a key', command({ type: 'delete-key', key: 'a' }), { b: { x: [1] } }, [], [], ['a']],
    ['change keys', change({ c: 1, a: 5 }, ['b', 'absent']), { a: 5, c: 1 }, ['c'], ['a'], ['b']],
  ];
  for (const [name, wish, metadata, added, updated, removed] of cases) {
    const group = evaluate([wish], { record });
    t.match(group.outcomes, [{ kind: 'applied', revision: 2, metadataRevision: 2, createdMs: 1000 }], name);
    t.same(metadataOf(group.write!.record), metadata, `${name}: metadata`);
    t.equal(group.write!.moved, false);
    t.same(eventsOf(group), ['metadata-updated 2']);
    const payload = payloadsOf(group)[0]!;
    for (const [part, keys] of Object.entries({ added, updated, removed }))
      t.same(Object.keys(payload[part] as object), keys, `${name}: ${part}`);
  }
  t.match(payloadsOf(evaluate([change({ a: { q: 1 } }, ['b'])], { record }))[0], {
    updated: { a: { oldValue: '1', newValue: '{"q":1}' } },
    removed: { b: '{"x":[1]}' },
  });
});

void t.test('whole changes answer with the metadata, changes of keys do not', async (t) => {
  const record = recordAfter([register({ a: 1 })]);
  for (const wish of [replace({ a: 2 }), replace({ a: 1 }), patch([]), merge({ a: 2 })])
    t.ok((evaluate([wish], { record }).outcomes[0] as { metadata?: Uint8Array }).metadata, wish.type);
  for (const wish of [setKey('a', 2), change({ a: 2 })])
    t.notOk((evaluate([wish], { record }).outcomes[0] as { metadata?: Uint8Array }).metadata, wish.type);
});

void t.test('what changes nothing writes nothing', async (t) => {
  const record = recordAfter([register({ a: { x: 1, y: 2 }, n: null })]);
  for (const wish of [
    replace({ n: null, a: { y: 2, x: 1 } }),
    patch([]),
    patch([{ op: 'replace', path: '/a/x', value: 1 }]),
    patch([
      { op: 'add', path: '/t', value: 1 },
      { op: 'remove', path: '/t' },
    ]),
    merge({}),
    merge({ absent: null }),
    setKey('a', { y: 2, x: 1 }),
    setKey('n', null),
    change({}, ['absent']),
    change({ t: 1 }, ['t']),
    command({ type: 'set-version', version: V1 }),
    command({ type: 'evaluate' }),
  ]) {
    const group = evaluate([wish], { record });
    t.match(group.outcomes, [{ kind: 'unchanged', revision: 1, metadataRevision: 1 }], JSON.stringify(wish));
    t.equal(group.write, undefined);
  }
});

void t.test(
  'a value with its keys in another order stays as it is stored, also beside a change',
  async (t) => {
    const record = recordAfter([register({ a: { x: 1, y: 2 }, b: 1 })]);
    for (const wish of [
      replace({ b: 2, a: { y: 2, x: 1 } }),
      merge({ a: { y: 2, x: 1 }, b: 2 }),
      change({ a: { y: 2, x: 1 }, b: 2 }),
      patch([
        { op: 'replace', path: '/a', value: { y: 2, x: 1 } },
        { op: 'replace', path: '/b', value: 2 },
      ]),
    ]) {
      const group = evaluate([wish], { record });
      const metadata = metadataOf(group.write!.record);
      t.equal(JSON.stringify(metadata['a']), '{"x":1,"y":2}', wish.type);
      t.equal(metadata['b'], 2);
    }
  },
);

void t.test('versions', async (t) => {
  const record = recordAfter([register({ a: 1 })]);
  const group = evaluate([command({ type: 'set-version', version: V2 }, { timestampMs: 2000 })], { record });
  t.match(group.outcomes, [{ kind: 'applied', revision: 2, metadataRevision: 1, versionSinceMs: 2000 }]);
  t.equal(group.write!.moved, true);
  t.equal(etag(group.write!.record), etag(record), 'the ETag of the metadata stays');
  t.same(eventsOf(group), ['appversion-updated 2']);
  t.match(payloadsOf(group)[0], { appVersionName: 'v2', previousAppVersionName: 'v1' });
  for (const version of [
    { ...V2, application: 'other' },
    { ...V2, tenant: 'other' },
  ])
    t.same(outcomesOf(evaluate([command({ type: 'set-version', version })], { record })), [
      'other-application',
    ]);
});

void t.test('a version that is set unless the present one is newer', async (t) => {
  const set = (version: VersionRef, timestampMs: number) =>
    command({ type: 'set-version', version, unlessNewer: true }, { timestampMs });
  const record = recordAfter([
    register({ a: 1 }),
    command({ type: 'set-version', version: V2 }, { timestampMs: 2000 }),
  ]);
  const stale = evaluate([set(V1, 1999), set(V2, 1999)], { record });
  t.match(stale.outcomes, [
    { kind: 'unchanged', versionSinceMs: 2000 },
    { kind: 'unchanged', versionSinceMs: 2000 },
  ]);
  t.equal(stale.write, undefined);
  const wanted: [VersionRef, number, string][] = [
    [V1, 2000, 'applied'],
    [V1, 2001, 'applied'],
    [V2, 2001, 'unchanged'],
    [{ ...V1, application: 'other' }, 1999, 'other-application'],
  ];
  for (const [version, timestampMs, outcome] of wanted)
    t.same(outcomesOf(evaluate([set(version, timestampMs)], { record })), [outcome]);
  const group = evaluate([set(V1, 3000), set(V2, 2500), set(V2, 3500)], { record });
  t.same(outcomesOf(group), ['applied', 'unchanged', 'applied'], 'within a group too');
  t.match(decodeRecord(group.write!.record).head, { version: 'v2', versionSinceMs: 3500 });
  const other = evaluate([command({ type: 'set-version', version: V1 }, { timestampMs: 1000 })], { record });
  t.same(outcomesOf(other), ['applied'], 'others are set whatever their time is');
});

void t.test('connectivity', async (t) => {
  const at = (timestampMs: number, connected: boolean, version = V1) =>
    command({ type: 'set-connectivity', connected, version }, { timestampMs });
  const metadataAfter = (group: ReturnType<typeof evaluate>) => metadataOf(group.write!.record);
  const held = source(put(1, { metadata: { $elemMatch: { key: 'connected', value: true } } }));
  const restricted = settingsOf({
    limits: { ...WORKER_SETTINGS.limits, restrictedKeys: ['connected', 'connectivity_ts'] },
  });
  const record = recordAfter([register({ a: 1 })]);
  const group = evaluate([at(2000, true, V2), at(3000, false)], { record, held, settings: restricted });
  t.same(outcomesOf(group), ['applied', 'applied'], 'though callers may not write these keys');
  t.same(metadataAfter(group), { a: 1, connected: false, connectivity_ts: 3000 });
  t.equal(decodeRecord(group.write!.record).head.version, 'v2', 'the version of one that is gone stays');
  t.same(eventsOf(group), [
    'appversion-updated 2',
    'metadata-updated 3',
    'ep-matched 3 f1',
    'metadata-updated 4',
    'ep-unmatched 4 f1',
  ]);

  const known = recordAfter([register({ connected: true, connectivity_ts: 5000 })]);
  const stale = evaluate([at(4999, false), at(4999, true, V2), at(5000, true)], { record: known });
  t.same(outcomesOf(stale), ['unchanged', 'unchanged', 'unchanged'], 'older ones, and the same again');
  t.equal(stale.write, undefined);
  t.same(metadataAfter(evaluate([at(5000, false)], { record: known })), {
    connected: false,
    connectivity_ts: 5000,
  });
  const foreign = { ...V1, application: 'other' };
  t.same(outcomesOf(evaluate([at(9000, true, foreign), at(9000, false, foreign)], { record: known })), [
    'other-application',
    'other-application',
  ]);
  const odd = recordAfter([register({ connectivity_ts: 'long ago' })]);
  t.same(metadataAfter(evaluate([at(1, true)], { record: odd })), { connectivity_ts: 1, connected: true });

  const full = recordAfter([register({ a: 1, b: 2, c: 3, d: 4, e: 5 })]);
  const refused = evaluate([at(2000, true, V2)], { record: full });
  t.same(outcomesOf(refused), ['too-many-keys']);
  t.equal(
    decodeRecord(refused.write!.record).head.version,
    'v2',
    'where there is no room, the version is set',
  );
});

void t.test('what is not there, or of another tenant, is not found', async (t) => {
  const wishes: Wish[] = [
    { type: 'replace-metadata', metadataText: '{}' },
    { type: 'json-patch', patchText: '[]' },
    { type: 'merge-patch', patchText: '{}' },
    { type: 'set-key', key: 'a', valueText: '1' },
    { type: 'delete-key', key: 'a' },
    { type: 'change-keys', setText: '{}', unset: [] },
    { type: 'set-version', version: V1 },
    { type: 'unregister' },
    { type: 'evaluate' },
  ];
  const record = recordAfter([register({ a: 1 })]);
  const tombstone = recordAfter([register(), unregister()]);
  for (const wish of wishes) {
    const tries = [
      evaluate([command(wish)]),
      evaluate([command(wish)], { record: tombstone }),
      evaluate([command(wish, { tenant: 'other' })], { record }),
    ];
    for (const group of tries) {
      t.same(outcomesOf(group), ['endpoint-not-found'], wish.type);
      t.equal(group.write, undefined);
    }
    t.not(
      outcomesOf(evaluate([command(wish, { tenant: 'kaa' })], { record }))[0],
      'endpoint-not-found',
      wish.type,
    );
  }
});

void t.test('unregistration leaves a tombstone, and a registration goes on from it', async (t) => {
  const record = recordAfter([register({ a: 1 }), setKey('a', 2)]);
  const gone = evaluate([unregister()], { record });
  t.same(outcomesOf(gone), ['applied']);
  t.same(eventsOf(gone), ['unregistered 3']);
  const tombstone = gone.write!.record;
  t.ok(isTombstone(tombstone));
  t.match(decodeRecord(tombstone), {
    revision: 3,
    metadataText: '{}',
    head: { deletedMs: 1000, endpointId: 'e1' },
  });
  t.notOk('tokenHash' in decodeRecord(tombstone).head, 'its token is free');
  const back = evaluate([{ ...register({ b: 1 }), timestampMs: 5000 }], { record: tombstone });
  t.match(back.outcomes, [{ kind: 'applied', revision: 4, metadataRevision: 4, createdMs: 5000 }]);
  t.same(metadataOf(back.write!.record), { b: 1 });
  t.same(eventsOf(back), ['registered 4']);
  t.notOk('deletedMs' in decodeRecord(back.write!.record).head);
});

void t.test('If-Match', async (t) => {
  const record = recordAfter([register({ a: 1 })]);
  const present = etag(record);
  const tries: [ifMatch: string[], outcome: string][] = [
    [[present], 'applied'],
    [['*'], 'applied'],
    [['"other"', present], 'applied'],
    [['"other"'], 'precondition-failed'],
    [[], 'precondition-failed'],
    [[`W/${present}`], 'precondition-failed'],
  ];
  for (const [ifMatch, outcome] of tries) {
    const group = evaluate([{ ...setKey('a', 2), ifMatch }], { record });
    t.same(outcomesOf(group), [outcome], JSON.stringify(ifMatch));
    t.equal(group.write === undefined, outcome !== 'applied');
  }
  const both = evaluate(
    [
      { ...setKey('a', 2), ifMatch: [present] },
      { ...setKey('a', 3), ifMatch: [present] },
    ],
    { record },
  );
  t.same(outcomesOf(both), ['applied', 'precondition-failed'], 'the second sees what the first did');
  t.same(
    outcomesOf(evaluate([{ ...setKey('a', 1), ifMatch: ['"other"'] }], { record })),
    ['precondition-failed'],
    'also for a no-op',
  );
  t.same(outcomesOf(evaluate([{ ...setKey('a', 1), ifMatch: ['*'] }])), ['endpoint-not-found']);
  const anew = recordAfter([{ ...register({ a: 1 }), timestampMs: 1001 }]);
  t.not(etag(anew), present, 'another registration has another tag');
});

void t.test('limits', async (t) => {
  const full = { a: 1, b: 1, c: 1, d: 1, e: 1 };
  const record = recordAfter([register(full)]);
  const small = recordAfter([register({ a: 1 })]);
  const tries: [name: string, group: ReturnType<typeof evaluate>, outcome: string][] = [
    ['too many keys', evaluate([setKey('f', 1)], { record }), 'too-many-keys'],
    ['too many at registration', evaluate([register({ ...full, f: 1 })]), 'too-many-keys'],
    ['one for another', evaluate([change({ f: 1 }, ['a'])], { record }), 'applied'],
    ['a key of the wrong form', evaluate([setKey('a.b', 1)], { record: small }), 'invalid-metadata-key'],
    ['an empty key', evaluate([setKey('', 1)], { record: small }), 'invalid-metadata-key'],
    ['__proto__', evaluate([setKey('__proto__', { x: 1 })], { record: small }), 'invalid-metadata-key'],
    [
      '__proto__ by key change',
      evaluate([command({ type: 'change-keys', setText: '{"__proto__":{"x":1}}', unset: [] })], {
        record: small,
      }),
      'unchanged',
    ],
    ['a key with a line feed', evaluate([setKey('a\n', 1)], { record: small }), 'invalid-metadata-key'],
    ['restricted', evaluate([setKey('secret', 1)], { record: small }), 'key-restricted'],
    ['restricted at registration', evaluate([register({ secret: 1 })]), 'key-restricted'],
    ['nesting that fits', evaluate([setKey('a', [[[]]])], { record: small }), 'applied'],
    ['nesting', evaluate([setKey('a', [[[[]]]])], { record: small }), 'nested-too-deep'],
    [
      'nesting by patch',
      evaluate(
        [
          patch([
            { op: 'add', path: '/a', value: [[[1]]] },
            { op: 'add', path: '/a/0/0/0', value: [1] },
          ]),
        ],
        { record: small },
      ),
      'nested-too-deep',
    ],
    ['bytes that fit', evaluate([replace({ a: 'x'.repeat(292) })], { record: small }), 'applied'],
    ['bytes', evaluate([replace({ a: 'x'.repeat(293) })], { record: small }), 'endpoint-too-large'],
    [
      'bytes, not characters',
      evaluate([replace({ a: 'ü'.repeat(147) })], { record: small }),
      'endpoint-too-large',
    ],
    [
      'a patch that copies without end',
      evaluate([patch(Array.from({ length: 30 }, () => ({ op: 'copy', from: '', path: '/a' })))], {
        record: small,
      }),
      'invalid-patch',
    ],
    [
      'a patch of the root',
      evaluate([patch([{ op: 'replace', path: '', value: [1] }])], { record: small }),
      'invalid-patch',
    ],
    ['the root removed', evaluate([patch([{ op: 'remove', path: '' }])], { record: small }), 'invalid-patch'],
    ['a merge patch that is no object', evaluate([merge([1])], { record: small }), 'invalid-patch'],
    [
      'a test that fails',
      evaluate([patch([{ op: 'test', path: '/a', value: 2 }])], { record: small }),
      'patch-test-failed',
    ],
    [
      'a key that is not there',
      evaluate([command({ type: 'delete-key', key: 'toString' })], { record: small }),
      'metadata-key-not-found',
    ],
  ];
  for (const [name, group, outcome] of tries) {
    t.same(outcomesOf(group), [outcome], name);
    t.equal(group.write === undefined, outcome !== 'applied', `${name}: whether it writes`);
  }
  const loose = settingsOf({ limits: { ...WORKER_SETTINGS.limits, restrictedKeys: [] } });
  const restricted = evaluate([register({ secret: 1, a: 1 })], { settings: loose }).write!.record;
  t.same(outcomesOf(evaluate([command({ type: 'delete-key', key: 'secret' })], { record: restricted })), [
    'key-restricted',
  ]);
  t.same(
    outcomesOf(evaluate([replace({ a: 2 })], { record: restricted })),
    ['key-restricted'],
    'left out is removed',
  );
  t.same(
    outcomesOf(evaluate([replace({ a: 2, secret: 1 })], { record: restricted })),
    ['applied'],
    'unchanged is not written',
  );
});

void t.test('limits that were lowered do not hold back what makes less', async (t) => {
  const wide = settingsOf({
    limits: { ...WORKER_SETTINGS.limits, metadataKeys: 100, endpointBytes: 10_000, metadataKeyPattern: '.' },
  });
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`key.${i}`, 'x'.repeat(30)]));
  const record = evaluate([register(many)], { settings: wide }).write!.record;
  t.same(outcomesOf(evaluate([command({ type: 'delete-key', key: 'key.1' })], { record })), ['applied']);
  t.same(outcomesOf(evaluate([setKey('key.1', '')], { record })), ['endpoint-too-large'], 'still too large');
});

void t.test('several commands: each with its own outcome and revision, one write', async (t) => {
  const group = evaluate([
    setKey('a', 1),
    register({ a: 1 }),
    setKey('a', 1),
    setKey('a', 2),
    register(),
    command({ type: 'set-version', version: V2 }),
    setKey('a.b', 1),
    replace({ b: 1 }),
  ]);
  t.same(
    group.outcomes.map((outcome) =>
      outcome.kind === 'refused' ? outcome.code : [outcome.kind, outcome.revision, outcome.metadataRevision],
    ),
    [
      'endpoint-not-found',
      ['applied', 1, 1],
      ['unchanged', 1, 1],
      ['applied', 2, 2],
      'endpoint-exists',
      ['applied', 3, 2],
      'invalid-metadata-key',
      ['applied', 4, 4],
    ],
  );
  t.same(eventsOf(group), [
    'registered 1',
    'metadata-updated 2',
    'appversion-updated 3',
    'metadata-updated 4',
  ]);
  t.equal(payloadsOf(group)[1]!['appVersionName'], 'v1');
  t.equal(payloadsOf(group)[3]!['appVersionName'], 'v2');
  t.match(decodeRecord(group.write!.record), { revision: 4, metadataText: '{"b":1}' });
  t.equal(group.write!.moved, true);
});

void t.test('a life in one group', async (t) => {
  const group = evaluate([register({ a: 1 }), unregister(), setKey('a', 1)]);
  t.same(outcomesOf(group), ['applied', 'applied', 'endpoint-not-found']);
  t.same(eventsOf(group), ['registered 1', 'unregistered 2']);
  t.ok(isTombstone(group.write!.record));
});
