import { bufferOf } from '../../model/bytes.js';
import {
  ABSENT,
  createdOf,
  guardOf,
  headOf,
  isTombstone,
  metadataBytesOf,
  metadataOf,
  type RecordHead,
} from '../../model/record.js';
import type { MetadataDiff } from '../../model/diff.js';
import type { JsonObject } from '../../model/json.js';
import type { CommitResult, RecordWrite } from '../port.js';
import type { Changes } from './draft.js';
import { MovesOfCommit } from './filter-moves.js';
import type { Indexed } from './values/maintain.js';
import type { ValueIndexes } from './values/indexes.js';
import { KeyCountChanges } from './key-counts.js';
import { changeEntry, CountChanges } from './list-changes.js';
import type { Mover } from './mover.js';
import type { Outbox } from './outbox.js';
import {
  ALL,
  bytesOfNumber,
  bytesOfNumbers,
  idsOf,
  listOf,
  numbersOf,
  tenantApplication,
  type List,
} from './tables.js';

/** Where a live record stands. */
interface Standing {
  head: RecordHead;
  createdMs: number;
}

/** What a batch changes beside records and lists. */
interface Tallies {
  counts: CountChanges;
  moves: MovesOfCommit;
  keyCounts: KeyCountChanges;
  indexes: ValueIndexes;
}

/** Plans what of a batch may be written. An update that changes no list: one read, a put of the record, one of its events. */
export function commitRecords(
  changes: Changes,
  outbox: Outbox,
  indexes: ValueIndexes,
  mover: Mover,
  writes: readonly RecordWrite[],
): { results: CommitResult[]; moves: number } {
  const moves = new MovesOfCommit();
  const tallies: Tallies = { counts: new CountChanges(), moves, keyCounts: new KeyCountChanges(), indexes };
  const results = writes.map((write) => commitRecord(changes, outbox, tallies, write));
  tallies.counts.write(changes);
  tallies.keyCounts.write(changes);
  mover.add(changes, moves);
  return { results, moves: moves.count };
}

function commitRecord(
  changes: Changes,
  outbox: Outbox,
  { counts, moves, keyCounts, indexes }: Tallies,
  write: RecordWrite,
): CommitResult {
  const { endpointId: id, expected, record, keys } = write;
  // Valid until the next read: all that is needed of it is taken out before that.
  const stored = changes.get('records', id);
  const { revision, filterSet } = stored === undefined ? ABSENT : guardOf(stored);
  if (revision !== expected.revision || filterSet !== expected.filterSet) return { kind: 'conflict' };

  if (keys && stored && indexes.any) followKeys(indexes, changes, id, stored, record, keys);
  const change = write.moved ? versionChange(stored, record) : undefined;
  if (change !== undefined) {
    const { old, next, names } = change;
    if (write.matched.length + write.unmatched.length > 0) moveMemberships(changes, moves, write, old, next);
    for (const [{ head, createdMs }, by] of [[old, -1] as const, [next, 1] as const]) {
      changeEntry(changes, counts, listOf.version(head.application, head.version), createdMs, id, by);
      keyCounts.add(head.application, head.version, names, by);
    }
  } else if (write.moved) {
    const oldTombstoneMs = stored && isTombstone(stored) ? headOf(stored).deletedMs : undefined;
    const old = stored && oldTombstoneMs === undefined ? standingOf(stored) : undefined;
    const next = isTombstone(record) ? undefined : standingOf(record);
    const before = old && { createdMs: old.createdMs, metadata: metadataIn(stored!) };
    const after = next && { createdMs: next.createdMs, metadata: metadataIn(record) };
    if (!moveToken(changes, id, old, next)) return { kind: 'token-taken' };
    if (oldTombstoneMs !== undefined) changes.remove('tombstones', [oldTombstoneMs, id]);
    moveMemberships(changes, moves, write, old, next);
    moveBetweenLists(changes, counts, id, old, next);
    if (old) countKeys(keyCounts, old.head, before!, -1);
    if (next) countKeys(keyCounts, next.head, after!, 1);
    if (indexes.any) followMove(indexes, changes, id, old?.head, before, next?.head, after);
    if (next === undefined) {
      const deletedMs = headOf(record).deletedMs ?? 0;
      // With it goes the newest order that its events can have: it is kept until they are published.
      changes.put('tombstones', [deletedMs, id], bytesOfNumber(outbox.last() + 1));
    }
  } else if (write.matched.length > 0 || write.unmatched.length > 0) {
    const standing = standingOf(record);
    moveMemberships(changes, moves, write, standing, standing);
  }
  if (keys !== undefined && keys.added.length + keys.removed.length > 0) {
    const { application, version } = headOf(record);
    keyCounts.add(application, version, keys.added, 1);
    keyCounts.add(application, version, keys.removed, -1);
  }
  changes.put('records', id, record);
  return write.events === undefined
    ? { kind: 'written' }
    : { kind: 'written', outbox: outbox.add(changes, id, write.events) };
}

function standingOf(record: Uint8Array): Standing {
  return { head: headOf(record), createdMs: createdOf(record) };
}

/**
 * A live record that gets another version and is otherwise as it was, the usual move: its metadata is read once, for the
 * names of its keys, its token stays, and no index of values changes.
 */
function versionChange(
  stored: Buffer | undefined,
  record: Uint8Array,
): { old: Standing; next: Standing; names: string[] } | undefined {
  if (stored === undefined || isTombstone(stored) || isTombstone(record)) return undefined;
  const metadata = bufferOf(metadataBytesOf(record));
  if (!metadata.equals(metadataBytesOf(stored.subarray(0, stored.length)))) return undefined;
  const [old, next] = [standingOf(stored), standingOf(record)];
  const isSame = (name: 'tenant' | 'application' | 'tokenHash') => old.head[name] === next.head[name];
  if (old.createdMs !== next.createdMs) return undefined;
  if (!isSame('tenant') || !isSame('application') || !isSame('tokenHash')) return undefined;
  return { old, next, names: Object.keys(metadataOf(record)) };
}

/** @param record maybe in LMDB's buffer, which is longer than it */
function metadataIn(record: Uint8Array): JsonObject {
  return metadataOf(record.subarray(0, record.length));
}

function countKeys(
  keyCounts: KeyCountChanges,
  { application, version }: RecordHead,
  { metadata }: Indexed,
  by: number,
): void {
  keyCounts.add(application, version, Object.keys(metadata), by);
}

/** Another version changes nothing; another application, all. */
function followMove(
  indexes: ValueIndexes,
  changes: Changes,
  id: string,
  oldHead: RecordHead | undefined,
  old: Indexed | undefined,
  head: RecordHead | undefined,
  next: Indexed | undefined,
): void {
  if (oldHead?.application === head?.application) {
    if (head) indexes.follow(changes, head.application, id, old, next);
    return;
  }
  if (oldHead) indexes.follow(changes, oldHead.application, id, old, undefined);
  if (head) indexes.follow(changes, head.application, id, undefined, next);
}

function followKeys(
  indexes: ValueIndexes,
  changes: Changes,
  id: string,
  stored: Uint8Array,
  record: Uint8Array,
  { added, updated, removed }: MetadataDiff,
): void {
  const keys = updated.concat(added, removed);
  if (!indexes.concern(keys)) return;
  const old = { createdMs: createdOf(stored), metadata: metadataIn(stored) };
  const next = { createdMs: createdOf(record), metadata: metadataIn(record) };
  indexes.follow(changes, headOf(record).application, id, old, next, keys);
}

/** False when another endpoint has the token that `next` claims; then nothing was changed. */
function moveToken(
  changes: Changes,
  id: string,
  old: Standing | undefined,
  next: Standing | undefined,
): boolean {
  const [before, after] = [tokenKey(old), tokenKey(next)];
  if (before?.join('\n') === after?.join('\n')) return true;
  if (after) {
    const holder = changes.get('tokens', after);
    if (holder !== undefined && holder.toString('utf8', 0, holder.length) !== id) return false;
    changes.put('tokens', after, Buffer.from(id));
  }
  if (before) changes.remove('tokens', before);
  return true;
}

function tokenKey(standing: Standing | undefined): string[] | undefined {
  const { application, tokenHash } = standing?.head ?? {};
  return application === undefined || tokenHash === undefined ? undefined : [application, tokenHash];
}

function moveMemberships(
  changes: Changes,
  moves: MovesOfCommit,
  write: RecordWrite,
  old: Standing | undefined,
  next: Standing | undefined,
): void {
  const id = write.endpointId;
  const before = numbersOf(changes.get('memberships', id));
  const kept = next === undefined ? [] : before.filter((number) => !write.unmatched.includes(number));
  const after = next === undefined ? kept : [...new Set([...kept, ...write.matched])].sort((a, b) => a - b);
  const stays = old?.createdMs === next?.createdMs && old?.head.application === next?.head.application;
  const left = stays ? before.filter((number) => !after.includes(number)) : before;
  const entered = stays ? after.filter((number) => !before.includes(number)) : after;
  if (old) moves.add(old.head.application, { createdMs: old.createdMs, endpointId: id }, [], left);
  if (next) moves.add(next.head.application, { createdMs: next.createdMs, endpointId: id }, entered, []);
  if (after.length === 0 && before.length > 0) changes.remove('memberships', id);
  else if (after.length !== before.length || after.some((number, i) => number !== before[i])) {
    changes.put('memberships', id, bytesOfNumbers(after));
  }
}

function moveBetweenLists(
  changes: Changes,
  counts: CountChanges,
  id: string,
  old: Standing | undefined,
  next: Standing | undefined,
): void {
  const [before, after] = [listsOf(old), listsOf(next)];
  before.forEach((list, i) => {
    if (!isSamePlace(list, after[i], old, next)) changeEntry(changes, counts, list, old!.createdMs, id, -1);
  });
  after.forEach((list, i) => {
    if (!isSamePlace(list, before[i], old, next)) changeEntry(changes, counts, list, next!.createdMs, id, 1);
  });
  moveId(changes, id, old, next);
  if (old) counts.add(tenantApplication(old.head.tenant, old.head.application), -1);
  if (next) counts.add(tenantApplication(next.head.tenant, next.head.application), 1);
}

function moveId(changes: Changes, id: string, old: Standing | undefined, next: Standing | undefined): void {
  const isSame = old?.createdMs === next?.createdMs && old?.head.application === next?.head.application;
  if (isSame) return;
  if (old) changes.remove('lists', [...idsOf(old.head.application), id]);
  if (next) changes.put('lists', [...idsOf(next.head.application), id], bytesOfNumber(next.createdMs));
}

function isSamePlace(
  list: List,
  other: List | undefined,
  old: Standing | undefined,
  next: Standing | undefined,
): boolean {
  if (other === undefined || old?.createdMs !== next?.createdMs) return false;
  return list.length === other.length && list.every((part, i) => part === other[i]);
}

function listsOf(standing: Standing | undefined): List[] {
  if (standing === undefined) return [];
  const { tenant, application, version } = standing.head;
  return [ALL, listOf.tenant(tenant), listOf.application(application), listOf.version(application, version)];
}
