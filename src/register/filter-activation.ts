import type { SavedFilter } from '../model/filter.js';
import type { Replicas } from '../replicas/index.js';
import type { Store } from '../storage/index.js';
import type { FilterChanges } from './filter-changes.js';
import type { FilterIndex } from './filter-index.js';
import { pause } from './pace.js';
import type { Watch } from './recalculation-watch.js';

/** Makes pending filters active that every record was evaluated against. */
export interface Activation {
  /**
   * Tells of each that it made active; not of one that was deleted or has another query by now. Ends early when it is told to
   * stop. Rejects when the storage does; then it may be asked again.
   */
  activate(pending: readonly SavedFilter[], correlationId: string, watch: Watch): AsyncIterable<SavedFilter>;
}

export interface ActivationDeps {
  store: Store;
  index: FilterIndex;
  changes: FilterChanges;
  replicas: Replicas;
  now: () => number;
  stopping: AbortSignal;
}

/** Filters that are made active by one write. */
const AT_ONCE = 1000;
const RETRY_MS = 500;

export function createActivation({
  store,
  index,
  changes,
  replicas,
  now,
  stopping,
}: ActivationDeps): Activation {
  /** As it is now; undefined: deleted, or its query changed meanwhile: then it has another number, and another round. */
  function stillPending({ id, number }: SavedFilter): SavedFilter | undefined {
    const filter = index.byId(id);
    return filter?.number === number && filter.status === 'pending' ? filter : undefined;
  }

  /** From then on, whoever writes tells of what flips them, whichever replica it is. Answers those of which that is so. */
  async function tellAll(
    some: readonly SavedFilter[],
    correlationId: string,
    watch: Watch,
  ): Promise<readonly SavedFilter[]> {
    if (store.replication === undefined) return some;
    const made = await Promise.all(
      some.map((pending) =>
        changes.make<boolean>({
          numberOf: pending.application,
          decide: (version) => {
            const filter = stillPending(pending);
            if (filter === undefined) return { answer: false };
            if (filter.told) return { answer: true };
            // not a change that anybody sees: the revision stays
            const write: SavedFilter = { ...filter, told: true, version };
            const cause = { correlationId, timestampMs: now() };
            return { write, expectedRevision: filter.revision, cause, answer: true };
          },
        }),
      ),
    );
    watch.gotOn();
    await watch.during('other replicas', replicas.untilKnown(changes.known, stopping));
    return some.filter((_, i) => {
      const changed = made[i]!;
      return changed.kind === 'done' && changed.answer;
    });
  }

  /** Whether it was this that made it active. */
  async function activateOne(pending: SavedFilter, correlationId: string): Promise<boolean> {
    while (!stopping.aborted) {
      const changed = await changes.make<boolean>({
        decide: () => {
          const filter = stillPending(pending);
          if (filter === undefined) return { answer: false };
          const { told: _told, ...rest } = filter;
          const write: SavedFilter = { ...rest, status: 'active', revision: filter.revision + 1 };
          const cause = { correlationId, timestampMs: now() };
          return { write, expectedRevision: filter.revision, event: 'filter-activated', cause, answer: true };
        },
      });
      if (changed.kind === 'done') return changed.answer;
      await pause(RETRY_MS, stopping);
    }
    return false;
  }

  return {
    /** Some at a time: changes that callers make meanwhile come between them. */
    async *activate(pending, correlationId, watch) {
      for (let from = 0; from < pending.length && !stopping.aborted; from += AT_ONCE) {
        const ready = await tellAll(pending.slice(from, from + AT_ONCE), correlationId, watch);
        const made = await Promise.all(ready.map((filter) => activateOne(filter, correlationId)));
        watch.gotOn();
        yield* ready.filter((_, i) => made[i]);
      }
    },
  };
}
