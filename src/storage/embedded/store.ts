import { randomBytes } from 'node:crypto';
import {
  StorageUnavailable,
  type CommitResult,
  type PagePlace,
  type RecordWrite,
  type Store,
} from '../port.js';
import { expireSomeAnswers, getAnswer, putAnswer } from './answers.js';
import { commitRecords } from './commit-records.js';
import { allFilters, commitFilters, dropMembers, filterSetVersions, removeFilter } from './filters.js';
import type { Moment } from './fill-page.js';
import { countIndexed, countRecords, findRecords } from './find-records.js';
import { readMetadataKeys } from './key-counts.js';
import { listsIn } from './lists.js';
import { openMover, type MoverOptions } from './mover.js';
import { openFolder } from './open-folder.js';
import { openOutbox } from './outbox.js';
import { getPass, putPass } from './passes.js';
import {
  commitRelations,
  findLinked,
  findRelated,
  findRelations,
  registeredAt,
  relationsRevision,
} from './relations.js';
import { scanStaleRecords } from './scan-stale.js';
import { isKey, listOf, numbersOf, PURPOSES, type View, type Tables } from './tables.js';
import { expireTasks, getTask, openTasks, putTask } from './tasks.js';
import { purgeTombstones, scanTombstones } from './tombstones.js';
import { openValueIndexes } from './values/indexes.js';
import { createWriter } from './writer.js';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Records that one transaction of a long task changes: a few ms, during which writes wait. */
const STEP = 1000;

export interface EmbeddedOptions {
  /** `file:<folder>`, relative to the working folder; made when it is not there */
  url: string;
  /** `sync`: an answer means on disk, after fdatasync; `async`: it may be lost with the machine's power, never with the process */
  durability: 'sync' | 'async';
  /** how long an unregistered endpoint's revision is remembered; 24 h unless a test says otherwise */
  tombstoneMs?: number | undefined;
  purgeEveryMs?: number | undefined;
  /** records that one step of building an index reads; 250 unless a test says otherwise */
  buildStep?: number | undefined;
  /** records that a query may read without its keys being given an index; 1000 unless a test says otherwise */
  mostScanned?: number | undefined;
  /** how the lists of filters are written later than the commits that change them */
  moves?: MoverOptions | undefined;
}

/**
 * The keeper of one process: LMDB in a folder, nothing to install or to start. Data is mapped from its file, so that
 * what is read often is in the page cache, and the file grows with the data.
 *
 * Rejects when the folder is in use by another process, can't be written, or has data of a newer version; the message
 * says the remedy.
 */
export async function openEmbeddedStore(options: EmbeddedOptions): Promise<Store> {
  const opened = await openFolder(options.url);
  const { folder, env, tables, fence } = opened;
  const outbox = openOutbox(tables);
  const writer = createWriter({ env, tables, fence, durability: options.durability, folder });
  const indexes = openValueIndexes(tables, writer, options);
  const look = () => {
    env.resetReadTxn();
    return env.useReadTransaction();
  };
  const mover = openMover({ ...options.moves, tables, writer, look });
  const reading = new Set<Promise<unknown>>();
  let isOpen = true;
  let closing: Promise<void> | undefined;

  function beginReading(): View {
    if (!isOpen) throw new StorageUnavailable(`The store in ${folder} is closed.`);
    return env.useReadTransaction();
  }

  function recordOf(id: string, view: View): Buffer | undefined {
    return isKey(id) ? copyOf(tables.records.getBinaryFast(id, { transaction: view })) : undefined;
  }

  /** All reads of one call see the same moment. */
  async function read<T>(look: (view: View) => T | Promise<T>): Promise<T> {
    const view = beginReading();
    const answer = (async () => look(view))().finally(() => view.done());
    reading.add(answer);
    try {
      return await answer;
    } finally {
      reading.delete(answer);
    }
  }

  function readMoment<T>(search: (moment: Moment) => T | Promise<T>): Promise<T> {
    return read((view) => search({ tables, view, lists: listsIn(tables, view, mover.pendingIn(view)) }));
  }

  async function commit(writes: readonly RecordWrite[]): Promise<CommitResult[]> {
    if (mover.isFull) await mover.room();
    const { results, moves } = await writer.draft((changes) =>
      commitRecords(changes, outbox, indexes, mover, writes),
    );
    mover.added(moves);
    return results;
  }

  /** In passes over the list, until one finds none: a member may be registered anew meanwhile. */
  async function dropMemberships(application: string, filterNumber: number): Promise<void> {
    const list = listOf.filter(application, filterNumber);
    let dropped: number;
    do {
      dropped = 0;
      let places: PagePlace[] = [];
      do {
        const after = places.at(-1);
        env.resetReadTxn(); // not a view of earlier in this turn
        places = await readMoment(({ lists }) => firstOf(lists.newestFirst(list, after), STEP));
        if (places.length === 0) break;
        if (mover.isFull) await mover.room();
        const moves = await writer.draft((changes) =>
          dropMembers(changes, mover, application, filterNumber, places),
        );
        mover.added(moves);
        dropped += moves;
      } while (places.length === STEP);
    } while (dropped > 0);
  }

  async function purge(): Promise<void> {
    const before = Date.now() - (options.tombstoneMs ?? DAY_MS);
    while ((await writer.transact(() => purgeTombstones(tables, outbox, before, STEP))) === STEP);
  }
  // What goes wrong here goes wrong for the next write, too, and is told there.
  const purging = setInterval(() => void purge().catch(() => undefined), options.purgeEveryMs ?? 60_000);
  purging.unref();

  return {
    indexes: Object.entries({ ...PURPOSES, fence: 'that a write follows the one that it builds on' }).map(
      ([name, purpose]) => ({ name, purpose }),
    ),
    // a lock on the folder sees to that
    soleWriter: true,
    notes: [],

    load: (ids) => read((view) => ids.map((id) => recordOf(id, view))),
    loadNow(id) {
      const view = beginReading();
      try {
        return recordOf(id, view);
      } finally {
        view.done();
      }
    },
    peek(id, fresh) {
      if (!isOpen) throw new StorageUnavailable(`The store in ${folder} is closed.`);
      if (fresh) env.resetReadTxn();
      return isKey(id) ? tables.records.getBinaryFast(id) : undefined;
    },
    memberships: (ids) =>
      read((view) =>
        ids.map((id) =>
          numbersOf(isKey(id) ? tables.memberships.getBinaryFast(id, { transaction: view }) : undefined),
        ),
      ),
    find: (query) => readMoment((moment) => findRecords(moment, indexes, query)),
    countIndexed: (application, where) =>
      readMoment((moment) => countIndexed(moment, indexes, application, where)),
    count: (scope) => readMoment((moment) => countRecords(moment, scope)),
    metadataKeys: (application) => read((view) => readMetadataKeys(tables, view, application)),
    scanStale(application, filterSet, limit, after) {
      // not a view of earlier in this turn
      env.resetReadTxn();
      return read((view) => scanStaleRecords(tables, view, { application, filterSet, limit, after }));
    },
    getPass: (application) => read((view) => getPass(tables, view, application)),
    putPass: (application, pass) => writer.draft((changes) => putPass(changes, application, pass)),
    commit: (writes) => (writes.length === 0 ? read(() => []) : commit(writes)),

    registered: (ids) => read((view) => registeredAt(tables, view, ids)),
    scanTombstones: (limit, after) => read((view) => scanTombstones(tables, view, limit, after)),
    relationsRevision: (tenant) => read((view) => relationsRevision(tables, view, tenant)),
    commitRelations: (write) => writer.draft((changes) => commitRelations(changes, outbox, write)),
    linked: (_tenant, relations) => read((view) => findLinked(tables, view, relations)),
    related: (_tenant, ends, direction, limit) =>
      read((view) => findRelated(tables, view, ends, direction, limit)),
    findRelations: (query) => read((view) => findRelations(tables, view, query)),

    readOutbox: (limit, after, maxBytes) => read(() => outbox.read(limit, after, maxBytes)),
    readStoredOutbox: (limit, after, maxBytes) => read(() => outbox.read(limit, after, maxBytes)),
    newestOrder: () => outbox.last(),
    clearOutbox: (positions) =>
      positions.length === 0
        ? read(() => undefined)
        : writer.draft((changes) => outbox.remove(changes, positions)),

    loadFilters: () => read(() => allFilters(tables)),
    filterSetVersions: () => read(() => filterSetVersions(tables)),
    commitFilters: (writes) => writer.transact((changes) => commitFilters(tables, changes, outbox, writes)),
    removeFilter: (application, id) => writer.transact(() => removeFilter(tables, application, id)),
    dropMemberships,

    getTask: (id) => read(() => getTask(tables, id)),
    putTask: (task) => writer.transact(() => putTask(tables, task)),
    openTasks: () => read(() => openTasks(tables)),
    expireTasks: (createdBeforeMs) => writer.transact(() => expireTasks(tables, createdBeforeMs)),

    getAnswer: (id) => read(() => getAnswer(tables, id)),
    putAnswer: (answer) => writer.transact(() => putAnswer(tables, answer)),
    countAnswers: () => read(() => tables.answers.getStats().entryCount),
    async expireAnswers(createdBeforeMs) {
      let expired = 0;
      for (;;) {
        const some = await writer.transact(() => expireSomeAnswers(tables, createdBeforeMs, STEP));
        expired += some;
        if (some < STEP) return expired;
      }
    },

    async secret(name) {
      const made = await read(() => tables.secrets.getBinary(name));
      if (made) return made;
      return writer.transact(() => {
        const there = tables.secrets.getBinary(name);
        if (there) return there;
        const secret = randomBytes(32);
        tables.secrets.put(name, secret);
        return secret;
      });
    },

    getText: (name) => read(() => tables.meta.getBinary(textKey(name))?.toString('utf8')),
    putText: (name, text) =>
      writer.transact(() => void tables.meta.put(textKey(name), Buffer.from(text, 'utf8'))),
    listTexts: (prefix, limit, after) => read(() => listTexts(tables, prefix, limit, after)),
    removeText: (name) => writer.transact(() => void tables.meta.remove(textKey(name))),

    ping: () => read(() => void tables.meta.getBinary('format')),
    close() {
      closing ??= (async () => {
        isOpen = false;
        clearInterval(purging);
        await indexes.close();
        await mover.close();
        await writer.end();
        await Promise.allSettled(reading);
        await opened.close();
      })();
      return closing;
    },
  };
}

function textKey(name: string): string[] {
  return ['text', name];
}

function listTexts(
  tables: Tables,
  prefix: string,
  limit: number,
  after?: string,
): { name: string; text: string }[] {
  const found: { name: string; text: string }[] = [];
  for (const { key, value } of tables.meta.getRange({ start: textKey(after ?? prefix) })) {
    const [kind, name] = key as string[];
    if (kind !== 'text' || name === undefined || !name.startsWith(prefix)) break;
    if (name === after) continue;
    if (found.length === limit) break;
    found.push({ name, text: value.toString('utf8') });
  }
  return found;
}

function firstOf<T>(all: Iterable<T>, limit: number): T[] {
  const some: T[] = [];
  for (const one of all) if (some.push(one) === limit) break;
  return some;
}

/** Out of LMDB's buffer, which the next read fills again, into Node's pool: an ArrayBuffer for each would cost more than the read. */
function copyOf(bytes: Buffer | undefined): Buffer | undefined {
  if (bytes === undefined) return undefined;
  const copy = Buffer.allocUnsafe(bytes.length);
  // LMDB's buffer is longer than the value: its `length` was redefined, and Buffer.copy takes all of it
  copy.set(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
  return copy;
}
