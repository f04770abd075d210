/**
 * A process that opens an embedded store, says `open` (or `refused <message>`, and ends), and then, by its second argument:
 *
 * - `hold`: does nothing
 * - `commit`: updates 24 endpoints from six sides as fast as it can, and says `<id> <revision>` for each answered write
 * - `fill`: registers endpoints, saying `<id> 1` for each, until a write fails; then says `failed <name> <message>`, and
 *   `count <n>` as the store that goes on serving reads has it
 * - `crowd`: the same from six sides at once, each filter's member or not, until every side has failed twice
 * - `flip`: moves 24 endpoints in and out of filters from six sides, unregisters and registers them, and says `<id> <revision>`
 *
 * Lists of filters are moved in the smallest pieces, all the time.
 */
import { writeSync } from 'node:fs';
import { createdOf, guardOf, isTombstone } from '../../src/model/record.js';
import { openEmbeddedStore } from '../../src/storage/embedded/index.js';
import type { Store } from '../../src/storage/port.js';
import { eventsOf, idOf, register, unregister, update } from './contract/building.js';

const SIDES = 6;
const OWN = 4;
const FLIPPED = Array.from({ length: 12 }, (_, i) => i + 1);

function say(text: string): void {
  writeSync(1, `${text}\n`);
}

/** Each side has its own endpoints. Every third change also changes a membership, so that lists are written, too. */
async function commitOn(store: Store, side: number): Promise<never> {
  const ids = Array.from({ length: OWN }, (_, i) => idOf(side * OWN + i));
  let revision = 0;
  const stored = await store.load(ids);
  for (const bytes of stored) if (bytes) revision = Math.max(revision, guardOf(bytes).revision);
  for (;;) {
    revision++;
    const changes = revision % 6 === 0 ? { matched: [1] } : revision % 6 === 3 ? { unmatched: [1] } : {};
    const writes = ids.map((id) => {
      const events = eventsOf(id, revision);
      const metadata = { revision, filler: 'x'.repeat(500) };
      return revision === 1
        ? register({ id, revision, metadata }, { events })
        : update({ id, revision, metadata }, { events, ...changes });
    });
    const results = await store.commit(writes);
    results.forEach((result, i) => {
      if (result.kind !== 'written') throw new Error(`${ids[i]} ${revision} is a ${result.kind}`);
      say(`${ids[i]} ${revision}`);
    });
  }
}

async function fill(store: Store): Promise<void> {
  for (let i = 0; ; i++) {
    const id = idOf(i);
    try {
      await store.commit([
        register({ id, metadata: { filler: 'x'.repeat(20_000) } }, { events: eventsOf(id, 1) }),
      ]);
    } catch (error) {
      say(`failed ${(error as Error).name} ${(error as Error).message}`);
      break;
    }
    say(`${id} 1`);
  }
  say(`count ${await store.count({ application: 'app' })}`);
  await store.close();
  say('closed');
}

/** What filters a revision of an endpoint is in: some come and go with each, some come back within a batch of moves. */
function membersAt(revision: number, own: number): number[] {
  return FLIPPED.filter((number) => (revision * (number + own)) % 5 < 2);
}

async function flipOn(store: Store, side: number): Promise<never> {
  const ids = Array.from({ length: OWN }, (_, i) => idOf(side * OWN + i));
  const stored = await store.load(ids);
  const members = await store.memberships(ids);
  const revisions = stored.map((bytes) => (bytes ? guardOf(bytes).revision : 0));
  const lives = stored.map((bytes) => bytes !== undefined && !isTombstone(bytes));
  for (;;) {
    const writes = ids.map((id, i) => {
      const revision = ++revisions[i]!;
      const before = members[i]!;
      const isGone = lives[i]! && (revision + i) % 11 === 0;
      const after = isGone ? [] : membersAt(revision, i);
      const write = { revision, id, createdMs: 1000 + (revision % 11 === 0 ? revision : i) };
      const record = stored[i] && lives[i] ? { ...write, createdMs: createdOf(stored[i]) } : write;
      const changes = {
        expected: { revision: revision - 1, filterSet: 0 },
        matched: after.filter((number) => !before.includes(number)),
        unmatched: before.filter((number) => !after.includes(number)),
      };
      members[i] = after;
      const made = isGone ? unregister : lives[i]! ? update : register;
      lives[i] = !isGone;
      const result = made(record, changes);
      stored[i] = result.record;
      return result;
    });
    const results = await store.commit(writes);
    results.forEach((result, i) => {
      if (result.kind !== 'written') throw new Error(`${ids[i]} ${revisions[i]} is a ${result.kind}`);
      say(`${ids[i]} ${revisions[i]}`);
    });
  }
}

/** While one write fails, others that build on it (the counts, say) are under way. */
async function crowd(store: Store): Promise<void> {
  const side = async (own: number) => {
    for (let i = 0, failures = 0; failures < 2; i++) {
      const id = idOf(own * 10_000 + i);
      const metadata = { filler: 'x'.repeat(5_000) };
      const write = register({ id, metadata }, { events: eventsOf(id, 1), matched: i % 2 === 0 ? [1] : [] });
      await store.commit([write]).then(
        () => say(`${id} 1`),
        (error: unknown) => (failures++, say(`failed ${(error as Error).name} ${(error as Error).message}`)),
      );
    }
  };
  await Promise.all(Array.from({ length: SIDES }, (_, own) => side(own)));
  await store.close();
  say('closed');
}

const [url, task] = process.argv.slice(2);
const moves = { piece: 3, enough: 20, most: 60, afterMs: 5 };
const store = await openEmbeddedStore({ url: url!, durability: 'sync', moves }).catch((error: unknown) => {
  say(`refused ${(error as Error).message}`);
  process.exit();
});
say('open');
if (task === 'commit') await Promise.all(Array.from({ length: SIDES }, (_, side) => commitOn(store, side)));
else if (task === 'flip') await Promise.all(Array.from({ length: SIDES }, (_, side) => flipOn(store, side)));
else if (task === 'fill') await fill(store);
else if (task === 'crowd') await crowd(store);
else setInterval(() => undefined, 1000);
