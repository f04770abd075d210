import { type Db, MongoServerError } from 'mongodb';
import type { ReplicaRow, Replication } from '../replication.js';
import { isDuplicateKey, isUnavailable } from './errors.js';

interface ReplicaDocument {
  _id: string;
  session: string;
  known: number;
  validMs: number;
  /** the server's date */
  renewed: Date;
}

interface LeaseDocument {
  _id: string;
  session: string;
}

interface MongoReplicas extends Pick<
  Replication,
  'join' | 'renew' | 'leave' | 'replicas' | 'takeLease' | 'releaseLease'
> {
  /**
   * Until when this process may write by its last renewal, by the server's clock. Undefined: it was not renewed, or the
   * server does not compare with its clock (`$$NOW`, in MongoDB since 4.2).
   */
  mayWriteUntil(): Date | undefined;
}

/** Rows of replicas and leases. All dates are the server's: `$currentDate` writes them, and its `localTime` tells how old they are. */
export function createMongoReplicas(db: Db): MongoReplicas {
  const rows = db.collection<ReplicaDocument>('replicas');
  const leases = db.collection<LeaseDocument>('leases');
  let mayWriteUntil: Date | undefined;
  let comparesNow: boolean | undefined;

  async function readRows(filter: Partial<Pick<ReplicaDocument, '_id'>>): Promise<ReplicaRow[]> {
    // before the rows: an age is rather too small than too large
    const now = await serverTimeMs(db);
    const found = await rows.find(filter).toArray();
    return found.map(({ _id, session, known, validMs, renewed }) => ({
      id: _id,
      session,
      known,
      validMs,
      ageMs: Math.max(0, now - renewed.getTime()),
    }));
  }

  /** Only a row that is found shows it: a server that does not know it may as well find nothing. */
  async function canCompareNow(id: string): Promise<boolean> {
    try {
      return (await rows.findOne({ _id: id, $expr: { $gt: ['$$NOW', new Date(0)] } })) !== null;
    } catch (error) {
      if (!(error instanceof MongoServerError) || isUnavailable(error)) throw error;
      return false;
    }
  }

  return {
    async join({ id, session, known, validMs }, replaces) {
      const write = { $set: { session, known, validMs }, $currentDate: { renewed: true } } as const;
      for (;;) {
        if (replaces !== undefined) {
          const replaced = await rows.updateOne({ _id: id, session: replaces }, write);
          if (replaced.matchedCount === 1) return { kind: 'joined' };
        }
        if (await done(() => rows.updateOne({ _id: id, session }, write, { upsert: true })))
          return { kind: 'joined' };
        const [by] = await readRows({ _id: id });
        if (by !== undefined && by.session !== replaces) return { kind: 'taken', by };
      }
    },
    async renew({ id, session, known, validMs }) {
      const row = await rows.findOneAndUpdate(
        { _id: id, session },
        { $set: { known }, $currentDate: { renewed: true } },
        { returnDocument: 'after' },
      );
      if (row === null) return false;
      comparesNow ??= await canCompareNow(id);
      if (comparesNow) mayWriteUntil = new Date(row.renewed.getTime() + validMs);
      return true;
    },
    mayWriteUntil: () => mayWriteUntil,
    async leave({ id, session }) {
      await rows.deleteOne({ _id: id, session });
    },
    replicas: () => readRows({}),
    async takeLease(name, session, isDead) {
      if (await done(() => leases.insertOne({ _id: name, session }))) return true;
      const lease = await leases.findOne({ _id: name });
      if (lease === null) return false;
      if (lease.session === session) return true;
      if (!(await isDead(lease.session))) return false;
      const taken = await leases.updateOne({ _id: name, session: lease.session }, { $set: { session } });
      return taken.matchedCount === 1;
    },
    async releaseLease(name, session) {
      await leases.deleteOne({ _id: name, session });
    },
  };
}

/** False: there is one with that id. */
async function done(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (isDuplicateKey((error as { code?: unknown }).code)) return false;
    throw error;
  }
}

async function serverTimeMs(db: Db): Promise<number> {
  const { localTime } = await db.command({ hello: 1 }).catch((error: unknown) => {
    // servers before 4.4.2, and compatible ones
    if (error instanceof MongoServerError) return db.command({ isMaster: 1 });
    throw error;
  });
  return (localTime as Date).getTime();
}
