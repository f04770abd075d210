import type { SavedFilter } from '../model/filter.js';
import { createNameList, type NameList } from './name-list.js';
import { createPendingNumbers, type PendingNumbers } from './pending-numbers.js';
import { SET_ASIDE } from './saved-queries.js';

/** All saved filters in memory, as the storage holds them; deleted ones are not there. */
export interface FilterIndex {
  byId(id: string): SavedFilter | undefined;
  ids(): Iterable<string>;
  /**
   * By name, ascending, and how many there are in all. O(limit + log n); with `contains`, O(filters of the application).
   *
   * @param contains only filters whose name contains this, whatever the case
   */
  page(
    application: string,
    page: { offset: number; limit: number; contains?: string },
  ): { total: number; filters: SavedFilter[] };
  countOf(application: string): number;
  byName(application: string, name: string): SavedFilter | undefined;
  /** pending filters that are to be recalculated, by number: those that are set aside are not among them */
  pendingOf(application: string, upTo?: number): SavedFilter[];
  /** The least number of those. O(1), whatever becomes active. */
  oldestPending(application: string): number | undefined;
  /** The greatest; as {@link FilterIndex.oldestPending}. */
  newestPending(application: string): number | undefined;
  /** The newest number of an active filter, of those up to one. O(filters of the application). */
  newestActive(application: string, upTo: number): number | undefined;
  /** of each application that has filters, or had some */
  counts(): { application: string; pending: number; active: number }[];
  /** ids of the active filters among these numbers; numbers of former queries are passed over */
  activeIds(application: string, numbers: readonly number[]): string[];
  put(filter: SavedFilter): void;
  remove(id: string): void;
}

interface ApplicationEntry {
  byName: Map<string, SavedFilter>;
  /** but for those that are set aside, which share a number */
  byNumber: Map<number, SavedFilter>;
  /** of `byName` */
  names: NameList;
  pending: PendingNumbers;
  count: number;
  active: number;
}

/** Most filters have no former queries. */
const NONE: readonly number[] = [];

export function createFilterIndex(): FilterIndex {
  const all = new Map<string, SavedFilter>();
  const applications = new Map<string, ApplicationEntry>();

  function entryOf(application: string): ApplicationEntry {
    const known = applications.get(application);
    if (known !== undefined) return known;
    const byNumber = new Map<number, SavedFilter>();
    const entry: ApplicationEntry = {
      byName: new Map(),
      byNumber,
      names: createNameList(),
      pending: createPendingNumbers((number) => byNumber.get(number)?.status === 'pending'),
      count: 0,
      active: 0,
    };
    applications.set(application, entry);
    return entry;
  }

  /** @param next what comes in its place */
  function takeOut(filter: SavedFilter, entry: ApplicationEntry, next?: SavedFilter): void {
    entry.count--;
    if (filter.status === 'active') entry.active--;
    if (filter.number !== next?.number) entry.byNumber.delete(filter.number);
    // another filter may have taken the name over already
    if (filter.name === next?.name || entry.byName.get(filter.name) !== filter) return;
    entry.byName.delete(filter.name);
    entry.names.remove(filter.name);
  }

  return {
    byId: (id) => all.get(id),
    ids: () => all.keys(),
    page(application, { offset, limit, contains }) {
      const entry = applications.get(application);
      if (entry === undefined) return { total: 0, filters: [] };
      const { byName, names } = entry;
      const filtersOf = (some: string[]) => some.map((name) => byName.get(name)!);
      if (contains === undefined)
        return { total: byName.size, filters: filtersOf(names.page(offset, limit)) };
      const part = contains.toLowerCase();
      const found = [...names].filter((name) => name.toLowerCase().includes(part));
      return { total: found.length, filters: filtersOf(found.slice(offset, offset + limit)) };
    },
    countOf: (application) => applications.get(application)?.count ?? 0,
    byName: (application, name) => applications.get(application)?.byName.get(name),
    pendingOf(application, upTo = Infinity) {
      const entry = applications.get(application);
      return entry === undefined ? [] : entry.pending.upTo(upTo).map((number) => entry.byNumber.get(number)!);
    },
    oldestPending: (application) => applications.get(application)?.pending.least(),
    newestPending: (application) => applications.get(application)?.pending.greatest(),
    newestActive(application, upTo) {
      let newest: number | undefined;
      for (const { number, status } of applications.get(application)?.byNumber.values() ?? [])
        if (status === 'active' && number <= upTo && number > (newest ?? 0)) newest = number;
      return newest;
    },
    counts: () =>
      Array.from(applications, ([application, { count, active }]) => ({
        application,
        pending: count - active,
        active,
      })),
    activeIds(application, numbers) {
      const byNumber = applications.get(application)?.byNumber;
      const ids: string[] = [];
      for (const number of numbers) {
        const filter = byNumber?.get(number);
        if (filter?.status === 'active') ids.push(filter.id);
      }
      return ids;
    },
    put(filter) {
      const entry = entryOf(filter.application);
      const former = all.get(filter.id);
      const held = heldOf(filter, former);
      if (former !== undefined) takeOut(former, entry, held);
      all.set(held.id, held);
      entry.count++;
      if (!entry.byName.has(held.name)) entry.names.add(held.name);
      entry.byName.set(held.name, held);
      if (held.status === 'active') entry.active++;
      if (held.number === SET_ASIDE) return;
      entry.byNumber.set(held.number, held);
      const waited = former?.status === 'pending' && former.number === held.number;
      if (held.status === 'pending' && !waited) entry.pending.add(held.number);
    },
    remove(id) {
      const filter = all.get(id);
      if (filter === undefined) return;
      all.delete(id);
      takeOut(filter, applications.get(filter.application)!);
    },
  };
}

/** All have one shape, or, with replicas, one of four, whatever made them, and share with the filter that was there before what is the same. */
function heldOf(filter: SavedFilter, former: SavedFilter | undefined): SavedFilter {
  const { tenant, application, status, number, revision, createdMs, updatedMs, retired, version, told } =
    filter;
  const same = <K extends 'id' | 'name' | 'description' | 'queryText'>(key: K) =>
    former !== undefined && former[key] === filter[key] ? former[key] : filter[key];
  return {
    id: same('id'),
    tenant,
    application,
    name: same('name'),
    description: same('description'),
    queryText: same('queryText'),
    status,
    number,
    revision,
    createdMs,
    updatedMs,
    retired: retired.length === 0 ? NONE : retired,
    ...(version === undefined ? {} : { version }),
    ...(told === undefined ? {} : { told }),
  };
}
