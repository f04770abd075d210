import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { parseSavedQuery, type Query } from '../filters/index.js';
import type { SavedFilter } from '../model/filter.js';
import type { FilterChanges } from './filter-changes.js';
import type { FilterIndex } from './filter-index.js';

/**
 * The number of a filter whose query this version can't read: a newer one saved it, or a hand did. Workers don't know
 * it, it has no members, and it stays pending. When its query can be read again it gets a new number, and with that
 * all records are evaluated: what was written meanwhile was not.
 */
export const SET_ASIDE = 0;

/** Why a stored query can't be read, if so. O(size of the query). */
export function faultOfSaved(queryText: string): string | undefined {
  const parsed = parseSavedQuery(queryText);
  return parsed.ok ? undefined : parsed.faults[0]!.message;
}

/** The query of a filter that was read before. Throws when it can't be. */
export function savedQueryOf({ name, queryText }: SavedFilter): Query {
  const parsed = parseSavedQuery(queryText);
  if (parsed.ok) return parsed.query;
  throw new Error(`The saved filter "${name}" can not be read any more: ${parsed.faults[0]?.message}`);
}

export interface SavedQueriesDeps {
  index: FilterIndex;
  changes: FilterChanges;
  now: () => number;
  log: Logger;
}

/** Sets aside a filter that can't be read, durably. Rejects when the storage does. */
export async function setAside(filter: SavedFilter, reason: string, deps: SavedQueriesDeps): Promise<void> {
  const { id, name, application } = filter;
  deps.log.error(
    { filterId: id, filter: name, application, reason },
    'A saved filter can not be read by this version. It stays pending, without members, until its query is changed or a version that can read it is started.',
  );
  await deps.changes.make<null>({
    decide: () => {
      const present = deps.index.byId(id);
      if (present === undefined || present.number === SET_ASIDE) return { answer: null };
      const write: SavedFilter = {
        ...present,
        status: 'pending',
        number: SET_ASIDE,
        retired: [...present.retired, present.number],
        revision: present.revision + 1,
      };
      const cause = { correlationId: randomUUID(), timestampMs: deps.now() };
      const decision = { write, expectedRevision: present.revision, cause, answer: null };
      return present.status === 'pending' ? decision : { ...decision, event: 'filter-pending' as const };
    },
  });
}

/** Gives a filter that was set aside, and can be read again, a number. Rejects when the storage does. */
export async function takeBack({ id, application }: SavedFilter, deps: SavedQueriesDeps): Promise<void> {
  await deps.changes.make<null>({
    numberOf: application,
    decide: (number) => {
      const present = deps.index.byId(id);
      if (present === undefined || present.number !== SET_ASIDE) return { answer: null };
      // not a change that anybody sees: the revision stays
      const cause = { correlationId: randomUUID(), timestampMs: deps.now() };
      return {
        write: { ...present, number },
        expectedRevision: present.revision,
        cause,
        answer: null,
      };
    },
  });
}
