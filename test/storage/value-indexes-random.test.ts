import fc from '../fast-check.js';
import t from 'tap';
import type { JsonObject, JsonValue } from '../../src/filters/index.js';
import { diffMetadata } from '../../src/model/diff.js';
import type { Scope } from '../../src/storage/port.js';
import { wideDocument, wideQuery } from '../filters/random-queries.js';
import { idOf, move, register, unregister, update } from './contract/building.js';
import { ordered, queryOf, walk } from './contract/lists.js';
import { entry, openStore, parsed } from './value-support.js';

t.setTimeout(120_000);

const value = wideDocument.map(({ metadata }) => Object.values(metadata)[0] ?? null);
const key = fc.constantFrom('city', 'temp', 'sky');
const test: fc.Arbitrary<JsonValue> = fc.oneof(
  value,
  fc.dictionary(fc.constantFrom('$gt', '$gte', '$lt', '$lte', '$eq'), value, {
    minKeys: 1,
    maxKeys: 2,
  }) as fc.Arbitrary<JsonObject>,
  fc.array(value, { maxLength: 3 }).map((values): JsonObject => ({ $in: values })),
);
const condition = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(key, test).map(([k, v]) => entry(k, v)) },
  { weight: 1, arbitrary: key.map((k): JsonObject => ({ 'metadata.key': k })) },
  { weight: 1, arbitrary: fc.constantFrom('v1', 'v2').map((v): JsonObject => ({ application_version: v })) },
  { weight: 1, arbitrary: fc.nat(9).map((i): JsonObject => ({ endpoint_id: idOf(i) })) },
  { weight: 1, arbitrary: wideQuery },
);
const anyQuery: fc.Arbitrary<JsonObject> = fc.oneof(
  condition,
  fc.array(condition, { minLength: 1, maxLength: 3 }).map((clauses): JsonObject => ({ $and: clauses })),
  fc.array(condition, { minLength: 1, maxLength: 3 }).map((clauses): JsonObject => ({ $or: clauses })),
);
const metadata = fc.oneof(
  { weight: 4, arbitrary: wideDocument.map((document) => document.metadata) },
  {
    weight: 1,
    arbitrary: fc.tuple(key, fc.integer({ min: 60, max: 70 })).map(([k, length]): JsonObject => ({
      [k]: Array.from({ length }, (_, i) => i),
    })),
  },
);
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      endpoint: fc.nat(9),
      kind: fc.constantFrom('update', 'update', 'version', 'unregister'),
      metadata,
      createdMs: fc.integer({ min: 1000, max: 1003 }),
      version: fc.constantFrom('v1', 'v2'),
      member: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('query' as const),
      query: anyQuery,
      scope: fc.constantFrom<Scope>(
        {},
        { version: 'v1' },
        { filterNumber: 1 },
        { filterNumber: 1, version: 'v2' },
      ),
      by: fc.constantFrom('createdDate' as const, 'endpointId' as const),
      direction: fc.constantFrom('asc' as const, 'desc' as const),
      limit: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'reopen' as const }) },
  { weight: 2, arbitrary: fc.constantFrom(1, 15).map((ms) => ({ do: 'wait' as const, ms })) },
);

void t.test('an index answers as a scan does, whatever is written, built, restarted', async (t) => {
  const moves = { piece: 1, enough: 3, most: 8, afterMs: 1 };
  const { store: opened, reopen } = await openStore(t, { mostScanned: 0, buildStep: 2, moves });
  let store = opened;
  let run = 0;
  let indexed = 0;
  const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
    // every other run finds indexes that are whole, or sees them become so
    const application = ++run % 2 === 0 ? 'shared' : `app-${run}`;
    interface Kept {
      id: string;
      createdMs: number;
      revision: number;
      version: string;
      metadata: JsonObject;
      member: boolean;
      alive: boolean;
    }
    const kept = new Map<string, Kept>();
    const pending: Promise<void>[] = [];
    for (const each of steps) {
      if (each.do === 'reopen') {
        await Promise.all(pending.splice(0));
        store = await reopen();
      } else if (each.do === 'wait') await new Promise((resolve) => setTimeout(resolve, each.ms));
      else if (each.do === 'write') {
        const id = `${run}-${idOf(each.endpoint)}`;
        const old = kept.get(id);
        const revision = (old?.revision ?? 0) + 1;
        const members = (now: boolean) => ({
          matched: now && !(old?.alive === true && old.member) ? [1] : [],
          unmatched: !now && old?.alive === true && old.member ? [1] : [],
        });
        const base = {
          id,
          application,
          revision,
          version: each.version,
          createdMs: each.createdMs,
          metadata: each.metadata,
        };
        let write;
        let next: Kept;
        if (old?.alive !== true) {
          next = { ...base, member: each.member, alive: true };
          write = register(next, {
            expected: { revision: revision - 1, filterSet: 0 },
            ...members(each.member),
          });
        } else if (each.kind === 'unregister') {
          next = {
            ...base,
            createdMs: old.createdMs,
            version: old.version,
            metadata: {},
            member: false,
            alive: false,
          };
          write = unregister(next, members(false));
        } else if (each.kind === 'version') {
          next = { ...base, createdMs: old.createdMs, member: each.member, alive: true };
          write = move(next, members(each.member));
        } else {
          next = {
            ...base,
            createdMs: old.createdMs,
            version: old.version,
            member: each.member,
            alive: true,
          };
          write = update(next, { keys: diffMetadata(old.metadata, next.metadata), ...members(each.member) });
        }
        kept.set(id, next);
        pending.push(
          store.commit([write]).then(([result]) => {
            if (result!.kind !== 'written') throw new Error(`a write was ${result!.kind}`);
          }),
        );
      } else {
        await Promise.all(pending.splice(0));
        const where = parsed(each.query);
        const { by, direction, limit } = each;
        const members = [...kept.values()].filter(
          (k) =>
            k.alive &&
            (each.scope.version ?? k.version) === k.version &&
            (each.scope.filterNumber === undefined || k.member) &&
            where.matches({ endpointId: k.id, applicationVersion: k.version, metadata: k.metadata }),
        );
        const expected = ordered(members, { by, direction }).map(({ id }) => id);
        const query = queryOf({
          scope: { application, ...each.scope },
          where,
          sort: { by, direction },
          limit,
          withTotal: true,
        });
        const page = await store.find(query);
        if (page.read!.by.some((name) => name.startsWith('values:'))) indexed++;
        const found = await walk(t, store, query);
        const detail = `${JSON.stringify(each.query)} by ${page.read!.by.join()}`;
        if (JSON.stringify(found) !== JSON.stringify(expected))
          throw new Error(`${detail}: ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
        if (page.total !== expected.length)
          throw new Error(`${detail}: total ${page.total} of ${expected.length}`);
      }
    }
    await Promise.all(pending);
    const left = [...kept.values()].filter(({ alive }) => alive);
    const gone = left.map((k) =>
      unregister({ ...k, revision: k.revision + 1, metadata: {} }, { unmatched: k.member ? [1] : [] }),
    );
    for (const { kind } of await store.commit(gone)) if (kind !== 'written') throw new Error(kind);
  });
  await fc.assert(property, { numRuns: 150 });
  t.ok(indexed > 100, `${indexed} queries went along an index`);
});
