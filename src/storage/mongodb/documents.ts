import type { Document } from 'mongodb';
import { headOf, createdOf, guardOf, isTombstone, metadataOf, type Guard } from '../../model/record.js';
import type { RecordWrite } from '../port.js';
import { mirrorOf, type MirrorEntry } from './mirror.js';

export interface OutboxItem {
  order: number;
  events: Uint8Array;
}

/** What {@link commitGuarded} and the outbox need of a document. */
export interface GuardedDocument {
  _id: string;
  revision: number;
  /** ids of the last commits that wrote it, the newest last: how a commit whose answer was lost finds what it did */
  writes: string[];
  /** oldest first */
  outbox?: OutboxItem[];
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

const WRITES_KEPT = 8;
const LISTED = ['tenant', 'application', 'application_version', 'created', 'token'] as const;

/**
 * Place of an entry in its outbox. Every write advances the revision, or else the filter set, so it grows with each.
 * Exact for revisions below 2^33.
 */
export function orderOf(guard: Guard): number {
  return guard.revision * 2 ** 20 + (guard.filterSet % 2 ** 20);
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
  return { ...document, outbox: [{ order: orderOf(guard), events: write.events }], due: write.endpointId };
}

/**
 * @param members memberships as they were read, for a write that both adds and removes some: MongoDB can't do both to
 *   one field, so the whole is set, and must still be as it was read
 */
export function updateOf(
  write: RecordWrite,
  commitId: string,
  members?: readonly number[],
): { guard: Document; update: Document } {
  const after = guardOf(write.record);
  const guard: Document = { revision: write.expected.revision, filterSet: write.expected.filterSet };
  const set: Document = { ...after, record: write.record };
  const push: Document = { writes: { $each: [commitId], $slice: -WRITES_KEPT } };
  const update: Document = { $set: set, $push: push };
  if (write.events !== undefined) {
    set['due'] = write.endpointId;
    push['outbox'] = { order: orderOf(after), events: write.events };
  }
  if (isTombstone(write.record)) {
    Object.assign(set, { deletedAt: headOf(write.record).deletedMs!, metadata: [], filters: [] });
    update['$unset'] = Object.fromEntries(LISTED.map((field) => [field, '']));
    return { guard, update };
  }
  // An evaluation leaves the revision and the metadata as they were.
  if (write.moved || after.revision !== write.expected.revision)
    set['metadata'] = mirrorOf(metadataOf(write.record));
  if (write.moved) {
    const listed = listedFields(write);
    Object.assign(set, listed);
    update['$unset'] = listed.token === undefined ? { deletedAt: '', token: '' } : { deletedAt: '' };
  }
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
