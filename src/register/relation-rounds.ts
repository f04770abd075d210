import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { refuse } from '../model/errors.js';
import { type Answer, ok, retry } from '../model/outcome.js';
import { createdOf, headOf, isTombstone } from '../model/record.js';
import { endKeyOf, relationKeyOf, type RelationEnd } from '../model/relation.js';
import type { OutboxEntry, Store } from '../storage/index.js';
import { retryFor } from './retry-for.js';
import { changeDrafts, dropDrafts, encodeDrafts, type EventDraft } from './relation-events.js';
import { learnAncestry, MAX_ANCESTRY, RelationStage } from './relation-stage.js';
import {
  decideWish,
  liveEndOf,
  namedBy,
  relationsOf,
  startsOf,
  type LiveEnd,
  type RelationChange,
  type RelationWish,
} from './relation-wishes.js';

/**
 * Changes of relations, a tenant's one after the other. What waits while one is under way is the next round: decided in
 * order on what is read once for all, and written at once.
 */
export interface RelationRounds {
  /** Answers when it is durable. Never rejects. */
  change(tenant: string, wish: RelationWish): Promise<Answer<RelationChange>>;
  /** wishes that wait or are under way */
  readonly load: number;
  /** Refuses new wishes, and resolves when all under way are answered. */
  stop(): Promise<void>;
}

export interface RelationRoundsDeps {
  store: Store;
  queueLimit: () => number;
  committed: (entries: readonly OutboxEntry[]) => void;
  /** called when it is not known what a commit came to */
  doubt: () => void;
  now: () => number;
  log: Logger;
}

interface Waiting {
  wish: RelationWish;
  resolve: (answer: Answer<RelationChange>) => void;
}

/** Bounds what a round reads and writes; on MongoDB a change is one document for a moment. */
const MAX_ITEMS = 5000;
/** Links dropped in one round, in each direction; an end that has more takes several. */
const MAX_DROPPED = 2000;
/** Another replica was first so often: given back to the callers. */
const MAX_ATTEMPTS = 50;
/** No registration is under way so long: links of an end that is older and not registered are a crash's. */
const ABANDONED_MS = 60 * 60 * 1000;
const NOTHING: RelationChange = { statuses: [], changed: [] };

/** Whether an end can not be an endpoint any more, nor become one. */
export function isDead(end: RelationEnd, record: Uint8Array | undefined, nowMs: number): boolean {
  if (record !== undefined && createdOf(record) === end.createdMs) return isTombstone(record);
  return nowMs - end.createdMs > ABANDONED_MS;
}

export function createRelationRounds(deps: RelationRoundsDeps): RelationRounds {
  const { store, log } = deps;
  const queues = new Map<string, Waiting[]>();
  let load = 0;
  let stopping = false;

  function change(tenant: string, wish: RelationWish): Promise<Answer<RelationChange>> {
    if (stopping) return Promise.resolve(retry('stopping', 'The service is stopping. Try again shortly.'));
    if (load >= deps.queueLimit() && wish.kind !== 'drop' && wish.kind !== 'detach') {
      return Promise.resolve(
        retry('overloaded', `${load} changes of relations wait already. Try again shortly.`),
      );
    }
    load++;
    return new Promise((resolve) => {
      const item: Waiting = {
        wish,
        resolve: (answer) => {
          load--;
          resolve(answer);
        },
      };
      const queue = queues.get(tenant);
      if (queue !== undefined) return void queue.push(item);
      const begun = [item];
      queues.set(tenant, begun);
      // after this turn of the event loop: what arrives in the same turn is in the round
      setImmediate(() => void run(tenant, begun));
    });
  }

  async function run(tenant: string, queue: Waiting[]): Promise<void> {
    while (queue.length > 0) {
      const round = takeRound(queue);
      try {
        queue.unshift(...(await carryOut(tenant, round)));
      } catch (error) {
        deps.doubt();
        const answer = retryFor(error);
        if (answer.code === 'internal') log.error({ err: error, tenant }, 'a change of relations failed');
        for (const { resolve } of round) resolve(answer);
      }
    }
    queues.delete(tenant);
  }

  /** Answers every item of a round, but for those that it gives back to go on with. */
  async function carryOut(tenant: string, round: Waiting[]): Promise<Waiting[]> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const plan = await makePlan(tenant, round);
      if (plan === 'too-wide') {
        const [only] = round;
        if (round.length > 1) return (await each(tenant, round)).flat();
        only!.resolve(
          refuse('too-many-containers', `More than ${MAX_ANCESTRY} links lead up from the containers.`),
        );
        return [];
      }
      // what was refused on account of dead ends is decided again without them
      if (await dropDead(tenant, plan.suspects)) continue;
      const { link, unlink } = plan.stage.changes();
      if (link.length + unlink.length === 0) return plan.settle();
      const events = encodeDrafts(tenant, plan.revision + 1, plan.drafts());
      const write = { tenant, expectedRevision: plan.revision, link, unlink, events };
      const result = await store.commitRelations(write);
      if (result.kind === 'conflict') continue;
      if (result.kind === 'rejected') {
        log.error({ tenant, reason: result.message }, 'the storage can not hold a change of relations');
        for (const { resolve } of round) resolve(retry('storage-unavailable', result.message));
        return [];
      }
      const entries = result.outbox.map((position, i) => ({ position, events: events[i]! }));
      if (entries.length > 0) deps.committed(entries);
      return plan.settle();
    }
    for (const { resolve } of round)
      resolve(retry('overloaded', 'The relations are changed by others all the time. Try again shortly.'));
    return [];
  }

  async function each(tenant: string, round: Waiting[]): Promise<Waiting[][]> {
    const rest: Waiting[][] = [];
    for (const item of round) rest.push(await carryOut(tenant, [item]));
    return rest;
  }

  /** What a round comes to, as of the revision that is read first. */
  async function makePlan(tenant: string, round: readonly Waiting[]) {
    const revision = await store.relationsRevision(tenant);
    const ids = [...new Set(round.flatMap(({ wish }) => namedBy(wish)))];
    const records = ids.length === 0 ? [] : await store.load(ids);
    const live = new Map<string, LiveEnd>();
    records.forEach((record, i) => {
      const end = liveEndOf(record, tenant);
      if (end !== undefined) live.set(ids[i]!, end);
    });
    const dropped = await linksOfDropped(tenant, round);
    const asked = round.flatMap(({ wish }) => relationsOf(wish, live));
    const answers = asked.length === 0 ? [] : await store.linked(tenant, asked);
    const stored = new Map(asked.map((relation, i) => [relationKeyOf(relation), answers[i]!]));
    for (const relation of dropped.relations) stored.set(relationKeyOf(relation), true);
    const stage = new RelationStage(stored);
    for (const relation of dropped.relations) stage.set(relation, false);
    const suspects: RelationEnd[] = [];
    const view = { stage, live, suspect: (ends: readonly RelationEnd[]) => void suspects.push(...ends) };
    const starts = round.flatMap(({ wish }) => startsOf(wish, view));
    if (starts.length > 0 && !(await learnAncestry(store, tenant, stage, starts))) return 'too-wide';
    const decisions = round.map(({ wish }) => (wish.kind === 'drop' ? NOTHING : decideWish(view, wish)));
    return {
      revision,
      stage,
      suspects,
      drafts: (): EventDraft[] =>
        round.flatMap(({ wish }, i) => {
          const decision = decisions[i]!;
          if (wish.kind === 'drop') return dropDrafts(wish, dropped.relations);
          if ('code' in decision || (wish.kind !== 'link' && wish.kind !== 'unlink')) return [];
          return changeDrafts(wish.cause, decision.changed, live);
        }),
      settle: (): Waiting[] => {
        const goesOn = ({ wish }: Waiting) => wish.kind === 'drop' && dropped.more;
        round.forEach((item, i) => {
          const decision = decisions[i]!;
          if (!goesOn(item)) item.resolve('code' in decision ? decision : ok(decision));
        });
        return round.filter(goesOn);
      },
    };
  }

  async function linksOfDropped(tenant: string, round: readonly Waiting[]) {
    const ends = round.flatMap(({ wish }) => (wish.kind === 'drop' ? [wish.end] : []));
    if (ends.length === 0) return { relations: [], more: false };
    const found = await Promise.all([
      store.related(tenant, ends, 'contains', MAX_DROPPED),
      store.related(tenant, ends, '!contains', MAX_DROPPED),
    ]);
    const relations = new Map(
      found.flatMap((some) => some.relations.map((relation) => [relationKeyOf(relation), relation])),
    );
    return { relations: [...relations.values()], more: found.some(({ more }) => more) };
  }

  /** Whether there were dead ones; their links are gone then. */
  async function dropDead(tenant: string, suspects: readonly RelationEnd[]): Promise<boolean> {
    const ends = [...new Map(suspects.map((end) => [endKeyOf(end), end])).values()];
    if (ends.length === 0) return false;
    const records = await store.load(ends.map(({ endpointId }) => endpointId));
    const nowMs = deps.now();
    let any = false;
    for (const [i, end] of ends.entries()) {
      const record = records[i];
      if (!isDead(end, record, nowMs)) continue;
      any = true;
      const cause = { correlationId: randomUUID(), timestampMs: nowMs };
      const application = record === undefined ? '' : headOf(record).application;
      const wish: RelationWish = { kind: 'drop', end, application, cause };
      for (let rest = [{ wish, resolve: () => undefined }] as Waiting[]; rest.length > 0;)
        rest = await carryOut(tenant, rest);
    }
    return any;
  }

  return {
    change,
    get load() {
      return load;
    },
    async stop() {
      stopping = true;
      while (load > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    },
  };
}

function takeRound(queue: Waiting[]): Waiting[] {
  let items = 0;
  let count = 0;
  while (count < queue.length && (count === 0 || items < MAX_ITEMS)) items += sizeOf(queue[count++]!.wish);
  return queue.splice(0, count);
}

function sizeOf(wish: RelationWish): number {
  if (wish.kind === 'drop') return 10;
  return 1 + ('items' in wish ? wish.items.length : wish.relations.length);
}
