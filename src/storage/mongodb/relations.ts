import {
  MongoBulkWriteError,
  type AnyBulkWriteOperation,
  type Collection,
  type Db,
  type Document,
} from 'mongodb';
import {
  relationEventRevision,
  relationKeyOf,
  relationSourceOf,
  type Relation,
} from '../../model/relation.js';
import type { RelationPage, RelationQuery, RelationsCommitResult, RelationsWrite, Store } from '../port.js';
import type { ClearedEntries } from './cleared-entries.js';
import { entryField, pushOf, type GuardedDocument } from './documents.js';
import { isDuplicateKey } from './errors.js';
import { commitGuarded, type GuardedWrite } from './guarded-commit.js';

/**
 * A link, named by its ends. One that was unlinked stays for an hour, without the fields by which links are found: its
 * revision keeps a late writer from putting it back.
 */
interface RelationDocument {
  _id: string;
  /** of the change that wrote it last */
  revision: number;
  tenant?: string;
  from?: string;
  fromCreated?: number;
  to?: string;
  toCreated?: number;
  /** when it was unlinked, Unix ms */
  gone?: number;
}

type Listed = Required<Omit<RelationDocument, 'gone'>>;

/** What guards a tenant's relations: their revision, and the last change while it is not known to be carried out. */
interface RelationGuard extends GuardedDocument {
  pending?: PendingChange;
}

interface PendingChange {
  revision: number;
  link: Relation[];
  unlink: Relation[];
}

export interface MongoRelations extends Pick<Store, 'linked' | 'related'> {
  revision(tenant: string): Promise<number>;
  commit(commitId: string, write: RelationsWrite): Promise<RelationsCommitResult>;
  find(query: RelationQuery): Promise<RelationPage>;
  /** Carries out what a crash left, and forgets what was unlinked long ago. */
  purge(nowMs: number): Promise<void>;
}

const GONE_MS = 60 * 60 * 1000;
const MAX_TIME_MS = 60_000;
const STEP = 1000;
const GUARDS = 'relationGuards';

/** A guard's outbox is read and cleared as those of endpoints and filters are. */
export function relationGuards(db: Db): Collection<GuardedDocument> {
  return db.collection<GuardedDocument>(GUARDS);
}

/**
 * All changes of a tenant's relations are one after the other, and each is whole, without a transaction over documents:
 * a change is written into the tenant's guard document first, on the condition of its revision and with its outbox
 * entries. From then on it has happened. Then it is carried out on the links, each of which takes only what is newer
 * than itself, so that doing it twice, or late, does no harm; then it is taken out of the guard. Who finds one in there
 * carries it out first: the next writer, a reader, the next start.
 */
export function createMongoRelations(db: Db, cleared: ClearedEntries): MongoRelations {
  const guards = db.collection<RelationGuard>(GUARDS);
  const links = db.collection<RelationDocument>('relations');

  async function finish(guardId: string, tenant: string, pending: PendingChange): Promise<void> {
    const { revision, link, unlink } = pending;
    const operations = [
      ...link.map((relation) => putOf(relation, tenant, revision)),
      ...unlink.map((relation) => removalOf(relation, revision)),
    ];
    for (let at = 0; at < operations.length; at += STEP)
      await carryOut(links, operations.slice(at, at + STEP));
    await guards.updateOne({ _id: guardId, 'pending.revision': revision }, { $unset: { pending: '' } });
  }

  /** Reads again when there was a change that is not known to be carried out. */
  async function settled<T>(tenant: string, read: () => Promise<T>): Promise<T> {
    const _id = relationSourceOf(tenant);
    const unfinished = guards.findOne({ _id, pending: { $exists: true } }, { projection: { pending: 1 } });
    const [guard, found] = await Promise.all([unfinished, read()]);
    if (guard?.pending === undefined) return found;
    await finish(_id, tenant, guard.pending);
    return read();
  }

  async function revision(tenant: string): Promise<number> {
    const _id = relationSourceOf(tenant);
    const guard = await guards.findOne({ _id }, { projection: { revision: 1, pending: 1 } });
    if (guard?.pending !== undefined) await finish(_id, tenant, guard.pending);
    return guard?.revision ?? 0;
  }

  async function commit(commitId: string, write: RelationsWrite): Promise<RelationsCommitResult> {
    const { tenant, expectedRevision, link, unlink, events } = write;
    const id = relationSourceOf(tenant);
    // only with new entries: else `due` would have to go with the last
    const takenOut = expectedRevision === 0 || events.length === 0 ? [] : cleared.ordersOf(id);
    const pending: PendingChange = { revision: expectedRevision + 1, link: [...link], unlink: [...unlink] };
    const [outcome] = await commitGuarded({
      collection: guards,
      claims: { field: 'none', enforced: true },
      commitId,
      count: 1,
      build: () => [guardWriteOf(id, commitId, write, pending, takenOut)],
    });
    if (typeof outcome === 'object') return { kind: 'rejected', message: outcome.rejected };
    if (outcome !== 'written') return { kind: 'conflict' };
    cleared.removed(id, takenOut);
    for (const bytes of events) cleared.wrote(id, bytes.length);
    await finish(id, tenant, pending);
    const orders = events.map((_, place) => relationEventRevision(pending.revision, place));
    return { kind: 'written', outbox: orders.map((order) => ({ source: id, order })) };
  }

  const linked: MongoRelations['linked'] = (tenant, relations) =>
    settled(tenant, async () => {
      const ids = relations.map(relationKeyOf);
      const found = await links
        .find({ _id: { $in: ids }, gone: { $exists: false } })
        .project<{ _id: string }>({ _id: 1 })
        .toArray();
      const there = new Set(found.map(({ _id }) => _id));
      return ids.map((id) => there.has(id));
    });

  const related: MongoRelations['related'] = (tenant, ends, direction, limit) =>
    settled(tenant, async () => {
      const own = direction === 'contains' ? 'from' : 'to';
      const created = new Set(ends.map(({ endpointId, createdMs }) => `${createdMs}/${endpointId}`));
      const cursor = links.find<Listed>(
        { tenant, [own]: { $in: ends.map(({ endpointId }) => endpointId) } },
        { maxTimeMS: MAX_TIME_MS },
      );
      const relations: Relation[] = [];
      try {
        for await (const document of cursor) {
          // of a former registration under the id
          if (!created.has(`${document[`${own}Created`]}/${document[own]}`)) continue;
          if (relations.length === limit) return { relations, more: true };
          relations.push(relationOf(document));
        }
      } finally {
        await cursor.close();
      }
      return { relations, more: false };
    });

  const find: MongoRelations['find'] = (query) =>
    settled(query.tenant, async () => {
      const { tenant, end, direction, offset, limit, after } = query;
      const [own, other] = direction === 'contains' ? (['from', 'to'] as const) : (['to', 'from'] as const);
      const otherCreated = `${other}Created` as const;
      const list = { tenant, [own]: end.endpointId, [`${own}Created`]: end.createdMs };
      const behind =
        after === undefined
          ? {}
          : {
              // the bound on the date stands alone, so that the index is entered at it
              [otherCreated]: { $lte: after.createdMs },
              $or: [{ [otherCreated]: { $lt: after.createdMs } }, { [other]: { $gt: after.endpointId } }],
            };
      const [found, total] = await Promise.all([
        links
          .find<Listed>({ ...list, ...behind }, { maxTimeMS: MAX_TIME_MS })
          .sort({ [otherCreated]: -1, [other]: 1 })
          .skip(after === undefined ? offset : 0)
          .limit(limit + 1)
          .toArray(),
        links.countDocuments(list, { maxTimeMS: MAX_TIME_MS }),
      ]);
      const ends = found
        .slice(0, limit)
        .map((document) => ({ endpointId: document[other], createdMs: document[otherCreated] }));
      const next = found.length > limit ? ends.at(-1) : undefined;
      return next === undefined ? { ends, total } : { ends, total, next };
    });

  async function purge(nowMs: number): Promise<void> {
    const unfinished = await guards.find({ pending: { $exists: true } }).toArray();
    for (const { _id, pending } of unfinished)
      await finish(_id, _id.slice(relationSourceOf('').length), pending!);
    for (;;) {
      const over = { gone: { $lt: nowMs - GONE_MS } };
      const step = await links.find(over).project<{ _id: string }>({ _id: 1 }).limit(STEP).toArray();
      if (step.length === 0) return;
      // asked again with the rest: it may have been linked again
      await links.deleteMany({ ...over, _id: { $in: step.map(({ _id }) => _id) } });
    }
  }

  return { revision, commit, linked, related, find, purge };
}

function guardWriteOf(
  id: string,
  commitId: string,
  { expectedRevision, events }: RelationsWrite,
  pending: PendingChange,
  takenOut: readonly number[],
): GuardedWrite {
  const { revision } = pending;
  const entries = events.map(
    (bytes, place) => [entryField(relationEventRevision(revision, place)), bytes] as const,
  );
  const due = events.length === 0 ? {} : { due: id };
  if (expectedRevision === 0) {
    const unpublished = Object.fromEntries(entries);
    const document = { _id: id, revision, writes: [commitId], pending, unpublished, ...due };
    return { kind: 'insert', id, document };
  }
  const update: Document = { $set: { revision, pending, ...due }, $push: pushOf(commitId) };
  for (const [field, bytes] of entries) (update['$set'] as Document)[`unpublished.${field}`] = bytes;
  if (takenOut.length > 0)
    update['$unset'] = Object.fromEntries(takenOut.map((order) => [`unpublished.${entryField(order)}`, '']));
  return { kind: 'update', id, guard: { revision: expectedRevision }, update };
}

/** Nothing when what is there is as new, or newer: the insertion that is tried then meets its `_id`. */
function putOf(
  { from, to }: Relation,
  tenant: string,
  revision: number,
): AnyBulkWriteOperation<RelationDocument> {
  const fields = {
    revision,
    tenant,
    from: from.endpointId,
    fromCreated: from.createdMs,
    to: to.endpointId,
    toCreated: to.createdMs,
  };
  return {
    updateOne: {
      filter: { _id: relationKeyOf({ from, to }), revision: { $lt: revision } },
      update: { $set: fields, $unset: { gone: '' } },
      upsert: true,
    },
  };
}

function removalOf(relation: Relation, revision: number): AnyBulkWriteOperation<RelationDocument> {
  return {
    updateOne: {
      filter: { _id: relationKeyOf(relation), revision: { $lt: revision } },
      update: {
        $set: { revision, gone: Date.now() },
        $unset: { tenant: '', from: '', fromCreated: '', to: '', toCreated: '' },
      },
      upsert: true,
    },
  };
}

async function carryOut(
  links: Collection<RelationDocument>,
  operations: AnyBulkWriteOperation<RelationDocument>[],
): Promise<void> {
  try {
    await links.bulkWrite(operations, { ordered: false });
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError()) throw error;
    const refused = [error.writeErrors].flat();
    if (refused.length === 0 || !refused.every(({ code }) => isDuplicateKey(code))) throw error;
  }
}

function relationOf({ from, fromCreated, to, toCreated }: Listed): Relation {
  return {
    from: { endpointId: from, createdMs: fromCreated },
    to: { endpointId: to, createdMs: toCreated },
  };
}
