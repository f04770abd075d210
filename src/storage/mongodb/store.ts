import { randomBytes } from 'node:crypto';
import type { Collection } from 'mongodb';
import { StorageUnavailable, type Store } from '../port.js';
import * as answerStore from './answers.js';
import { createClearedEntries, MAX_ENTRIES } from './cleared-entries.js';
import { connect, type MongoStoreOptions } from './connect.js';
import type { EndpointDocument, GuardedDocument } from './documents.js';
import * as endpointStore from './endpoints.js';
import { toPortError } from './errors.js';
import * as filterStore from './filters.js';
import { makeIndexes } from './indexes.js';
import { countIndexed, countScope, findRecords, scanStale } from './lists.js';
import {
  buildKeys,
  createKnownKeys,
  type KeyDocument,
  purgeKeys,
  readMetadataKeys,
} from './metadata-keys.js';
import { clearOutbox, readOutbox, readOutboxOf, readStoredOutbox, unmarkEmpty } from './outbox.js';
import { RecordCache } from './record-cache.js';
import { createMongoReplicas } from './replicas.js';
import { createMongoRelations, relationGuards } from './relations.js';
import * as taskStore from './tasks.js';

const CLEAR_EVERY_MS = 1_000;
const PURGE_EVERY_MS = 60 * 60 * 1000;

/**
 * The register in MongoDB 4.4 or later: a standalone server, a replica set, or a sharded cluster (`endpoints` sharded by
 * `_id`, the other collections not). No transactions, sessions, change streams or server-side code, so compatible servers
 * do; what one lacks is in `notes`.
 *
 * @throws Error when the server can't be used: what failed, where (no password in it), and the remedy
 */
export async function openMongoStore(options: MongoStoreOptions): Promise<Store> {
  const { client, db, settledReads, notes } = await connect(options);
  const endpoints = db.collection<EndpointDocument>('endpoints');
  const filters = filterStore.createMongoFilters(db, settledReads);
  const keys = db.collection<KeyDocument>('metadata-keys');
  const cache = new RecordCache();
  const cleared = createClearedEntries(options.clearIdleMs);
  const relations = createMongoRelations(db, cleared);
  const outboxes = [
    endpoints,
    db.collection('filters'),
    relationGuards(db),
  ] as unknown as Collection<GuardedDocument>[];
  const replicas = createMongoReplicas(db);
  const calls = trackCalls();

  const closeAndThrow = async (error: unknown): Promise<never> => {
    await client.close();
    throw toPortError(error);
  };
  const made = await makeIndexes(db).catch(closeAndThrow);
  await buildKeys(keys, endpoints).catch(closeAndThrow);

  const instance = randomBytes(6).toString('base64url');
  let commits = 0;
  const newCommitId = (): string => `${instance}${(commits++).toString(36)}`;

  const { tokensUnique } = made;
  const knownKeys = createKnownKeys();
  const commitDeps = { endpoints, cache, cleared, tokensUnique, keys, knownKeys };
  const clear = (entries: ReadonlyMap<string, readonly number[]>): Promise<void> =>
    clearOutbox(outboxes, entries, (source, orders) => cleared.removed(source, orders));
  let clearing = false;
  const clearOverdue = (): void => {
    if (clearing || cleared.size === 0) return;
    clearing = true;
    // When it fails it is tried again a second later; the entries stay hidden from readers meanwhile.
    calls
      .run(() => clear(cleared.overdue(Date.now())))
      .catch(() => undefined)
      .finally(() => (clearing = false));
  };
  const clearingOverdue = setInterval(clearOverdue, CLEAR_EVERY_MS).unref();

  const purge = (): void => {
    // Housekeeping: when it fails it is tried again an hour later, and until then nothing is wrong but the size.
    calls
      .run(async () => {
        await unmarkEmpty(outboxes);
        await endpointStore.purgeTombstones(endpoints, Date.now());
        await purgeKeys(keys, endpoints, Date.now());
        await relations.purge(Date.now());
        await filters.purge(Date.now());
      })
      .catch(() => undefined);
  };
  const purging = setInterval(purge, PURGE_EVERY_MS).unref();
  purge();

  return {
    indexes: made.indexes,
    soleWriter: false,
    replication: {
      join: (replica, replaces) => calls.run(() => replicas.join(replica, replaces)),
      renew: (replica) => calls.run(() => replicas.renew(replica)),
      leave: (replica) => calls.run(() => replicas.leave(replica)),
      replicas: () => calls.run(() => replicas.replicas()),
      takeLease: (name, session, isDead) => calls.run(() => replicas.takeLease(name, session, isDead)),
      releaseLease: (name, session) => calls.run(() => replicas.releaseLease(name, session)),
      filterChanges: () => calls.run(() => filters.changes()),
      readFilterChanges: (since) => calls.run(() => filters.readChanges(since)),
      readOutboxOf: (sources) => calls.run(() => readOutboxOf(outboxes, settledReads, cleared, sources)),
      findOutdated: (application, filterSet, limit) =>
        calls.run(() => endpointStore.findOutdated(endpoints, application, filterSet, limit)),
    },
    notes: [...notes, ...made.notes],
    load: (ids, { fresh = true } = {}) =>
      calls.run(async () => endpointStore.loadRecords(endpoints, cache, ids, fresh)),
    commit(writes) {
      // of this moment: a later one would let through what was computed before this process slept
      const until = replicas.mayWriteUntil();
      return calls.run(async () => endpointStore.commitRecords(commitDeps, newCommitId(), writes, until));
    },
    memberships: (ids) => calls.run(() => endpointStore.readMemberships(endpoints, ids)),
    find: (query) => calls.run(() => findRecords(endpoints, query)),
    countIndexed: (application, where) => calls.run(() => countIndexed(endpoints, application, where)),
    count: (scope) => calls.run(() => countScope(endpoints, scope)),
    metadataKeys: (application) => calls.run(() => readMetadataKeys(keys, endpoints, application)),
    scanStale: (application, filterSet, limit, after) =>
      calls.run(() => scanStale(endpoints, application, filterSet, limit, after)),
    getPass: (application) => calls.run(() => filterStore.getPass(db, application)),
    putPass: (application, pass) => calls.run(() => filterStore.putPass(db, application, pass)),
    registered: (ids) => calls.run(() => endpointStore.readRegistered(endpoints, ids)),
    scanTombstones: (limit, after) => calls.run(() => endpointStore.scanTombstones(endpoints, limit, after)),
    relationsRevision: (tenant) => calls.run(() => relations.revision(tenant)),
    commitRelations: (write) => calls.run(() => relations.commit(newCommitId(), write)),
    linked: (tenant, links) => calls.run(() => relations.linked(tenant, links)),
    related: (tenant, ends, direction, limit) =>
      calls.run(() => relations.related(tenant, ends, direction, limit)),
    findRelations: (query) => calls.run(() => relations.find(query)),
    readOutbox: (limit, after, maxBytes = Infinity) =>
      calls.run(() => readOutbox(outboxes, settledReads, cleared, { limit, maxBytes }, after)),
    readStoredOutbox: (limit, after, maxBytes = Infinity) =>
      calls.run(() => readStoredOutbox(outboxes, settledReads, { limit, maxBytes }, after)),
    clearOutbox: (positions) =>
      calls.run(async () => {
        cleared.add(positions, Date.now());
        if (cleared.size > MAX_ENTRIES) clearOverdue();
      }),
    loadFilters: () => calls.run(() => filters.load()),
    filterSetVersions: () => calls.run(() => filters.versions()),
    commitFilters: (writes, after) => calls.run(() => filters.commit(newCommitId, writes, after)),
    removeFilter: (application, id) => calls.run(() => filters.remove(application, id)),
    dropMemberships: (application, filterNumber) =>
      calls.run(() => endpointStore.dropMemberships(endpoints, application, filterNumber)),
    getTask: (id) => calls.run(() => taskStore.getTask(db, id)),
    putTask: (task) => calls.run(() => taskStore.putTask(db, task)),
    openTasks: () => calls.run(() => taskStore.openTasks(db)),
    expireTasks: (createdBeforeMs) => calls.run(() => taskStore.expireTasks(db, createdBeforeMs)),
    getAnswer: (id) => calls.run(() => answerStore.getAnswer(db, id)),
    putAnswer: (answer) => calls.run(() => answerStore.putAnswer(db, answer)),
    countAnswers: () => calls.run(() => answerStore.countAnswers(db)),
    expireAnswers: (createdBeforeMs) => calls.run(() => answerStore.expireAnswers(db, createdBeforeMs)),
    secret: (name) => calls.run(() => taskStore.getSecret(db, name)),
    getText: (name) => calls.run(() => taskStore.getText(db, name)),
    putText: (name, text) => calls.run(() => taskStore.putText(db, name, text)),
    listTexts: (prefix, limit, after) => calls.run(() => taskStore.listTexts(db, prefix, limit, after)),
    removeText: (name) => calls.run(() => taskStore.removeText(db, name)),
    ping: () => calls.run(async () => void (await db.command({ ping: 1 }))),
    close: async () => {
      clearInterval(purging);
      clearInterval(clearingOverdue);
      await calls.end();
      // What can't be cleared now is published again after the next start, with the same ids.
      await clear(cleared.all()).catch(() => undefined);
      await client.close();
    },
  };
}

/** Knows what is under way, so that a store ends after it; and gives errors the form that the port promises. */
function trackCalls() {
  const underWay = new Set<Promise<unknown>>();
  let ended = false;
  return {
    async run<T>(call: () => Promise<T>): Promise<T> {
      if (ended) throw new StorageUnavailable('The store is closed.');
      const running = call();
      underWay.add(running);
      try {
        return await running;
      } catch (error) {
        throw toPortError(error);
      } finally {
        underWay.delete(running);
      }
    },
    async end(): Promise<void> {
      ended = true;
      await Promise.allSettled(underWay);
    },
  };
}
