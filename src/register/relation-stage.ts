import { endKeyOf, relationKeyOf, type Relation, type RelationEnd } from '../model/relation.js';
import type { Store } from '../storage/index.js';

/** So many links upward are looked through for a cycle; it bounds the memory of one look. */
export const MAX_ANCESTRY = 100_000;
const ENDS_AT_ONCE = 500;

/** What a round of changes makes of a tenant's relations, on top of what is stored, before it is written. */
export class RelationStage {
  /** containers of an end, by the end's key */
  readonly #containers = new Map<string, Map<string, RelationEnd>>();
  readonly #changes = new Map<string, { relation: Relation; linked: boolean }>();
  readonly #done: { relation: Relation; before: boolean | undefined }[] = [];

  /** @param stored by relation key: whether it is there; what is not named is not */
  constructor(private readonly stored: ReadonlyMap<string, boolean>) {}

  isLinked(relation: Relation): boolean {
    const key = relationKeyOf(relation);
    return this.#changes.get(key)?.linked ?? this.stored.get(key) ?? false;
  }

  set(relation: Relation, linked: boolean): void {
    this.#done.push({ relation, before: this.#changes.get(relationKeyOf(relation))?.linked });
    this.#changes.set(relationKeyOf(relation), { relation, linked });
    this.#draw(relation, linked);
  }

  /** A place to go back to by {@link undo}. */
  get mark(): number {
    return this.#done.length;
  }

  undo(mark: number): void {
    while (this.#done.length > mark) {
      const { relation, before } = this.#done.pop()!;
      const key = relationKeyOf(relation);
      if (before === undefined) this.#changes.delete(key);
      else this.#changes.set(key, { relation, linked: before });
      this.#draw(relation, this.isLinked(relation));
    }
  }

  /** What differs from what is stored. */
  changes(): { link: Relation[]; unlink: Relation[] } {
    const link: Relation[] = [];
    const unlink: Relation[] = [];
    for (const [key, { relation, linked }] of this.#changes)
      if (linked !== (this.stored.get(key) ?? false)) (linked ? link : unlink).push(relation);
    return { link, unlink };
  }

  /** A stored link. */
  know(relation: Relation): void {
    if (this.#changes.get(relationKeyOf(relation))?.linked !== false) this.#draw(relation, true);
  }

  /**
   * The way from an end up to one that contains it, both included; undefined when there is none. As far as the links are
   * known here: see {@link learnAncestry}.
   */
  wayUp(from: RelationEnd, to: RelationEnd): RelationEnd[] | undefined {
    const target = endKeyOf(to);
    const cameFrom = new Map<string, { end: RelationEnd; below: string | undefined }>();
    const line: RelationEnd[] = [from];
    cameFrom.set(endKeyOf(from), { end: from, below: undefined });
    for (const end of line) {
      const key = endKeyOf(end);
      if (key === target) return wayTo(key, cameFrom);
      for (const [above, container] of this.#containers.get(key) ?? []) {
        if (cameFrom.has(above)) continue;
        cameFrom.set(above, { end: container, below: key });
        line.push(container);
      }
    }
    return undefined;
  }

  #draw({ from, to }: Relation, linked: boolean): void {
    const key = endKeyOf(to);
    let containers = this.#containers.get(key);
    if (containers === undefined) this.#containers.set(key, (containers = new Map<string, RelationEnd>()));
    if (linked) containers.set(endKeyOf(from), from);
    else containers.delete(endKeyOf(from));
  }
}

function wayTo(
  top: string,
  cameFrom: ReadonlyMap<string, { end: RelationEnd; below: string | undefined }>,
): RelationEnd[] {
  const way: RelationEnd[] = [];
  for (let key: string | undefined = top; key !== undefined; key = cameFrom.get(key)!.below)
    way.unshift(cameFrom.get(key)!.end);
  return way;
}

/**
 * Makes a stage know all that contains these ends, directly or not, breadth-first by batched reads. False when that is
 * more than is looked through. O(links upward).
 */
export async function learnAncestry(
  store: Pick<Store, 'related'>,
  tenant: string,
  stage: RelationStage,
  ends: readonly RelationEnd[],
): Promise<boolean> {
  let budget = MAX_ANCESTRY;
  const seen = new Set(ends.map(endKeyOf));
  let frontier = ends;
  while (frontier.length > 0) {
    const next: RelationEnd[] = [];
    for (let at = 0; at < frontier.length; at += ENDS_AT_ONCE) {
      const some = frontier.slice(at, at + ENDS_AT_ONCE);
      const { relations, more } = await store.related(tenant, some, '!contains', budget);
      if (more) return false;
      budget -= relations.length;
      for (const relation of relations) {
        stage.know(relation);
        const key = endKeyOf(relation.from);
        if (seen.has(key)) continue;
        seen.add(key);
        next.push(relation.from);
      }
    }
    frontier = next;
  }
  return true;
}
