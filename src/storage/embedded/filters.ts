import { createHash } from 'node:crypto';
import { newestVersionOf, type SavedFilter } from '../../model/filter.js';
import { createdOf, headOf } from '../../model/record.js';
import type { FilterCommitResult, FilterWrite, PagePlace } from '../port.js';
import type { Changes } from './draft.js';
import { MovesOfCommit } from './filter-moves.js';
import type { Mover } from './mover.js';
import type { Outbox } from './outbox.js';
import { bytesOfNumber, bytesOfNumbers, numbersOf, type Tables } from './tables.js';

function parse(bytes: Buffer | undefined): SavedFilter | undefined {
  return bytes === undefined
    ? undefined
    : (JSON.parse(bytes.toString('utf8', 0, bytes.length)) as SavedFilter);
}

/** A name may be longer than a key. */
function nameKey({ application, name }: SavedFilter): string[] {
  return [application, createHash('sha256').update(name).digest('base64')];
}

export function allFilters(tables: Tables): SavedFilter[] {
  return Array.from(tables.filters.getRange({}), ({ value }) => parse(value)!);
}

/** The name that no other filter of the application may have, because of this one. */
function heldName(filter: SavedFilter | undefined): string | undefined {
  return filter?.deletedMs === undefined ? filter?.name : undefined;
}

/** Inside of a write transaction. */
export function commitFilters(
  tables: Tables,
  changes: Changes,
  outbox: Outbox,
  writes: readonly FilterWrite[],
): FilterCommitResult[] {
  return writes.map(({ filter, expectedRevision, events }) => {
    const key = [filter.application, filter.id];
    const old = parse(tables.filters.getBinary(key));
    if ((old?.revision ?? 0) !== expectedRevision) return { kind: 'conflict' };
    if (heldName(old) !== heldName(filter)) {
      if (filter.deletedMs === undefined) {
        const name = nameKey(filter);
        const holder = tables.filterNames.getBinary(name)?.toString();
        if (holder !== undefined && holder !== filter.id) return { kind: 'name-taken' };
        tables.filterNames.put(name, Buffer.from(filter.id));
      }
      if (old !== undefined && old.deletedMs === undefined) releaseName(tables, old);
    }
    tables.filters.put(key, Buffer.from(JSON.stringify(filter)));
    raiseVersion(tables, filter);
    return events === undefined
      ? { kind: 'written' }
      : { kind: 'written', outbox: outbox.add(changes, filter.id, events) };
  });
}

/** Inside of a write transaction. */
export function removeFilter(tables: Tables, application: string, id: string): void {
  const old = parse(tables.filters.getBinary([application, id]));
  if (!old) return;
  releaseName(tables, old);
  tables.filters.remove([application, id]);
}

function releaseName(tables: Tables, filter: SavedFilter): void {
  const key = nameKey(filter);
  if (tables.filterNames.getBinary(key)?.toString() === filter.id) tables.filterNames.remove(key);
}

function raiseVersion(tables: Tables, filter: SavedFilter): void {
  const { application } = filter;
  const version = newestVersionOf(filter);
  const newest = tables.filterNumbers.getBinary(application)?.readDoubleLE(0) ?? 0;
  if (version > newest) tables.filterNumbers.put(application, bytesOfNumber(version));
}

export function filterSetVersions(tables: Tables): Map<string, number> {
  return new Map(
    Array.from(tables.filterNumbers.getRange({}), ({ key, value }) => [key as string, value.readDoubleLE(0)]),
  );
}

/**
 * Plans that endpoints cease to be members under a number, those of `places` that are. Answers how many that are.
 */
export function dropMembers(
  changes: Changes,
  mover: Mover,
  application: string,
  filterNumber: number,
  places: readonly PagePlace[],
): number {
  const moves = new MovesOfCommit();
  for (const { createdMs, endpointId } of places) {
    const members = numbersOf(changes.get('memberships', endpointId));
    if (!members.includes(filterNumber)) continue;
    const record = changes.get('records', endpointId)!;
    // registered anew meanwhile
    if (createdOf(record) !== createdMs || headOf(record).application !== application) continue;
    const left = members.filter((number) => number !== filterNumber);
    if (left.length === 0) changes.remove('memberships', endpointId);
    else changes.put('memberships', endpointId, bytesOfNumbers(left));
    moves.add(application, { createdMs, endpointId }, [], [filterNumber]);
  }
  mover.add(changes, moves);
  return moves.count;
}
