import { type ErrorCode, type FaultDetail, type Refusal, refuse } from '../model/errors.js';
import { createdOf, headOf, isTombstone } from '../model/record.js';
import type { Relation, RelationEnd } from '../model/relation.js';
import type { RelationStage } from './relation-stage.js';
import type { RegistrationRelation, RelationItem, RelationStatus } from './relation-types.js';

/** What events say of a change's cause. */
export interface Cause {
  correlationId: string;
  timestampMs: number;
}

/** One wished change of a tenant's relations. */
export type RelationWish =
  | { kind: 'link' | 'unlink'; items: readonly RelationItem[]; cause: Cause }
  /** links of an endpoint that is about to be registered; nobody sees them before it is */
  | {
      kind: 'attach';
      end: RelationEnd;
      relations: readonly RegistrationRelation[];
      /** of the registration: when there is an endpoint of it already, all is done */
      task: string | undefined;
    }
  /** takes such links back */
  | { kind: 'detach'; relations: readonly Relation[] }
  /** all links of an end that is no endpoint any more; `application` is the one that it had */
  | { kind: 'drop'; end: RelationEnd; application: string; cause: Cause };

/** What became of a wish. */
export interface RelationChange {
  /** of link and unlink, in the order of the items */
  statuses: RelationStatus[];
  /** what is linked, or is not any more, by this wish */
  changed: Relation[];
}

/** A live endpoint of the tenant. */
export interface LiveEnd {
  end: RelationEnd;
  application: string;
  /** that registered it */
  task: string | undefined;
}

/** What wishes are decided on. */
export interface WishView {
  stage: RelationStage;
  /** by endpoint id; what is not in it is no endpoint of the tenant */
  live: ReadonlyMap<string, LiveEnd>;
  /** Told of ends by whose links something is refused: they may be dead. */
  suspect: (ends: readonly RelationEnd[]) => void;
}

/** `undefined`: a tombstone, or an endpoint of another tenant. */
export function liveEndOf(record: Uint8Array | undefined, tenant: string): LiveEnd | undefined {
  if (record === undefined || isTombstone(record)) return undefined;
  const { endpointId, application, task, tenant: own } = headOf(record);
  return own === tenant
    ? { end: { endpointId, createdMs: createdOf(record) }, application, task }
    : undefined;
}

/** Ids of the endpoints that a wish names. */
export function namedBy(wish: RelationWish): string[] {
  if (wish.kind === 'link' || wish.kind === 'unlink') return wish.items.flatMap(({ from, to }) => [from, to]);
  if (wish.kind === 'attach')
    return [wish.end.endpointId, ...wish.relations.map(({ from, to }) => from ?? to)];
  return [];
}

/** Relations of which a wish must know whether they are there. */
export function relationsOf(wish: RelationWish, live: WishView['live']): Relation[] {
  if (wish.kind === 'detach') return [...wish.relations];
  if (wish.kind === 'drop') return [];
  const items: readonly (readonly [RelationEnd | undefined, RelationEnd | undefined])[] =
    wish.kind === 'attach'
      ? wish.relations.map(({ from, to }) =>
          from === undefined ? [wish.end, live.get(to)?.end] : [live.get(from)?.end, wish.end],
        )
      : wish.items.map(({ from, to }) => [live.get(from)?.end, live.get(to)?.end]);
  return items.flatMap(([from, to]) => (from && to ? [{ from, to }] : []));
}

/** Ends from which a cycle could go up. */
export function startsOf(wish: RelationWish, view: WishView): RelationEnd[] {
  if (wish.kind === 'attach') {
    // without contents it is the foot of every way up
    if (wish.relations.every(({ to }) => to === undefined)) return [];
  } else if (wish.kind !== 'link') return [];
  return relationsOf(wish, view.live)
    .filter((relation) => !view.stage.isLinked(relation))
    .map(({ from }) => from);
}

/** Decides a wish on what the wishes before it made, and makes its own part of that; a refused one leaves no trace. */
export function decideWish(
  view: WishView,
  wish: Exclude<RelationWish, { kind: 'drop' }>,
): RelationChange | Refusal {
  const mark = view.stage.mark;
  const decision = new Decision(view);
  if (wish.kind === 'attach') decision.attach(wish);
  else if (wish.kind === 'detach') wish.relations.forEach((relation) => decision.unlink(relation));
  else wish.items.forEach((item, i) => decision.item(wish.kind, item, `/${i}`));
  const refusal = decision.refusal();
  if (refusal === undefined) return decision;
  view.stage.undo(mark);
  return refusal;
}

class Decision implements RelationChange {
  readonly statuses: RelationStatus[] = [];
  readonly changed: Relation[] = [];
  readonly #faults: { code: ErrorCode; detail: FaultDetail }[] = [];

  constructor(private readonly view: WishView) {}

  item(kind: 'link' | 'unlink', { from, to }: RelationItem, path: string): void {
    const [container, content] = [this.#live(from, `${path}/from`), this.#live(to, `${path}/to`)];
    if (container === undefined || content === undefined) return;
    if (from === to) return this.#itself(from, path);
    const relation = { from: container, to: content };
    if (kind === 'link') this.#link(relation, path);
    else this.unlink(relation);
  }

  attach({ end, relations, task }: Extract<RelationWish, { kind: 'attach' }>): void {
    const { endpointId } = end;
    const there = this.view.live.get(endpointId);
    if (there !== undefined) {
      if (task === undefined || there.task !== task) this.#exists(endpointId, 'is registered already');
      return;
    }
    const seen = new Set<string>();
    relations.forEach(({ from, to }, i) => {
      const path = `/relations/${i}/${from === undefined ? 'to' : 'from'}`;
      const named = from ?? to;
      if (named === endpointId) return this.#itself(endpointId, path);
      const other = this.#live(named, path);
      const key = `${path.endsWith('to')}/${named}`;
      if (other === undefined || seen.has(key)) return;
      seen.add(key);
      const relation = from === undefined ? { from: end, to: other } : { from: other, to: end };
      // of this very millisecond: what becomes of that one is not known here
      if (this.view.stage.isLinked(relation)) this.#exists(endpointId, 'is being registered already');
      else this.#link(relation, path);
    });
  }

  unlink(relation: Relation): void {
    const linked = this.view.stage.isLinked(relation);
    this.statuses.push(linked ? 'unlinked' : 'not-linked');
    if (linked) this.#set(relation, false);
  }

  refusal(): Refusal | undefined {
    const [first] = this.#faults;
    if (first === undefined) return undefined;
    const details = this.#faults.flatMap(({ detail }) => (detail.path === '' ? [] : [detail]));
    return refuse(first.code, `${first.detail.message} Nothing was changed.`, details);
  }

  #link(relation: Relation, path: string): void {
    const { stage } = this.view;
    if (stage.isLinked(relation)) return void this.statuses.push('already-linked');
    const way = stage.wayUp(relation.from, relation.to);
    if (way !== undefined) {
      this.view.suspect(way);
      return this.#fault('relation-cycle', path, cycleText(way.map(({ endpointId }) => endpointId)));
    }
    this.statuses.push('linked');
    this.#set(relation, true);
  }

  #set(relation: Relation, linked: boolean): void {
    this.view.stage.set(relation, linked);
    this.changed.push(relation);
  }

  #live(endpointId: string, path: string): RelationEnd | undefined {
    const end = this.view.live.get(endpointId)?.end;
    if (end === undefined)
      this.#fault('endpoint-not-found', path, `The endpoint "${endpointId}" is not registered.`);
    return end;
  }

  #itself(endpointId: string, path: string): void {
    this.#fault('relation-to-itself', path, `The endpoint "${endpointId}" can not contain itself.`);
  }

  #exists(endpointId: string, how: string): void {
    this.#fault('endpoint-exists', '', `The endpoint "${endpointId}" ${how}.`);
  }

  #fault(code: ErrorCode, path: string, message: string): void {
    this.#faults.push({ code, detail: { path, message } });
  }
}

const SHOWN = 8;

/** @param way from the wished container up to its wished content */
function cycleText(way: readonly string[]): string {
  const chain = way.toReversed().map((id) => `"${id}"`);
  const shown = chain.length <= SHOWN ? chain : [...chain.slice(0, SHOWN - 2), '...', chain.at(-1)];
  return `"${way[0]}" can not contain "${way.at(-1)}", which contains it: ${shown.join(' > ')}.`;
}
