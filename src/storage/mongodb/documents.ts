import type { Document } from 'mongodb';
import {
  headOf,
  createdOf,
  guardOf,
  isTombstone,
  metadataOf,
  metadataRevisionOf,
  type Guard,
} from '../../model/record.js';
import type { RecordWrite } from '../port.js';
import { mirrorOf, type MirrorEntry } from './mirror.js';

/** What {@link commitGuarded} and the outbox need of a document. */
export interface GuardedDocument {
  _id: string;
  revision: number;
  /** ids of the last commits that wrote it, the newest last: how a commit whose answer was lost finds what it did */
  writes: string[];
  /** The outbox: an entry a field, named by its order ({@link entryField}), so that one update takes some out and puts one in. */
  unpublished?: Record<string, Uint8Array>;
  /** its own id, while there may be entries in the outbox: the index of what is to be published */
  due?: string;
}

/** An endpoint. A tombstone has none of the fields by which endpoints are listed, and so is in no list. */
export interface EndpointDocument extends GuardedDocument {
  filterSet: number;
  /** the record's bytes: these are answered, all else is there to find them */
  record: Uint8Array;
  metadata: MirrorEntry[];
  /** numbers of the filters that it is a member of */
  filters: number[];
  tenant?: string;
  application?: string;
  application_version?: string;
  /** Unix ms */
  created?: number;
  /** `<application>/<hash of the token>` */
  token?: string;
  /** of a tombstone, Unix ms */
  deletedAt?: number;
}

/** Of live endpoints, all of them: tombstones have no date. It is that of the earliest `Date`. */
export const LIVE: Document = { created: { $gte: -8.64e15 } };

const WRITES_KEPT = 8;
const LISTED = ['tenant', 'application', 'application_version', 'created', 'token'] as const;

/**
 * Place of an entry in its outbox. Every write advances the revision, or else the filter set, so it grows with each.
 * Exact for revisions below 2^33.
 */
export function orderOf(guard: Guard): number {
  return guard.revision * 2 ** 20 + (guard.filterSet % 2 ** 20);
}

/** What an update does to `writes`. */
export function pushOf(commitId: string): Document {
  return { writes: { $each: [commitId], $slice: -WRITES_KEPT } };
}

/** The name begins with a letter: a number could be taken for a place in an array. */
export function entryField(order: number): string {
  return `e${order}`;
}

export function orderOfField(field: string): number {
  return Number(field.slice(1));
}

export function tokenClaimOf(write: RecordWrite): string | undefined {
  if (!write.moved || isTombstone(write.record)) return undefined;
  const { application, tokenHash } = headOf(write.record);
  return tokenHash === undefined ? undefined : `${application}/${tokenHash}`;
}

export function insertOf(write: RecordWrite, commitId: string): EndpointDocument {
  const guard = guardOf(write.record);
  const gone = isTombstone(write.record);
  const document: EndpointDocument = {
    _id: write.endpointId,
    ...guard,
    ...(gone ? { deletedAt: headOf(write.record).deletedMs! } : listedFields(write)),
    record: write.record,
    metadata: gone ? [] : mirrorOf(metadataOf(write.record)),
    filters: gone ? [] : sortedNumbers(write.matched),
    writes: [commitId],
  };
  if (write.events === undefined) return document;
  const unpublished = { [entryField(orderOf(guard))]: write.events };
  return { ...document, unpublished, due: write.endpointId };
}

/**
 * @param cleared orders of published entries that this update takes out of the outbox; only of a write with events
 * @param members memberships as they were read, for a write that both adds and removes some: MongoDB can't do both to
 *   one field, so the whole is set, and must still be as it was read
 */
export function updateOf(
  write: RecordWrite,
  commitId: string,
  cleared: readonly number[],
  members?: readonly number[],
): { guard: Document; update: Document } {
  const after = guardOf(write.record);
  const guard: Document = { revision: write.expected.revision, filterSet: write.expected.filterSet };
  const set: Document = { ...after, record: write.record };
  const unset: Document = {};
  const update: Document = { $set: set, $push: pushOf(commitId) };
  if (write.events !== undefined) {
    set['due'] = write.endpointId;
    set[`unpublished.${entryField(orderOf(after))}`] = write.events;
    for (const order of cleared) unset[`unpublished.${entryField(order)}`] = '';
  }
  if (isTombstone(write.record)) {
    Object.assign(set, { deletedAt: headOf(write.record).deletedMs!, metadata: [], filters: [] });
    for (const field of LISTED) unset[field] = '';
    return { guard, update: { ...update, $unset: unset } };
  }
  // An evaluation, or another version, leaves the metadata as they were.
  if (metadataRevisionOf(write.record) > write.expected.revision)
    set['metadata'] = mirrorOf(metadataOf(write.record));
  if (write.moved) {
    const listed = listedFields(write);
    Object.assign(set, listed);
    unset['deletedAt'] = '';
    if (listed.token === undefined) unset['token'] = '';
  }
  // an empty one is refused by servers before MongoDB 5.0
  if (Object.keys(unset).length > 0) update['$unset'] = unset;
  if (members !== undefined) {
    guard['filters'] = members;
    set['filters'] = sortedNumbers([
      ...members.filter((number) => !write.unmatched.includes(number)),
      ...write.matched,
    ]);
  } else if (write.matched.length > 0) update['$addToSet'] = { filters: { $each: write.matched } };
  else if (write.unmatched.length > 0) update['$pullAll'] = { filters: write.unmatched };
  return { guard, update };
}

function listedFields(write: RecordWrite): Pick<EndpointDocument, (typeof LISTED)[number]> {
  const { tenant, application, version } = headOf(write.record);
  const token = tokenClaimOf({ ...write, moved: true });
  const fields = { tenant, application, application_version: version, created: createdOf(write.record) };
  return token === undefined ? fields : { ...fields, token };
}

function sortedNumbers(numbers: readonly number[]): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b);
}
