import t from 'tap';
import type { Answer } from '../../src/model/outcome.js';
import { headOf } from '../../src/model/record.js';
import type { CallContext } from '../../src/register/index.js';
import { StorageUnavailable, type Store } from '../../src/storage/index.js';
import { codeOf, CONTEXT, HOT, start, valueOf } from './support.js';

const DAY_MS = 24 * 60 * 60 * 1000;

/** A store that does not keep answers, as if the process had been killed before it could. */
function forgetting(store: Store): Store {
  return {
    ...store,
    putAnswer: () => Promise.reject(new StorageUnavailable('killed')),
  };
}

void t.test('work is done once under a key, and answered the same ever after', async (t) => {
  let nowMs = Date.now();
  const running = await start(t, { now: () => nowMs });
  let done = 0;
  let release!: () => void;
  const held = new Promise<void>((resolve) => (release = resolve));
  const seen: string[] = [];
  const once = (key: string, content: string, context: object = {}, from = running.register) =>
    from.requests.once({ ...CONTEXT, ...context }, { key, content }, async (requestId) => {
      seen.push(requestId);
      await held;
      return { answer: `answer ${++done}`, keep: true };
    });
  const together = [once('k', 'a'), once('k', 'a'), once('k', 'b')];
  t.equal(codeOf(await together[2]!), 'idempotency-key-reused', 'while the first is under way');
  release();
  t.equal(valueOf(await together[0]!), 'answer 1');
  t.equal(valueOf(await together[1]!), 'answer 1', 'who comes meanwhile waits for it');
  t.equal(valueOf(await once('k', 'a')), 'answer 1');
  t.equal(codeOf(await once('k', 'b')), 'idempotency-key-reused');
  t.equal(valueOf(await once('k', 'b', { tenant: 'acme' })), 'answer 2', "a tenant's keys are its own");
  t.equal(valueOf(await once('k2', 'a')), 'answer 3');
  t.equal(new Set(seen).size, 3);
  for (const id of seen) t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);

  const next = await running.restart({ now: () => nowMs });
  t.equal(valueOf(await once('k', 'a', {}, next.register)), 'answer 1', 'after a restart, too');
  nowMs += DAY_MS + 1;
  t.equal(valueOf(await once('k', 'b', {}, next.register)), 'answer 4', 'a day later the key is free');
});

void t.test('what is not to be kept is done again', async (t) => {
  const { register, store } = await start(t);
  let done = 0;
  const once = () =>
    register.requests.once(CONTEXT, { key: 'k', content: 'a' }, async () => ({
      answer: `answer ${++done}`,
      keep: done > 1,
    }));
  t.equal(valueOf(await once()), 'answer 1');
  t.equal(await store.countAnswers(), 0);
  t.equal(valueOf(await once()), 'answer 2');
  t.equal(valueOf(await once()), 'answer 2');
});

void t.test('when as many are kept as may be, nothing is done', async (t) => {
  const { register } = await start(t, { wrap: (store) => ({ ...store, countAnswers: async () => 1e6 }) });
  const answer = await register.requests.once(CONTEXT, { key: 'k', content: 'a' }, () => {
    throw new Error('done all the same');
  });
  t.match(answer, { kind: 'retry', code: 'overloaded' });
});

void t.test('a request whose answer was lost finds what it did itself', async (t) => {
  const running = await start(t, { wrap: forgetting });
  type Work = (context: CallContext) => Promise<Answer<unknown>>;
  const once = async (key: string, work: Work, { register } = running) => {
    const answer = await register.requests.once(CONTEXT, { key, content: 'x' }, async (requestId) => {
      const inner = await work({ ...CONTEXT, requestId });
      return { answer: JSON.stringify(inner), keep: inner.kind === 'ok' };
    });
    return answer.kind === 'ok' ? (JSON.parse(answer.value) as Answer<unknown>) : answer;
  };
  const works = (from: typeof running): Record<string, Work> => ({
    endpoint: (context) => from.register.endpoints.register(context, { versionName: 'v1', metadata: {} }),
    named: (context) =>
      from.register.endpoints.register(context, { endpointId: 'named', versionName: 'v1', metadata: {} }),
    batch: (context) =>
      from.register.batches.start(context, { versionName: 'v1', endpoints: [{ endpointId: 'b1' }, {}] }),
    filter: async (context) => {
      const draft = { name: 'hot', description: '', mongoQuery: HOT };
      const created = await from.register.filters.create(context, 'app', draft);
      return created.kind === 'ok' ? { kind: 'ok', value: created.value.filter.id } : created;
    },
  });
  const first: Record<string, unknown> = {};
  for (const [key, work] of Object.entries(works(running))) {
    let inner: Answer<unknown> | undefined;
    const lost = await once(key, async (context) => (inner = await work(context)));
    t.match(lost, { kind: 'retry', code: 'storage-unavailable' }, key);
    first[key] = valueOf(inner!);
  }
  const next = await running.restart();
  for (const [key, work] of Object.entries(works(next)))
    t.same(valueOf(await once(key, work, next)), first[key], `${key}: the same as was answered nobody`);

  const all = { regex: false, sort: { by: 'endpointId', direction: 'asc' }, offset: 0, limit: 10 } as const;
  let found: Uint8Array[] = [];
  while (found.length < 4) found = valueOf(await next.register.endpoints.list(CONTEXT, all)).records;
  t.equal(found.length, 4, 'one, the named one, and two of the batch');
  t.ok(found.some((record) => headOf(record).endpointId === 'named'));
  t.equal(valueOf(await next.register.filters.list(CONTEXT, 'app', { offset: 0, limit: 9 })).total, 1);
  const named = { endpointId: 'named', versionName: 'v1', metadata: {} };
  t.equal(codeOf(await next.register.endpoints.register(CONTEXT, named)), 'endpoint-exists');
  const tokens = Object.values(first).flatMap((value) => (value as { token?: string }).token ?? []);
  t.equal(new Set(tokens).size, 2);
  for (const token of tokens) t.match(token, /^[A-Za-z0-9]{20}$/);
});
