import { awaited, type Catalogue } from '../model/catalogue.js';
import { refuse } from '../model/errors.js';
import type { JsonObject } from '../model/json.js';
import { type Answer, ok } from '../model/outcome.js';
import { createdOf, headOf, isTombstone, metadataOf } from '../model/record.js';
import { endKeyOf, type RelationEnd } from '../model/relation.js';
import type { Store } from '../storage/index.js';
import type { Relations } from './relation-types.js';

/** Containers that one reading looks through, however far: beyond it the reading is refused, not cut short. */
export const MAX_CONTAINERS = 1000;
const LOADED_AT_ONCE = 100;

/**
 * See {@link Relations.inherited}. Goes up level by level, and no further than it must: O(containers up to the last key
 * that is found), each level two reads.
 */
export async function inheritedMetadata(
  deps: { store: Store; catalogue: () => Catalogue },
  record: Uint8Array,
  { keys, readable }: Parameters<Relations['inherited']>[1],
): Promise<Answer<JsonObject>> {
  const { endpointId, tenant, application } = headOf(record);
  const catalogue = deps.catalogue();
  const unknown = awaited(catalogue);
  if (unknown !== undefined) return unknown;
  if (catalogue.known.application(application)?.metadataInheritance !== true) return ok({});
  const own = metadataOf(record);
  const wanted = keys && new Set(keys.filter((key) => !Object.hasOwn(own, key)));
  const inherited = new Map<string, JsonObject[string]>();
  const isDone = () => wanted !== undefined && inherited.size === wanted.size;
  const start = { endpointId, createdMs: createdOf(record) };
  const seen = new Set([endKeyOf(start)]);
  let level: RelationEnd[] = [start];
  while (level.length > 0 && !isDone()) {
    const left = MAX_CONTAINERS - (seen.size - 1);
    const above = await containersOf(deps.store, tenant, level, seen, left);
    if (above === undefined) {
      return refuse(
        'too-many-containers',
        `"${endpointId}" has more than ${MAX_CONTAINERS} containers, direct or not; ask for its own metadata, or for keys that near ones have.`,
      );
    }
    level = [];
    for (let at = 0; at < above.length && !isDone(); at += LOADED_AT_ONCE) {
      const some = above.slice(at, at + LOADED_AT_ONCE);
      const ids = some.map((end) => end.endpointId);
      const [records, granted] = await Promise.all([deps.store.load(ids), readable(ids)]);
      records.forEach((container, i) => {
        const end = some[i]!;
        if (container === undefined || isTombstone(container) || createdOf(container) !== end.createdMs)
          return;
        level.push(end);
        if (granted[i] !== true) return;
        for (const [key, value] of Object.entries(metadataOf(container))) {
          if (Object.hasOwn(own, key) || inherited.has(key) || wanted?.has(key) === false) continue;
          inherited.set(key, value);
        }
      });
    }
  }
  return ok(Object.fromEntries(inherited));
}

/** The next level, by id; undefined when it goes beyond what is left. */
async function containersOf(
  store: Store,
  tenant: string,
  level: readonly RelationEnd[],
  seen: Set<string>,
  left: number,
): Promise<RelationEnd[] | undefined> {
  // links among containers that were seen count too, so that one reading is bounded
  const { relations, more } = await store.related(tenant, level, '!contains', MAX_CONTAINERS * 10);
  if (more) return undefined;
  const above = new Map(
    relations.flatMap(({ from }) => (seen.has(endKeyOf(from)) ? [] : [[endKeyOf(from), from]])),
  );
  if (above.size > left) return undefined;
  for (const key of above.keys()) seen.add(key);
  return [...above.values()].sort((a, b) => (a.endpointId < b.endpointId ? -1 : 1));
}
