import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Catalogue } from '../model/catalogue.js';
import { refuse } from '../model/errors.js';
import { type Answer, ok, retry } from '../model/outcome.js';
import { createdOf, headOf, isTombstone } from '../model/record.js';
import { endKeyOf, type Relation, type RelationEnd } from '../model/relation.js';
import type { Store } from '../storage/index.js';
import { findAmong } from './find-among.js';
import { guarded } from './guarded.js';
import { inheritedMetadata } from './inheritance.js';
import { isDead, type RelationRounds } from './relation-rounds.js';
import type { RegistrationRelation, RelationItem, Relations, RelationStatus } from './relation-types.js';
import type { Cause, RelationWish } from './relation-wishes.js';
import type { CallContext } from './types.js';

export interface RelationsDeps {
  store: Store;
  rounds: RelationRounds;
  catalogue: () => Catalogue;
  now: () => number;
  log: Logger;
}

export interface RunningRelations extends Relations {
  /**
   * Links an endpoint that is about to be registered; what was linked, to be taken back when it is not.
   *
   * @param task of the registration; one that is done already under it has its relations
   */
  attach(
    tenant: string,
    end: RelationEnd,
    relations: readonly RegistrationRelation[],
    task: string | undefined,
  ): Promise<Answer<readonly Relation[]>>;
  /** Takes back what {@link attach} linked. */
  detach(tenant: string, relations: readonly Relation[]): Promise<void>;
  /** Drops the links of a registration that has ended; when the storage is away, later. */
  drop(end: RelationEnd, cause: Cause): Promise<void>;
  /** Goes on with what a crash left: links of endpoints that were unregistered. */
  resume(): void;
  stop(): Promise<void>;
}

const LOADED_AT_ONCE = 500;
const RETRY_MS = 1000;
/** Dead ends that were met and wait to be dropped; more are met again another time. */
const MAX_MET = 1000;

export function createRelations(deps: RelationsDeps): RunningRelations {
  const { store, rounds, log } = deps;
  const met = new Set<string>();
  let stopping = false;
  let resuming: Promise<void> = Promise.resolve();

  const link: Relations['link'] = (context, items) => change('link', context, items);
  const unlink: Relations['unlink'] = (context, items) => change('unlink', context, items);

  async function change(
    kind: 'link' | 'unlink',
    context: CallContext,
    items: readonly RelationItem[],
  ): Promise<Answer<RelationStatus[]>> {
    if (items.length === 0) return ok([]);
    return guarded(async () => {
      const tenant = context.tenant ?? (await tenantOf(items));
      const cause = { correlationId: context.correlationId, timestampMs: deps.now() };
      const answer = await rounds.change(tenant, { kind, items, cause });
      return answer.kind === 'ok' ? ok(answer.value.statuses) : answer;
    });
  }

  /** Of the first endpoint that there is: the others must be of the same one. None: whatever, for all are unknown. */
  async function tenantOf(items: readonly RelationItem[]): Promise<string> {
    const ids = [...new Set(items.flatMap(({ from, to }) => [from, to]))];
    for (let at = 0; at < ids.length; at += LOADED_AT_ONCE) {
      for (const record of await store.load(ids.slice(at, at + LOADED_AT_ONCE)))
        if (record !== undefined && !isTombstone(record)) return headOf(record).tenant;
    }
    return 'none';
  }

  const list: Relations['list'] = (context, endpointId, page) =>
    guarded(async () => {
      const [record] = await store.load([endpointId]);
      const head = record === undefined || isTombstone(record) ? undefined : headOf(record);
      if (head === undefined || (context.tenant !== undefined && head.tenant !== context.tenant))
        return refuse('endpoint-not-found', `The endpoint "${endpointId}" is not registered.`);
      const end = { endpointId, createdMs: createdOf(record!) };
      const { among, ...wanted } = page;
      const query = { tenant: head.tenant, end, ...wanted };
      const found =
        among === undefined ? await store.findRelations(query) : await findAmong(store, query, among);
      const created = await store.registered(found.ends.map((other) => other.endpointId));
      const live = found.ends.filter((other, i) => created[i] === other.createdMs);
      if (live.length < found.ends.length)
        forgetDead(
          head.tenant,
          found.ends.filter((other, i) => created[i] !== other.createdMs),
        );
      const answer = {
        total: found.total - (found.ends.length - live.length),
        endpointIds: live.map((other) => other.endpointId),
      };
      return ok(found.next === undefined ? answer : { ...answer, next: found.next });
    });

  /** Ends that are no endpoints: of a registration under way, or what a crash left, which goes. */
  function forgetDead(tenant: string, ends: readonly RelationEnd[]): void {
    const fresh = ends.filter((end) => !met.has(endKeyOf(end))).slice(0, MAX_MET - met.size);
    if (fresh.length === 0 || stopping) return;
    for (const end of fresh) met.add(endKeyOf(end));
    void (async () => {
      for (let at = 0; at < fresh.length; at += LOADED_AT_ONCE) {
        const some = fresh.slice(at, at + LOADED_AT_ONCE);
        const records = await store.load(some.map(({ endpointId }) => endpointId));
        await Promise.all(
          some.map(async (end, i) => {
            const record = records[i];
            if (!isDead(end, record, deps.now())) return;
            await tryDrop(tenant, end, record === undefined ? '' : headOf(record).application, newCause());
          }),
        );
      }
    })()
      .catch((error: unknown) =>
        log.warn({ err: error }, 'dead links could not be dropped; tried again later'),
      )
      .finally(() => {
        for (const end of fresh) met.delete(endKeyOf(end));
      });
  }

  function newCause(): Cause {
    return { correlationId: randomUUID(), timestampMs: deps.now() };
  }

  /** False: it may be tried again. */
  async function tryDrop(
    tenant: string,
    end: RelationEnd,
    application: string,
    cause: Cause,
  ): Promise<boolean> {
    const wish: RelationWish = { kind: 'drop', end, application, cause };
    return (await rounds.change(tenant, wish)).kind === 'ok';
  }

  /** False: it may be tried again. */
  async function dropLinks(end: RelationEnd, cause: Cause): Promise<boolean> {
    const answer = await guarded(async () => {
      // its tombstone, or, when it was registered again at once, most likely in the same application
      const [record] = await store.load([end.endpointId]);
      if (record === undefined) return ok(null);
      const { tenant, application } = headOf(record);
      return (await tryDrop(tenant, end, application, cause)) ? ok(null) : retry('internal', '');
    });
    return answer.kind === 'ok';
  }

  const drop: RunningRelations['drop'] = async (end, cause) => {
    if (await dropLinks(end, cause)) return;
    log.warn({ endpointId: end.endpointId }, 'links of an unregistered endpoint are dropped later');
    // nobody sees them, and after the next start they are found
    const again = async () => {
      if (!stopping && !(await dropLinks(end, cause))) later();
    };
    const later = () => void setTimeout(() => void again(), RETRY_MS).unref();
    later();
  };

  async function dropOfTombstones(): Promise<void> {
    let after: string | undefined;
    do {
      const page = await store.scanTombstones(LOADED_AT_ONCE, after);
      await Promise.all(
        page.records.map((record) => {
          const { endpointId, tenant, application } = headOf(record);
          return tryDrop(tenant, { endpointId, createdMs: createdOf(record) }, application, newCause());
        }),
      );
      after = page.next;
    } while (after !== undefined && !stopping);
  }

  return {
    link,
    unlink,
    list,
    inherited: (record, wanted) =>
      guarded(() => inheritedMetadata({ store, catalogue: deps.catalogue }, record, wanted)),
    async attach(tenant, end, relations, task) {
      const answer = await rounds.change(tenant, { kind: 'attach', end, relations, task });
      return answer.kind === 'ok' ? ok(answer.value.changed) : answer;
    },
    async detach(tenant, relations) {
      const answer = await rounds.change(tenant, { kind: 'detach', relations });
      // nobody ever sees them: their endpoint is not registered
      if (answer.kind !== 'ok')
        log.warn({ reason: answer.message }, 'links of a refused registration stay until they are met');
    },
    drop,
    resume() {
      resuming = dropOfTombstones().catch((error: unknown) =>
        log.warn({ err: error }, 'links of unregistered endpoints are looked for again at the next start'),
      );
    },
    async stop() {
      stopping = true;
      await rounds.stop();
      await resuming;
    },
  };
}
