import { setTimeout as delay } from 'node:timers/promises';
import { MongoBulkWriteError, type AnyBulkWriteOperation, type Collection, type Document } from 'mongodb';
import { StorageUnavailable } from '../port.js';
import type { GuardedDocument } from './documents.js';
import { isDuplicateKey, isServerMissing, isTooLarge, isUnavailableCode, isUnknown } from './errors.js';

/** One document's write. `insert`: nothing may be stored yet. `update`: what is stored must have the fields of `guard`. */
export type GuardedWrite =
  | { kind: 'insert'; id: string; document: GuardedDocument; claim?: string | undefined }
  | { kind: 'update'; id: string; guard: Document; update: Document; claim?: string | undefined };

/** `rejected`: the server refuses this write for what it is, whatever is stored. */
export type GuardedOutcome = 'written' | 'conflict' | 'claimed' | { rejected: string };

/** A field whose values belong to one document each, by a unique index. */
export interface Claims {
  field: string;
  /** false: the server has no unique index, so that it is asked before (and two replicas at once may both win) */
  enforced: boolean;
}

export interface GuardedCommit {
  collection: Collection<GuardedDocument>;
  claims: Claims;
  /** new for each call; every write puts it in `writes` of its document */
  commitId: string;
  count: number;
  /** The writes at these places. Called again for those that have to be tried again. */
  build: (places: readonly number[]) => GuardedWrite[] | Promise<GuardedWrite[]>;
}

const MAX_ATTEMPTS = 5;
const MOST_DELAY_MS = 40;

/**
 * Writes documents by one unordered bulk, and finds out what each came to.
 *
 * When the server counts as many as were sent, all are written. Else the documents are read: a document that carries our
 * commit id in `writes` was written by us, though another replica may have written it again since. One that does not, and
 * no longer has the guard (revisions only grow), never will be: a conflict. One that still has it is tried again.
 *
 * An answer that is lost is asked for in the same way: the bulk is sent once more with the same commit id. What arrived
 * the first time is refused then by its guard or its `_id`, and found by the id. Reading what was left without sending
 * first would not do: it may be on its way still, or not at a majority yet; a bulk that is acknowledged by a majority
 * says that all that came before it is, too. After a second loss nothing is known: StorageUnavailable.
 *
 * A duplicate key is not told by the server's message, which differs between versions and products: when the document is
 * neither ours nor has another guard, and another one holds the claim, it is that.
 */
export async function commitGuarded(commit: GuardedCommit): Promise<GuardedOutcome[]> {
  const outcomes = new Array<GuardedOutcome>(commit.count).fill('conflict');
  let open = Array.from({ length: commit.count }, (_, place) => place);
  let lost = false;
  for (let attempt = 1; open.length > 0 && attempt <= MAX_ATTEMPTS; attempt++) {
    let writes = await commit.build(open);
    if (!commit.claims.enforced) {
      const free = await freeOfClaims(commit, writes);
      open.forEach((place, i) => (outcomes[place] = free[i] ? 'conflict' : 'claimed'));
      open = open.filter((_, i) => free[i]);
      writes = writes.filter((_, i) => free[i]);
      if (open.length === 0) break;
    }
    let bulk: BulkAnswer;
    try {
      bulk = await sendBulk(commit.collection, writes);
    } catch (error) {
      if (lost || !isUnknown(error) || error instanceof StorageUnavailable || isServerMissing(error))
        throw error;
      lost = true;
      continue;
    }
    if (bulk.all) {
      for (const place of open) outcomes[place] = 'written';
      return outcomes;
    }
    const judged = await judge(commit, writes, bulk, attempt === MAX_ATTEMPTS);
    open.forEach((place, i) => (outcomes[place] = judged[i] === 'again' ? 'conflict' : judged[i]!));
    open = open.filter((_, i) => judged[i] === 'again');
    if (open.length > 0 && bulk.passing.size > 0) await delay(Math.random() * attempt * MOST_DELAY_MS);
  }
  return outcomes;
}

interface BulkAnswer {
  all: boolean;
  /** places of writes that a unique index refused */
  duplicates: ReadonlySet<number>;
  /** what the server said of writes that it refused for another reason, by place */
  rejections: ReadonlyMap<number, string>;
  /** places of those that may do another time, as after a deadlock: nearly all, for servers number such faults as they like */
  passing: ReadonlySet<number>;
}

async function sendBulk(
  collection: Collection<GuardedDocument>,
  writes: readonly GuardedWrite[],
): Promise<BulkAnswer> {
  // In the order of ids: servers that lock rows for a whole bulk know no deadlock of two bulks then.
  const places = writes.map((_, place) => place);
  places.sort((a, b) => (writes[a]!.id < writes[b]!.id ? -1 : 1));
  const operations = places.map((place): AnyBulkWriteOperation<GuardedDocument> => {
    const write = writes[place]!;
    return write.kind === 'insert'
      ? { insertOne: { document: write.document } }
      : { updateOne: { filter: { ...write.guard, _id: write.id }, update: write.update } };
  });
  try {
    const result = await collection.bulkWrite(operations, { ordered: false });
    return {
      all: result.insertedCount + result.matchedCount === writes.length,
      duplicates: new Set(),
      rejections: new Map(),
      passing: new Set(),
    };
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) throw error;
    const concern = error.result.getWriteConcernError();
    if (concern)
      throw new StorageUnavailable(`MongoDB wrote, but not to a majority: ${concern.errmsg}`, {
        cause: error,
      });
    const refused = [error.writeErrors].flat();
    if (refused.length === 0) throw error;
    const duplicates = new Set<number>();
    const rejections = new Map<number, string>();
    const passing = new Set<number>();
    for (const { code, index: sent, errmsg } of refused) {
      const index = places[sent]!;
      const message = `MongoDB refuses the write of ${writes[index]?.id}: ${errmsg}`;
      if (isUnavailableCode(code)) throw new StorageUnavailable(message, { cause: error });
      if (isDuplicateKey(code)) duplicates.add(index);
      else rejections.set(index, message);
      if (!isTooLarge(code)) passing.add(index);
    }
    return { all: false, duplicates, rejections, passing };
  }
}

async function judge(
  { collection, commitId, claims }: GuardedCommit,
  writes: readonly GuardedWrite[],
  { duplicates, rejections, passing }: BulkAnswer,
  last: boolean,
): Promise<(GuardedOutcome | 'again')[]> {
  const ids = writes.map((write) => write.id);
  const contested = writes.flatMap((write, i) =>
    duplicates.has(i) && write.claim !== undefined ? [write.claim] : [],
  );
  const [stored, holders] = await Promise.all([
    collection
      .find({ _id: { $in: ids } }, { projection: { revision: 1, filterSet: 1, writes: 1 } })
      .toArray(),
    holdersOf(collection, claims, contested),
  ]);
  const byId = new Map(stored.map((document) => [document._id, document]));
  return writes.map((write, i) => {
    const document = byId.get(write.id);
    if (document?.writes.includes(commitId)) return 'written';
    if (!isGuarded(write, document)) return 'conflict';
    const rejected = rejections.get(i);
    if (rejected !== undefined) return passing.has(i) && !last ? 'again' : { rejected };
    const holder = write.claim === undefined ? undefined : holders.get(write.claim);
    return duplicates.has(i) && holder !== undefined && holder !== write.id ? 'claimed' : 'again';
  });
}

function isGuarded(write: GuardedWrite, document: Document | undefined): boolean {
  if (write.kind === 'insert' || document === undefined)
    return write.kind === 'insert' && document === undefined;
  const { revision, filterSet } = write.guard;
  return document['revision'] === revision && document['filterSet'] === filterSet;
}

async function holdersOf(
  collection: Collection<GuardedDocument>,
  { field }: Claims,
  values: readonly string[],
): Promise<Map<string, string>> {
  if (values.length === 0) return new Map();
  const holders = await collection
    .find<Document & { _id: string }>({ [field]: { $in: values } }, { projection: { [field]: 1 } })
    .toArray();
  return new Map(holders.map((holder) => [holder[field] as string, holder._id]));
}

/** Which writes claim nothing that another document, or an earlier write of the batch, has. */
async function freeOfClaims(
  { collection, claims }: GuardedCommit,
  writes: readonly GuardedWrite[],
): Promise<boolean[]> {
  const wanted = writes.flatMap((write) => write.claim ?? []);
  const holders = await holdersOf(collection, claims, wanted);
  return writes.map((write) => {
    if (write.claim === undefined) return true;
    const holder = holders.get(write.claim);
    if (holder === undefined) holders.set(write.claim, write.id);
    return holder === undefined || holder === write.id;
  });
}
