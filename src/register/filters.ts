import { randomUUID } from 'node:crypto';
import type { Query, QueryLimits } from '../filters/index.js';
import { type Catalogue, noApplication } from '../model/catalogue.js';
import { type Refusal, refuse } from '../model/errors.js';
import type { SavedFilter } from '../model/filter.js';
import type { JsonValue } from '../model/json.js';
import { type Answer, ok, retry, type Retry } from '../model/outcome.js';
import type { Replicas } from '../replicas/index.js';
import type { Store } from '../storage/index.js';
import { guarded } from './guarded.js';
import type { Changed, Decision, FilterChange, FilterChanges } from './filter-changes.js';
import type { FilterIndex } from './filter-index.js';
import { previewQuery } from './preview.js';
import { readQuery } from './read-query.js';
import type { Recalculation } from './recalculation.js';
import { faultOfSaved, SET_ASIDE } from './saved-queries.js';
import type { CallContext, FilterDraft, Filters, FilterView } from './types.js';

export interface FiltersDeps {
  store: Store;
  catalogue: () => Catalogue;
  index: FilterIndex;
  changes: FilterChanges;
  replicas: Pick<Replicas, 'untilKnown' | 'live'>;
  recalculation: Recalculation;
  limits: () => QueryLimits & { filtersPerApplication: number };
  now: () => number;
}

/** Longer than a replica that has died is taken for live. */
const UNTIL_KNOWN_MS = 15_000;
const MAX_NAME = 256;
const MAX_DESCRIPTION = 4096;

/** Saved filters: what their operations mean. */
export function createFilters(deps: FiltersDeps): Filters {
  const { store, index, changes, recalculation } = deps;
  /** ids of filters that are being created, by application: they count before they are known */
  const creating = new Map<string, Set<string>>();

  const create: Filters['create'] = (context, application, draft) =>
    guarded(async () => {
      const catalogue = deps.catalogue();
      const known = catalogue.application(application);
      if (known === undefined || !sees(context, known.tenant)) return noApplication(catalogue, application);
      const checked = check(draft, deps.limits());
      if ('kind' in checked) return checked;
      const { query, ...written } = checked;
      const id = context.requestId ?? randomUUID();
      const own = index.byId(id);
      if (own !== undefined) return ok(await viewOf(own));
      if (refusal(application, checked.name, id) !== undefined) {
        await changes.refresh();
        const early = refusal(application, checked.name, id);
        if (early !== undefined) return early;
      }
      const mates = creating.get(application) ?? new Set();
      creating.set(application, mates);
      const change: FilterChange<SavedFilter | Refusal> = {
        numberOf: application,
        decide: (number) => {
          const late = refusal(application, checked.name, id);
          if (late !== undefined) return { answer: late };
          mates.add(id);
          const timestampMs = deps.now();
          const write: SavedFilter = {
            ...written,
            id,
            tenant: known.tenant,
            application,
            status: 'pending',
            number,
            revision: 1,
            createdMs: timestampMs,
            updatedMs: timestampMs,
            retired: [],
          };
          const cause = { correlationId: context.correlationId, timestampMs };
          return { write, query, expectedRevision: 0, event: 'filter-pending', cause, answer: write };
        },
      };
      const changed = await changes.make(change).finally(() => mates.delete(id));
      return settled(changed, checked.name);
    });

  const change: Filters['change'] = (context, application, id, wished, ifMatch) =>
    guarded(async () => {
      const present = await lookUp(context, application, id);
      if ('kind' in present) return present;
      const checked = check({ ...present, ...wished }, deps.limits());
      if ('kind' in checked) return checked;
      const change: FilterChange<SavedFilter | Refusal> = {
        decide: (number) => {
          const filter = findFilter(context, application, id);
          if ('kind' in filter) return { answer: filter };
          const failed = precondition(filter, ifMatch);
          if (failed !== undefined) return { answer: failed };
          const name = wished.name === undefined ? filter.name : checked.name;
          const description = wished.description === undefined ? filter.description : checked.description;
          const queryText = checked.queryText ?? filter.queryText;
          const holder = index.byName(application, name);
          if (holder !== undefined && holder.id !== id) return { answer: nameTaken(name) };
          if (name === filter.name && description === filter.description && queryText === filter.queryText)
            return { answer: filter };
          const timestampMs = deps.now();
          const cause = { correlationId: context.correlationId, timestampMs };
          const base = {
            ...filter,
            name,
            description,
            revision: filter.revision + 1,
            updatedMs: timestampMs,
          };
          if (queryText === filter.queryText)
            return { write: base, expectedRevision: filter.revision, cause, answer: base };
          const { told: _told, version: _version, ...former } = base;
          const write: SavedFilter = {
            ...former,
            queryText,
            number,
            status: 'pending',
            retired: [...filter.retired, filter.number],
          };
          const { query } = checked;
          const { revision: expectedRevision } = filter;
          return { write, query, expectedRevision, event: 'filter-pending', cause, answer: write };
        },
      };
      if (checked.queryText !== undefined) change.numberOf = application;
      const changed = await changes.make(change);
      if (checked.queryText !== undefined) await untilKnown();
      return settled(changed, checked.name);
    });

  const remove: Filters['remove'] = (context, application, id, ifMatch) =>
    guarded(async () => {
      let retired: SavedFilter | undefined;
      await lookUp(context, application, id);
      const changed = await changes.make({
        ...(store.replication === undefined ? {} : { numberOf: application }),
        decide: (version): Decision<null | Refusal> => {
          const filter = findFilter(context, application, id);
          if ('kind' in filter) return { answer: filter };
          const failed = precondition(filter, ifMatch);
          if (failed !== undefined) return { answer: failed };
          const timestampMs = deps.now();
          const write: SavedFilter = {
            ...filter,
            revision: filter.revision + 1,
            updatedMs: timestampMs,
            deletedMs: timestampMs,
            retired: [...filter.retired, filter.number],
            ...(version === 0 ? {} : { version }),
          };
          const cause = { correlationId: context.correlationId, timestampMs };
          retired = write;
          return { write, expectedRevision: filter.revision, event: 'filter-deleted', cause, answer: null };
        },
      });
      if (changed.kind !== 'done') return raced();
      if (changed.answer !== null) return changed.answer;
      if (retired !== undefined) recalculation.cleanUp([retired]);
      await untilKnown();
      return ok(null);
    });

  const get: Filters['get'] = (context, application, id) =>
    guarded(async () => {
      const filter = await lookUp(context, application, id);
      return 'kind' in filter ? filter : ok(await viewOf(filter));
    });

  const list: Filters['list'] = (context, application, page) =>
    guarded(async () => {
      await changes.refreshIfLate();
      const catalogue = deps.catalogue();
      const known = catalogue.known.application(application);
      const tenant = known?.tenant ?? index.page(application, { offset: 0, limit: 1 }).filters[0]?.tenant;
      if (tenant === undefined || !sees(context, tenant)) return noApplication(catalogue, application);
      const { name: contains, ...place } = page;
      const named = index.page(application, contains === undefined ? place : { ...place, contains });
      const progressOf = recalculation.progressReader();
      const views = named.filters.map((filter) => viewOf(filter, progressOf));
      return ok({ total: named.total, filters: await Promise.all(views) });
    });

  const preview: Filters['preview'] = (context, application, { mongoQuery, ...wanted }) =>
    guarded(async () => {
      const catalogue = deps.catalogue();
      const known = catalogue.known.application(application);
      if (known === undefined || !sees(context, known.tenant)) return noApplication(catalogue, application);
      const read = readQuery(mongoQuery, 'mongoQuery', deps.limits());
      return 'kind' in read
        ? read
        : ok(await previewQuery(store, { ...wanted, application, query: read.query }));
    });

  async function settled(changed: Changed<SavedFilter | Refusal>, name: string): Promise<Answer<FilterView>> {
    if (changed.kind === 'name-taken') return nameTaken(name);
    if (changed.kind === 'conflict') return raced();
    if ('kind' in changed.answer) return changed.answer;
    if (changed.answer.status === 'pending') recalculation.wake(changed.answer.application);
    if (changed.answer.retired.length > 0) recalculation.cleanUp([changed.answer]);
    return ok(await viewOf(changed.answer));
  }

  async function viewOf(
    filter: SavedFilter,
    progressOf = recalculation.progressReader(),
  ): Promise<FilterView> {
    const { application, number } = filter;
    const matchedEndpointsCount = await store.count({ application, filterNumber: number });
    const isEvaluated = filter.status === 'active' || number === SET_ASIDE;
    const known = isEvaluated ? undefined : await progressOf(filter);
    if (!isEvaluated && known?.progress.state !== 'evaluating' && deps.replicas.live().length > 1) {
      // what another one notes of a recalculation goes when the filter is active, which may not be known here yet
      await changes.refresh();
      await changes.refresh();
      const now = index.byId(filter.id);
      if (now !== undefined && now.revision !== filter.revision) return viewOf(now);
    }
    const etag = etagOfView(filter, matchedEndpointsCount, known?.stamp ?? 0);
    const view: FilterView = { filter, etag, matchedEndpointsCount };
    if (number === SET_ASIDE) return { ...view, fault: faultOfSaved(filter.queryText) ?? '' };
    if (isEvaluated) return view;
    if (known !== undefined) return { ...view, progress: known.progress };
    return {
      ...view,
      progress: { evaluated: 0, total: await store.count({ application }), state: 'waiting' },
    };
  }

  function findFilter(context: CallContext, application: string, id: string): SavedFilter | Refusal {
    const filter = index.byId(id);
    if (filter === undefined || filter.application !== application || !sees(context, filter.tenant)) {
      return refuse('filter-not-found', `The application "${application}" has no filter "${id}".`);
    }
    return filter;
  }

  /** With what others have changed until now, where it is not known here. */
  async function lookUp(
    context: CallContext,
    application: string,
    id: string,
  ): Promise<SavedFilter | Refusal> {
    await changes.refreshIfLate();
    if (index.byId(id) === undefined) await changes.refresh();
    return findFilter(context, application, id);
  }

  /** No replica goes by the former query any more. It is changed in any case, so an answer does not wait for ever. */
  async function untilKnown(): Promise<void> {
    await deps.replicas.untilKnown(changes.known, AbortSignal.timeout(UNTIL_KNOWN_MS)).catch(() => undefined);
  }

  function refusal(application: string, name: string, id: string): Refusal | undefined {
    return taken(application, name) ?? full(application, id);
  }

  function taken(application: string, name: string): Refusal | undefined {
    return index.byName(application, name) === undefined ? undefined : nameTaken(name);
  }

  function full(application: string, id: string): Refusal | undefined {
    const { filtersPerApplication } = deps.limits();
    let count = index.countOf(application);
    const mates = creating.get(application);
    // some of them may be known by now, so that they are counted twice: only near the limit that matters
    if (count + (mates?.size ?? 0) < filtersPerApplication) return undefined;
    for (const mate of mates ?? []) if (mate !== id && index.byId(mate) === undefined) count++;
    if (count < filtersPerApplication) return undefined;
    return refuse(
      'too-many-filters',
      `The application has ${filtersPerApplication} filters, as many as are allowed.`,
    );
  }

  const has: Filters['has'] = (context, id) => {
    const filter = index.byId(id);
    return filter !== undefined && sees(context, filter.tenant);
  };

  return { create, get, has, list, change, remove, preview };
}

interface CheckedDraft {
  name: string;
  description: string;
  queryText: string;
  query: Query;
}
type PartlyChecked = Omit<CheckedDraft, 'query' | 'queryText'> &
  Partial<Pick<CheckedDraft, 'query' | 'queryText'>>;

function check(draft: FilterDraft, limits: QueryLimits): CheckedDraft | Refusal;
/** without a query: one that is saved is not checked again, for limits may have been lowered since */
function check(
  draft: Omit<FilterDraft, 'mongoQuery'> & { mongoQuery?: JsonValue },
  limits: QueryLimits,
): PartlyChecked | Refusal;
function check(
  draft: Omit<FilterDraft, 'mongoQuery'> & { mongoQuery?: JsonValue },
  limits: QueryLimits,
): PartlyChecked | Refusal {
  const { name, description } = draft;
  if (name.trim() === '' || name.length > MAX_NAME)
    return refuse('invalid-body', `A filter's name has 1 to ${MAX_NAME} characters.`, [
      { path: '/name', message: 'empty or too long' },
    ]);
  if (description.length > MAX_DESCRIPTION)
    return refuse('invalid-body', `A description has at most ${MAX_DESCRIPTION} characters.`, [
      { path: '/description', message: 'too long' },
    ]);
  if (draft.mongoQuery === undefined) return { name, description };
  const read = readQuery(draft.mongoQuery, 'mongoQuery', limits);
  if ('kind' in read) return read;
  return { name, description, queryText: JSON.stringify(read.query.source), query: read.query };
}

/** What a caller can change, and the status: the part of the entity tag that `If-Match` is about. */
function stateTagOf(filter: SavedFilter): string {
  return `${filter.createdMs.toString(36)}-${filter.revision.toString(36)}`;
}

/** An entity tag of what is answered: members come and go, and an evaluation goes on, with no change of the filter. */
function etagOfView(filter: SavedFilter, members: number, evaluated: number): string {
  return `"${stateTagOf(filter)}.${members.toString(36)}.${evaluated.toString(36)}"`;
}

function precondition(filter: SavedFilter, ifMatch: readonly string[] | undefined): Refusal | undefined {
  const state = stateTagOf(filter);
  const isOfState = (tag: string) => tag === '*' || tag.slice(1, -1).split('.')[0] === state;
  if (ifMatch === undefined || ifMatch.some(isOfState)) return undefined;
  return refuse(
    'precondition-failed',
    `The filter "${filter.id}" has changed: its present ETag begins with "${state}.`,
  );
}

function sees(context: CallContext, tenant: string): boolean {
  return context.tenant === undefined || context.tenant === tenant;
}

function nameTaken(name: string): Refusal {
  return refuse('filter-name-taken', `Another filter of the application is named "${name}".`);
}

function raced(): Retry {
  return retry('overloaded', 'The filter is being changed by another replica. Try again shortly.');
}
