import { createdOf, isTombstone } from '../../model/record.js';
import {
  endsOf,
  relationSourceOf,
  type Relation,
  type RelationDirection,
  type RelationEnd,
} from '../../model/relation.js';
import type { RelationPage, RelationQuery, RelationsCommitResult, RelationsWrite } from '../port.js';
import type { Changes } from './draft.js';
import { changeEntry, CountChanges } from './list-changes.js';
import type { Outbox } from './outbox.js';
import { createPacer } from './pacer.js';
import { newestFirst } from './places.js';
import {
  bytesOfNumber,
  countIn,
  entryOf,
  isKey,
  listOf,
  numberOf,
  type Tables,
  type View,
} from './tables.js';

const DIRECTIONS = ['contains', '!contains'] as const;

/** A link is an entry in two lists: of what its `from` contains, and of what its `to` is contained in. */
export function commitRelations(
  changes: Changes,
  outbox: Outbox,
  { tenant, expectedRevision, link, unlink, events }: RelationsWrite,
): RelationsCommitResult {
  if (numberOf(changes.get('relationRevisions', tenant)) !== expectedRevision) return { kind: 'conflict' };
  const counts = new CountChanges();
  for (const direction of DIRECTIONS) {
    for (const [relations, by] of [[unlink, -1] as const, [link, 1] as const])
      for (const relation of relations) {
        const { own, other } = endsOf(relation, direction);
        changeEntry(changes, counts, listOf.related(own, direction), other.createdMs, other.endpointId, by);
      }
  }
  counts.write(changes);
  changes.put('relationRevisions', tenant, bytesOfNumber(expectedRevision + 1));
  const source = relationSourceOf(tenant);
  return { kind: 'written', outbox: events.map((bytes) => outbox.add(changes, source, bytes)) };
}

export function relationsRevision(tables: Tables, view: View, tenant: string): number {
  return numberOf(tables.relationRevisions.getBinaryFast(tenant, { transaction: view }));
}

/** O(relations). */
export function findLinked(tables: Tables, view: View, relations: readonly Relation[]): boolean[] {
  return relations.map(({ from, to }) => {
    const key = entryOf(listOf.related(from, 'contains'), to.createdMs, to.endpointId);
    return tables.lists.getBinaryFast(key, { transaction: view }) !== undefined;
  });
}

/** O(ends + links found). */
export async function findRelated(
  tables: Tables,
  view: View,
  ends: readonly RelationEnd[],
  direction: RelationDirection,
  limit: number,
): Promise<{ relations: Relation[]; more: boolean }> {
  const pacer = createPacer();
  const relations: Relation[] = [];
  for (const own of ends) {
    for (const other of newestFirst(tables, view, listOf.related(own, direction))) {
      if (pacer.isDue()) await pacer.pause();
      if (relations.length === limit) return { relations, more: true };
      relations.push(direction === 'contains' ? { from: own, to: other } : { from: other, to: own });
    }
  }
  return { relations, more: false };
}

/** O(log n + page), and the offset. */
export async function findRelations(
  tables: Tables,
  view: View,
  { end, direction, offset, limit, after }: RelationQuery,
): Promise<RelationPage> {
  const pacer = createPacer();
  const list = listOf.related(end, direction);
  const page: RelationPage = { ends: [], total: countIn(tables, list, view) };
  for (const other of newestFirst(tables, view, list, after, after === undefined ? offset : 0)) {
    if (pacer.isDue()) await pacer.pause();
    if (page.ends.length === limit) {
      const last = page.ends.at(-1);
      if (last !== undefined) page.next = last;
      break;
    }
    page.ends.push(other);
  }
  return page;
}

export function registeredAt(tables: Tables, view: View, ids: readonly string[]): (number | undefined)[] {
  return ids.map((id) => {
    const record = isKey(id) ? tables.records.getBinaryFast(id, { transaction: view }) : undefined;
    return record === undefined || isTombstone(record) ? undefined : createdOf(record);
  });
}
