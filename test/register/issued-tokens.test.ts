import { randomUUID } from 'node:crypto';
import t from 'tap';
import { headOf } from '../../src/model/record.js';
import { StorageUnavailable } from '../../src/storage/index.js';
import { answer, type Behaviour, hang, reset } from '../peers/support.js';
import { KEEPERS, register, startPlace } from './issuer-support.js';
import { codeOf, command, CONTEXT, fill, set, until, valueOf } from './support.js';

for (const keeper of KEEPERS) {
  void t.test(`${keeper}: a registration gets its token from credential management`, async (t) => {
    const place = await startPlace(t, keeper);
    if (place === undefined) return;
    const { running, cm } = place;
    const made = valueOf(await register(running, { endpointId: 'made' }));
    t.same(cm.tokensOf('made'), [made.token]);
    const given = valueOf(await register(running, { endpointId: 'given', endpointToken: 'mine' }));
    t.equal(given.token, 'mine');
    t.same(cm.tokensOf('given'), ['mine']);
    const named = valueOf(await register(running, {}));
    t.same(cm.tokensOf(named.endpointId), [named.token], 'one whose id is made');
    const [record] = await running.store.load(['made']);
    t.equal(headOf(record!).tokenHash, undefined, 'who issues tokens keeps them apart');
    t.equal(codeOf(await register(running, { endpointId: 'late', endpointToken: 'mine' })), 'token-taken');
    t.equal((await running.store.load(['late']))[0], undefined);
    t.equal(
      codeOf(await register(running, { endpointToken: 'mine', versionName: 'w1' })),
      'ok',
      'another application has its own',
    );
  });

  void t.test(`${keeper}: no token is issued that can be seen to be of no use`, async (t) => {
    const place = await startPlace(t, keeper);
    if (place === undefined) return;
    const { running, cm } = place;
    await fill(t, running, { there: {}, other: {} });
    const asked = cm.asked.length;
    const refused = await Promise.all([
      register(running, { endpointId: 'there' }),
      register(running, { endpointId: '..' }),
      register(running, { endpointId: 'a/b' }),
      register(running, { endpointId: 'a', endpointToken: 'b/c' }),
      register(running, { endpointId: 'b', versionName: 'v9' }),
      register(running, { endpointId: 'c', relations: [{ from: 'none' }] }),
      register(running, { endpointId: 'd', metadata: { 'bad.key': 1 } }),
    ]);
    t.same(refused.map(codeOf), [
      'endpoint-exists',
      'invalid-endpoint-id',
      'invalid-endpoint-id',
      'invalid-body',
      'application-version-not-found',
      'endpoint-not-found',
      'invalid-metadata-key',
    ]);
    t.match(refused[6], { details: [{ path: '/metadata/bad.key' }] });
    const many = await Promise.all(
      Array.from({ length: 10 }, () => register(running, { endpointId: 'wanted' })),
    );
    t.equal(many.filter(({ kind }) => kind === 'ok').length, 1);
    t.equal(many.filter((each) => codeOf(each) === 'endpoint-exists').length, 9, 'of many at once, one');
    t.equal(cm.asked.length, asked + 1, 'and only that one is asked for');
    await running.register.endpoints.submit(command('there', { type: 'unregister' }));
    const anew = valueOf(await register(running, { endpointId: 'there' }));
    t.equal(cm.tokensOf('there').at(-1), anew.token, 'one that was unregistered gets a new one');
  });
}

void t.test('what it refuses, and what is to be tried again', async (t) => {
  const { running, cm } = (await startPlace(t))!;
  await fill(t, running, { box: {} });
  const ways: [Behaviour, string][] = [
    [answer(409, { message: 'no' }), 'token-taken'],
    [answer(400, { message: 'no' }), 'token-refused'],
    [answer(500, ''), 'credentials-unavailable'],
    [answer(404, ''), 'credentials-unavailable'],
    [answer(200, { tokens: 1 }), 'credentials-unavailable'],
    [answer(429, ''), 'credentials-unavailable'],
    [reset, 'credentials-unavailable'],
    [hang, 'credentials-unavailable'],
  ];
  for (const [behaviour, code] of ways) {
    cm.behave(behaviour);
    const outcome = await register(running, { endpointId: 'e', relations: [{ from: 'box' }] });
    t.equal(codeOf(outcome), code, (outcome as { message: string }).message);
    t.equal((await running.store.load(['e']))[0], undefined, 'it is not registered');
    const page = { direction: 'contains' as const, offset: 0, limit: 10 };
    const linked = valueOf(await running.register.relations.list(CONTEXT, 'box', page));
    t.same(linked, { total: 0, endpointIds: [] }, 'nor linked');
  }
  cm.behave(cm.works);
  t.equal(codeOf(await register(running, { endpointId: 'e', relations: [{ from: 'box' }] })), 'ok');
});

void t.test(
  'a registration that fails after its token was issued gets that token the next time',
  async (t) => {
    const { running, cm, before } = (await startPlace(t))!;
    const failing = async (registration: object) => {
      before.commit = () => Promise.reject(new StorageUnavailable('away'));
      t.equal(codeOf(await register(running, registration)), 'storage-unavailable');
      delete before.commit;
    };
    await failing({ endpointId: 'made' });
    const [first] = cm.tokensOf('made');
    t.equal(valueOf(await register(running, { endpointId: 'made' })).token, first);
    t.same(cm.tokensOf('made'), [first]);

    await failing({ endpointId: 'given', endpointToken: 'mine' });
    t.not(
      valueOf(await register(running, { endpointId: 'given' })).token,
      'mine',
      'who does not know a given token does not get it',
    );
    await failing({ endpointId: 'again', endpointToken: 'its own' });
    const again = await register(running, { endpointId: 'again', endpointToken: 'its own' });
    t.equal(valueOf(again).token, 'its own', 'though it would be taken, if it were asked for again');

    await failing({ endpointId: 'changed' });
    t.equal(valueOf(await register(running, { endpointId: 'changed', endpointToken: 'new' })).token, 'new');

    const requestId = randomUUID();
    await Promise.resolve();
    before.commit = () => Promise.reject(new StorageUnavailable('away'));
    t.equal(codeOf(await register(running, {}, requestId)), 'storage-unavailable');
    delete before.commit;
    const keyed = valueOf(await register(running, {}, requestId));
    t.same(
      cm.tokensOf(keyed.endpointId),
      [keyed.token],
      'one under an idempotency key, whose id is the same',
    );
  },
);

for (const keeper of KEEPERS) {
  void t.test(`${keeper}: a request that was carried out, and whose answer was lost`, async (t) => {
    const place = await startPlace(t, keeper);
    if (place === undefined) return;
    const { running, cm } = place;
    const [made, given] = [randomUUID(), randomUUID()];
    const first = valueOf(await register(running, {}, made));
    t.equal(valueOf(await register(running, { endpointToken: 'mine' }, given)).token, 'mine');
    const next = await place.restart();
    const asked = cm.asked.length;
    t.equal(valueOf(await register(next, { endpointToken: 'mine' }, given)).token, 'mine');
    t.equal(cm.asked.length, asked, 'a given token is not asked for again');
    const second = valueOf(await register(next, {}, made));
    t.equal(second.endpointId, first.endpointId);
    t.same(cm.tokensOf(first.endpointId), [first.token, second.token], 'one that nobody knows is replaced');
    t.equal(await next.store.count({ application: 'app' }), 2);
  });
}

void t.test('while it does not answer, other writes go on', async (t) => {
  const { running, cm } = (await startPlace(t, 'embedded', 600_000))!;
  await fill(t, running, { e: {}, f: {} });
  const held: (() => void)[] = [];
  cm.behave((response, asked) => void held.push(() => cm.works(response, asked)));
  const waiting = Array.from({ length: 1100 }, (_, i) => register(running, { endpointId: `w${i}` }));
  const refused: string[] = [];
  for (const each of waiting) void each.then((outcome) => refused.push(codeOf(outcome)));
  await until(() => refused.length > 0 && held.length === 16);
  t.same([...new Set(refused)], ['overloaded'], `${refused.length} were too many`);
  for (let i = 0; i < 300; i++) {
    const outcomes = await Promise.all([
      running.register.endpoints.submit(set('e', 'n', i)),
      running.register.endpoints.submit(set('f', 'n', i)),
    ]);
    if (outcomes.some(({ kind }) => kind !== 'applied')) t.fail(JSON.stringify(outcomes));
  }
  t.equal(held.length, 16, 'all of them while nothing was answered');
  cm.behave(cm.works);
  for (const go of held) go();
  await Promise.all(waiting);
});
