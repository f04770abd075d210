import fc from '../../fast-check.js';
import type { Test } from 'tap';
import type { RecordQuery, RecordWrite, Scope, Store } from '../../../src/storage/port.js';
import { diffMetadata } from '../../../src/model/diff.js';
import type { JsonObject } from '../../../src/model/json.js';
import { guardOf } from '../../../src/model/record.js';
import { eventsOf, idOf, idsOf, recordOf, type Endpoint, type OpenStore } from './building.js';
import { ordered, queryOf, walk } from './lists.js';
import { drain } from './outbox.js';

const APPLICATIONS = ['app', 'other'];
const VERSIONS = ['v1', 'v2'];
const FILTERS = [1, 2, 3];
const KEYS = ['a', 'b', 'constructor'];
const ENDPOINTS = 12;

/** One wished write; what it comes to depends on what is stored. */
const wish = fc.record({
  endpoint: fc.nat(ENDPOINTS - 1),
  kind: fc.constantFrom('register', 'update', 'update', 'version', 'unregister', 'evaluate'),
  stale: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  application: fc.constantFrom(...APPLICATIONS),
  version: fc.constantFrom(...VERSIONS),
  createdMs: fc.integer({ min: 1000, max: 1004 }),
  token: fc.option(fc.constantFrom('aa', 'bb', 'cc'), { nil: undefined }),
  members: fc.subarray(FILTERS),
  keys: fc.subarray(KEYS),
  events: fc.boolean(),
});
type Wish = typeof wish extends fc.Arbitrary<infer T> ? T : never;

const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      wishes: fc.uniqueArray(wish, { selector: (w) => w.endpoint, minLength: 1, maxLength: 8 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('drop' as const),
      application: fc.constantFrom(...APPLICATIONS),
      number: fc.constantFrom(...FILTERS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('clear' as const), share: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
);

interface Kept extends Endpoint {
  id: string;
  createdMs: number;
  revision: number;
  filterSet: number;
  application: string;
  version: string;
  tenant: string;
  members: number[];
  metadata: JsonObject;
}

/** The same store, as plain as can be: a map. Its ids and names carry the run's number, so that runs share a database. */
class Model {
  readonly endpoints = new Map<string, Kept>();
  /** `source/revision` of every entry, oldest first */
  outbox: string[] = [];

  constructor(readonly run: number) {}

  live(): Kept[] {
    return [...this.endpoints.values()].filter((kept) => kept.deletedMs === undefined);
  }

  /** The write that a wish comes to, and what its result must be. */
  write(w: Wish): { write: RecordWrite; becomes: Kept } | undefined {
    const id = idOf(this.run * 1000 + w.endpoint);
    const old = this.endpoints.get(id);
    const alive = old !== undefined && old.deletedMs === undefined;
    if (alive === (w.kind === 'register')) return undefined;
    const application = `${w.application}-${this.run}`;
    const registered = {
      id,
      application,
      version: w.version,
      createdMs: w.createdMs,
      tenant: w.application === 'app' ? `kaa-${this.run}` : `acme-${this.run}`,
      metadata: {},
    };
    const base = w.kind === 'register' ? registered : old!;
    const becomes: Kept = {
      ...base,
      revision: (old?.revision ?? 0) + (w.kind === 'evaluate' ? 0 : 1),
      filterSet: (old?.filterSet ?? 0) + (w.kind === 'evaluate' ? 1 : 0),
      members: w.kind === 'unregister' ? [] : w.kind === 'version' && w.events ? old!.members : w.members,
    };
    if (w.kind !== 'evaluate') becomes.metadata = Object.fromEntries(w.keys.map((key) => [key, w.createdMs]));
    if (w.kind === 'unregister') becomes.metadata = {};
    delete becomes.deletedMs;
    if (w.kind === 'version') becomes.version = w.version;
    if (w.kind === 'register' && w.token !== undefined) becomes.tokenHash = w.token;
    if (w.kind === 'unregister') {
      becomes.deletedMs = Date.now();
      delete becomes.tokenHash;
    }
    const members = alive ? old.members : [];
    const expected = { revision: (old?.revision ?? 0) + (w.stale ? 1 : 0), filterSet: old?.filterSet ?? 0 };
    const write: RecordWrite = {
      endpointId: id,
      expected,
      record: recordOf(becomes),
      moved: w.kind === 'register' || w.kind === 'version' || w.kind === 'unregister',
      matched: becomes.members.filter((n) => !members.includes(n)),
      unmatched: members.filter((n) => !becomes.members.includes(n)),
    };
    if (!write.moved) write.keys = diffMetadata(old?.metadata ?? {}, becomes.metadata);
    return { write: w.events ? { ...write, events: eventsOf(id, becomes.revision) } : write, becomes };
  }

  /** Takes what the store answered, and says what is wrong with it. A token that two of a batch want goes to either. */
  take(
    w: Wish,
    { write, becomes }: { write: RecordWrite; becomes: Kept },
    kind: string,
    wantedInBatch: readonly string[],
  ): string | undefined {
    if (w.stale)
      return kind === 'conflict' || kind === 'token-taken' ? undefined : `a stale write was ${kind}`;
    const token = becomes.tokenHash === undefined ? undefined : `${becomes.application}/${becomes.tokenHash}`;
    const held = this.live().some(
      (kept) => kept.id !== becomes.id && `${kept.application}/${kept.tokenHash}` === token,
    );
    const contested = token !== undefined && wantedInBatch.filter((wanted) => wanted === token).length > 1;
    if (kind === 'token-taken')
      return token !== undefined && (held || contested) ? undefined : 'no one has the token';
    if (kind !== 'written') return `a write with the right guard was ${kind}`;
    if (token !== undefined && held) return 'the token was taken';
    this.endpoints.set(becomes.id, becomes);
    if (write.events) this.outbox.push(`${becomes.id}/${becomes.revision}`);
    return undefined;
  }
}

async function commit(store: Store, model: Model, wishes: readonly Wish[]): Promise<void> {
  // An unregistration frees a token at no certain moment of its batch: who wants a token comes in another one.
  const releasing = wishes.some((w) => w.kind === 'unregister');
  const made = wishes.flatMap((w) => {
    const each = releasing && w.kind === 'register' ? undefined : model.write(w);
    return each ? [{ w, ...each }] : [];
  });
  const wanted = made.flatMap(({ becomes }) =>
    becomes.tokenHash === undefined ? [] : [`${becomes.application}/${becomes.tokenHash}`],
  );
  const results = await store.commit(made.map(({ write }) => write));
  made.forEach((each, i) => {
    const wrong = model.take(each.w, each, results[i]!.kind, wanted);
    if (wrong) throw new Error(wrong);
  });
}

function same(actual: unknown, expected: unknown, what: string): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected))
    throw new Error(`${what}: ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`);
}

async function compare(t: Test, store: Store, model: Model): Promise<void> {
  const ids = Array.from({ length: ENDPOINTS }, (_, i) => idOf(model.run * 1000 + i));
  const kept = ids.map((id) => model.endpoints.get(id));
  const loaded = await store.load(ids);
  same(
    loaded.map((bytes) => (bytes ? guardOf(bytes).revision : 0)),
    kept.map((each) => each?.revision ?? 0),
    'revisions',
  );
  same(
    await store.memberships(ids),
    kept.map((each) => (each?.deletedMs === undefined ? [...(each?.members ?? [])].sort() : [])),
    'memberships',
  );

  const scopes: [Scope, (k: Kept) => boolean][] = [];
  for (const tenant of ['kaa', 'acme'].map((name) => `${name}-${model.run}`))
    scopes.push([{ tenant }, (k) => k.tenant === tenant]);
  for (const application of APPLICATIONS.map((name) => `${name}-${model.run}`)) {
    scopes.push([{ application }, (k) => k.application === application]);
    for (const version of VERSIONS)
      scopes.push([{ application, version }, (k) => k.application === application && k.version === version]);
    for (const n of FILTERS)
      scopes.push([
        { application, filterNumber: n },
        (k) => k.application === application && k.members.includes(n),
      ]);
  }
  for (const application of APPLICATIONS.map((name) => `${name}-${model.run}`)) {
    const keys = await store.metadataKeys(application);
    const expected = VERSIONS.map((version) => {
      const mine = model.live().filter((k) => k.application === application && k.version === version);
      return [...new Set(mine.flatMap((k) => Object.keys(k.metadata)))].sort();
    });
    same(
      VERSIONS.map((version) => keys.get(version) ?? []),
      expected,
      `metadata keys of ${application}`,
    );
  }
  for (const [scope, holds] of scopes) {
    const members = model.live().filter(holds);
    same(await store.count(scope), members.length, `count of ${JSON.stringify(scope)}`);
    for (const direction of ['asc', 'desc'] as const) {
      const by: RecordQuery['sort']['by'] = scope.version ? 'endpointId' : 'createdDate';
      const sort = { by, direction };
      const expected = ordered(members, sort).map((k) => k.id);
      same(
        await walk(t, store, queryOf({ scope, sort, limit: 3 })),
        expected,
        `pages of ${JSON.stringify({ scope, sort })}`,
      );
      const page = await store.find(queryOf({ scope, sort, offset: 2, limit: 3, withTotal: true }));
      same(
        [idsOf(page.records), page.total],
        [expected.slice(2, 5), members.length],
        `a page of ${JSON.stringify({ scope, sort })}`,
      );
    }
  }
  const entries = await drain(t, store, 5);
  const mine = entries.filter((entry) => ids.includes(entry.position.source));
  same(
    mine.map((entry) => `${entry.position.source}`).sort(),
    model.outbox.map((entry) => entry.split('/')[0]).sort(),
    'outbox',
  );
}

/** Any sequence of writes leaves a store and a plain map with the same contents. */
export function randomContract(t: Test, open: OpenStore): void {
  void t.test('leaves what a plain map would have', async (t) => {
    const opened = await open(t);
    let store = opened.store;
    let run = 0;
    const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const model = new Model(++run);
      for (const each of steps) {
        if (each.do === 'commit') await commit(store, model, each.wishes);
        else if (each.do === 'reopen') store = await opened.reopen();
        else if (each.do === 'drop') {
          const application = `${each.application}-${model.run}`;
          await store.dropMemberships(application, each.number);
          for (const kept of model.endpoints.values()) {
            if (kept.application === application)
              kept.members = kept.members.filter((n) => n !== each.number);
          }
        } else {
          const entries = await store.readOutbox(1000);
          const cleared = entries.filter((_, i) => i % each.share === 0).map((entry) => entry.position);
          await store.clearOutbox(cleared);
          for (const { source } of cleared) {
            const at = model.outbox.findIndex((entry) => entry.startsWith(source));
            if (at >= 0) model.outbox.splice(at, 1);
          }
        }
      }
      await compare(t, store, model);
    });
    await fc.assert(property, { numRuns: 60, seed: 20_240_517 });
    t.pass(`${run} sequences`);
  });
}
