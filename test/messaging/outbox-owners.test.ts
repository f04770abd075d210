import t, { type Test } from 'tap';
import type { NatsLink } from '../../src/messaging/connection.js';
import { createOutboxOwners, type OutboxOwners } from '../../src/messaging/outbox-owners.js';
import { createSparingLog } from '../../src/messaging/sparing-log.js';
import type { OutboxEntry } from '../../src/storage/index.js';
import fc from '../fast-check.js';
import { startNats } from '../servers/index.js';
import { startLink } from './link.js';
import { createMemoryOutbox, type MemoryOutbox, silent, until } from './support.js';

type Outbox = Pick<MemoryOutbox, 'readOutbox'>;

const UNCONNECTED: Pick<NatsLink, 'current' | 'onUp'> = {
  current: () => undefined,
  onUp: () => () => undefined,
};

/** An outbox whose entries say, as the stores' do, which one of their source was before. */
function createSharedOutbox() {
  const outbox = createMemoryOutbox();
  const newest = new Map<string, number>();
  return {
    ...outbox,
    commit(source: string, bytes = 0): OutboxEntry {
      const previous = newest.get(source) ?? 0;
      const entry = outbox.commit(source, ['metadata-updated'], bytes);
      newest.set(source, entry.position.order);
      return { ...entry, previous };
    },
  };
}

interface Replica {
  id: string;
  owners: OutboxOwners;
  /** `source order` of what follows was given, in its order */
  taken: string[];
  doubts: number;
  /** of the outbox, for sources that it lacks something of */
  reads: number;
  /** it sees these as alive */
  sees: (live: readonly string[]) => void;
}

function createReplica(id: string, live: readonly string[], outbox?: Outbox, link = UNCONNECTED): Replica {
  const listeners = new Set<() => void>();
  let seen = live;
  const replica: Replica = {
    id,
    taken: [],
    doubts: 0,
    reads: 0,
    sees(others) {
      seen = others;
      for (const listener of listeners) listener();
    },
    owners: createOutboxOwners({
      mates: {
        id,
        live: () => seen,
        onLive(listener) {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
        async readOutboxOf(sources) {
          replica.reads++;
          return (await outbox!.readOutbox(Infinity)).filter(({ position }) =>
            sources.includes(position.source),
          );
        },
      },
      link,
      subjectOf: (to) => `kaa.v1.service.epr.replica.${to}.outbox`,
      sink: {
        committed: (entries) =>
          replica.taken.push(...entries.map(({ position: { source, order } }) => `${source} ${order}`)),
        doubt: () => replica.doubts++,
      },
      sparing: createSparingLog(silent),
    }),
  };
  return replica;
}

const ownersOf = (source: string, replicas: readonly Replica[]) =>
  replicas.filter(({ owners }) => owners.owns(source)).map(({ id }) => id);

const ids = fc.uniqueArray(fc.oneof(fc.uuid(), fc.string({ minLength: 1, maxLength: 5 })), {
  minLength: 2,
  maxLength: 7,
});
const sources = fc.uniqueArray(
  fc.oneof(
    fc.uuid(),
    fc.string(),
    fc.nat(1e6).map((n) => `e${n}`),
  ),
  {
    minLength: 1,
    maxLength: 60,
  },
);

void t.test('each source is one live replica’s, whoever is asked, in whatever order it sees them', (t) => {
  fc.assert(
    fc.property(ids, sources, fc.nat(), (live, some, turn) => {
      const replicas = live.map((id, i) => {
        const from = (turn + i) % live.length;
        return createReplica(id, [...live.slice(from), ...live.slice(0, from)].sort());
      });
      return some.every((source) => ownersOf(source, replicas).length === 1);
    }),
  );
  t.pass();
  t.end();
});

void t.test(
  'when one leaves, its sources move, and no others; when one comes, sources move to it only',
  (t) => {
    fc.assert(
      fc.property(ids, sources, fc.nat(), (live, some, which) => {
        const gone = live[which % live.length]!;
        const rest = live.filter((id) => id !== gone);
        const all = live.map((id) => createReplica(id, [...live].sort()));
        const left = rest.map((id) => createReplica(id, [...rest].sort()));
        return some.every((source) => {
          const [before] = ownersOf(source, all);
          const after = ownersOf(source, left);
          return after.length === 1 && (before === gone || after[0] === before);
        });
      }),
    );
    t.pass();
    t.end();
  },
);

void t.test('each has its share, with names that differ in a letter as well', (t) => {
  for (const live of [
    ['r1', 'r2', 'r3'],
    ['epr-7c9f-abcde', 'epr-7c9f-abcdf', 'epr-7c9f-abcdg', 'epr-7c9f-abcdh'],
  ]) {
    const replicas = live.map((id) => createReplica(id, live));
    const counts = replicas.map(
      ({ owners }) =>
        Array.from({ length: 6000 }, (_, i) => `endpoint-${i}`).filter((s) => owners.owns(s)).length,
    );
    const fair = 6000 / live.length;
    for (const count of counts) t.ok(count > fair * 0.85 && count < fair * 1.15, counts.join(' '));
  }
  t.end();
});

void t.test('one that nobody sees alive, itself neither, keeps what it commits', (t) => {
  const alone = createReplica('a', []);
  t.ok(alone.owners.owns('x'));
  alone.owners.sink.committed([createSharedOutbox().commit('x')]);
  t.same(alone.taken, ['x 1']);
  t.end();
});

void t.test('whatever is missed, of each source everything uncleared comes in its order', async (t) => {
  const step = fc.oneof(
    // a commit of this process, or of another one whose handing over is lost
    fc.record({ kind: fc.constantFrom('own', 'own', 'lost'), source: fc.constantFrom('x', 'y', 'z') }),
    fc.record({ kind: fc.constant('clear'), source: fc.constantFrom('x', 'y', 'z') }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const outbox = createSharedOutbox();
      const replica = createReplica('a', ['a'], outbox);
      const uncleared = new Map<string, OutboxEntry[]>();
      for (const { kind, source } of steps) {
        const held = uncleared.get(source) ?? [];
        if (kind === 'clear') {
          // published, by whoever published it
          await outbox.clearOutbox(held.splice(0).map(({ position }) => position));
          continue;
        }
        const entry = outbox.commit(source);
        uncleared.set(source, [...held, entry]);
        if (kind === 'own') replica.owners.sink.committed([entry]);
      }
      for (let i = 0; i < 10; i++) await new Promise(setImmediate);
      // the last one shows whether one is missing before it
      for (const source of ['x', 'y', 'z']) {
        const last = outbox.commit(source);
        uncleared.set(source, [...(uncleared.get(source) ?? []), last]);
        replica.owners.sink.committed([last]);
      }
      for (let i = 0; i < 10; i++) await new Promise(setImmediate);
      for (const source of ['x', 'y', 'z']) {
        const taken = replica.taken.filter((each) => each.startsWith(source));
        const orders = taken.map((each) => Number(each.split(' ')[1]));
        if (orders.some((order, i) => i > 0 && order <= orders[i - 1]!)) return false;
        const due = uncleared.get(source)!.map(({ position }) => `${source} ${position.order}`);
        if (!due.every((each) => taken.includes(each))) return false;
      }
      return true;
    }),
    { numRuns: 200 },
  );
  t.pass();
});

/** Replicas on one outbox, each with a connection of its own. */
async function startReplicas(t: Test, url: string, live: readonly string[], outbox: Outbox) {
  return Promise.all(
    live.map(async (id) => {
      const { link, connected } = startLink(t, { urls: [url] });
      await connected();
      const replica = createReplica(id, live, outbox, link);
      replica.owners.start();
      t.teardown(() => replica.owners.stop());
      await link.current()!.flush();
      return { ...replica, replica, link };
    }),
  );
}

void t.test(
  'who commits hands over to the owner; when that one is gone, another has all of it',
  async (t) => {
    // small messages: an entry that does not fit is named, and read
    for (const config of ['', 'max_payload: 4096']) {
      const nats = await startNats(t, { config });
      if (nats === undefined || (config !== '' && !nats.managed)) return;
      const live = ['r1', 'r2', 'r3'];
      const outbox = createSharedOutbox();
      const replicas = await startReplicas(t, nats.url, live, outbox);
      const names = Array.from({ length: 30 }, (_, i) => `e${i}`);
      const commit = (by: Replica, bytes: number) =>
        by.owners.sink.committed(names.map((source) => outbox.commit(source, bytes)));
      commit(replicas[0]!, 10);
      const of = (id: string) => replicas.find((each) => each.id === id)!.replica;
      const allOf = (order: number, owner: Replica) =>
        names
          .filter((source) => owner.owners.owns(source))
          .every((source) => owner.taken.filter((each) => each === `${source} ${order}`).length === 1);
      await until(() => live.every((id) => allOf(1, of(id))));
      commit(replicas[1]!, 5_000);
      commit(replicas[2]!, 300_000);
      await until(() => live.every((id) => allOf(2, of(id)) && allOf(3, of(id))));
      t.equal(replicas.flatMap(({ replica }) => replica.taken).length, 90, 'nothing twice');

      const formerly = names.filter((source) => of('r3').owners.owns(source));
      t.ok(formerly.length > 0);
      await replicas[2]!.owners.stop();
      for (const { replica } of replicas.slice(0, 2)) {
        const before = replica.doubts;
        replica.sees(['r1', 'r2']);
        t.equal(replica.doubts, before + 1, 'the outbox is looked through for what nobody took');
      }
      commit(replicas[0]!, 10);
      await until(() => ['r1', 'r2'].every((id) => allOf(4, of(id))));
      for (const source of formerly) {
        const heir = of(of('r1').owners.owns(source) ? 'r1' : 'r2');
        const taken = heir.taken.filter((each) => each.startsWith(`${source} `));
        t.same(
          taken,
          [1, 2, 3, 4].map((order) => `${source} ${order}`),
          'from the oldest that is not cleared',
        );
      }
    }
  },
);

void t.test('without a connection nothing is lost, and nobody who commits is told', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined || !nats.managed) return;
  const live = ['r1', 'r2'];
  const outbox = createSharedOutbox();
  const [one, other] = await startReplicas(t, nats.url, live, outbox);
  const source = ['a', 'b', 'c', 'd', 'e'].find((each) => other!.owners.owns(each))!;
  // closed by the client, and we have not been told
  await one!.link.current()!.close();
  t.doesNotThrow(() => one!.owners.sink.committed([outbox.commit(source)]));
  const before = other!.replica.doubts;
  await until(() => other!.replica.doubts > before);
  t.pass('the owner is told to look through the outbox when there is a connection again');
});

void t.test('what can not be read is no reason to fail: the outbox is looked through', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const [one] = await startReplicas(t, nats.url, ['r1'], createSharedOutbox());
  const before = one!.replica.doubts;
  for (const bytes of ['nonsense', '\u0001', ''])
    one!.link.current()!.publish('kaa.v1.service.epr.replica.r1.outbox', bytes);
  await until(() => one!.replica.doubts === before + 3);
  t.same(one!.replica.taken, []);
});
