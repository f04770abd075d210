import type { QueryLimits } from '../filters/index.js';
import { type Refusal, refuse } from '../model/errors.js';
import { type Answer, ok, type Outcome, type Retry } from '../model/outcome.js';
import { headOf, isOfTenant, isTombstone } from '../model/record.js';
import type { RecordQuery, Scope, Store } from '../storage/index.js';
import { awaited, type Catalogue, noApplication, noVersion } from '../model/catalogue.js';
import type { Command } from '../model/command.js';
import type { FilterChanges } from './filter-changes.js';
import type { FilterIndex } from './filter-index.js';
import { guarded, unavailable } from './guarded.js';
import { conditionsOf } from './list-query.js';
import type { Pipeline } from './pipeline.js';
import type { RunningRelations } from './relations.js';
import type { ResourceCare } from './resource-care.js';
import type { CallContext, Endpoints, ListQuery } from './types.js';

export interface EndpointsDeps {
  store: Store;
  pipeline: Pipeline;
  catalogue: () => Catalogue;
  filters: FilterIndex;
  changes: Pick<FilterChanges, 'refresh' | 'refreshIfLate'>;
  register: Endpoints['register'];
  relations: Pick<RunningRelations, 'drop'>;
  care: Pick<ResourceCare, 'unregistering'> | undefined;
  /** of queries and patterns in lists */
  limits: () => QueryLimits;
}

/** Commands by which callers write metadata of endpoints that are there. */
const WRITES_KEYS: ReadonlySet<Command['type']> = new Set([
  'replace-metadata',
  'json-patch',
  'merge-patch',
  'set-key',
  'delete-key',
  'change-keys',
]);

export function createEndpoints(deps: EndpointsDeps): Endpoints {
  const { store, pipeline } = deps;

  const submit: Endpoints['submit'] = (command) => {
    // who says which applications there are may say which keys are restricted, too
    const notYet = WRITES_KEYS.has(command.type) ? awaited(deps.catalogue()) : undefined;
    if (notYet !== undefined) return Promise.resolve(notYet);
    return command.type === 'unregister' ? unregister(command) : pipeline.submit(command);
  };

  async function unregister(command: Extract<Command, { type: 'unregister' }>): Promise<Outcome> {
    const outcome = await (deps.care === undefined ? pipeline.submit(command) : unregisterWith(command));
    if (outcome.kind !== 'applied') return outcome;
    const { endpointId } = command;
    await deps.relations.drop({ endpointId, createdMs: outcome.createdMs }, command);
    return outcome;
  }

  /** The resource is of the endpoint's tenant, which not every command names. */
  async function unregisterWith(command: Extract<Command, { type: 'unregister' }>): Promise<Outcome> {
    const { endpointId } = command;
    const tenant = await guarded(async () => {
      const [record] = await store.load([endpointId]);
      return ok(record === undefined || isTombstone(record) ? undefined : headOf(record).tenant);
    });
    if (tenant.kind !== 'ok') return tenant;
    const work = () => pipeline.submit(command);
    if (tenant.value === undefined) return work();
    return deps.care!.unregistering({ tenant: tenant.value, endpointId }, work);
  }

  const get: Endpoints['get'] = (context, endpointId) => {
    const judge = (record: Uint8Array | undefined): Answer<Uint8Array> =>
      record === undefined ||
      isTombstone(record) ||
      (context.tenant !== undefined && !isOfTenant(record, endpointId, context.tenant))
        ? refuse('endpoint-not-found', `The endpoint "${endpointId}" is not registered.`)
        : ok(record);
    if (store.loadNow === undefined) return guarded(async () => judge((await store.load([endpointId]))[0]));
    try {
      return judge(store.loadNow(endpointId));
    } catch (error) {
      return unavailable(error);
    }
  };

  const filterIds: Endpoints['filterIds'] = (records) =>
    guarded(async () => {
      const heads = records.map(headOf);
      const numbers = await store.memberships(heads.map((head) => head.endpointId));
      return ok(numbers.map((list, i) => deps.filters.activeIds(heads[i]!.application, list)));
    });

  const list: Endpoints['list'] = async (context, query) => {
    await refreshFor(query);
    const scope = scopeOf(context, query);
    if ('kind' in scope) return Promise.resolve(scope);
    const conditions = conditionsOf(query, deps.limits());
    if ('kind' in conditions) return Promise.resolve(conditions);
    const { sort, offset, limit } = query;
    const recordQuery: RecordQuery = { ...conditions, scope, sort, offset, limit, withTotal: true };
    if (query.after !== undefined) recordQuery.after = query.after;
    return guarded(async () => {
      const { records, total, next } = await store.find(recordQuery);
      const page = { total: total ?? 0, records };
      return ok(next === undefined ? page : { ...page, next });
    });
  };

  const metadataKeys: Endpoints['metadataKeys'] = (context, name) =>
    guarded(async () => {
      const catalogue = deps.catalogue();
      const application = catalogue.known.application(name);
      if (
        application === undefined ||
        (context.tenant !== undefined && application.tenant !== context.tenant)
      )
        return noApplication(catalogue, name);
      const keys = await store.metadataKeys(name);
      return ok(new Map(application.versions.map((version) => [version, keys.get(version) ?? []])));
    });

  /** What a list names must be there: an empty list would hide that a name is misspelt, or another tenant's. */
  /** Another replica may have made the filter, or made it active, a moment ago. */
  async function refreshFor({ filterId }: ListQuery): Promise<void> {
    if (filterId === undefined) return;
    const isKnown = deps.filters.byId(filterId)?.status === 'active';
    // when the storage is away, the list itself says so
    await deps.changes[isKnown ? 'refreshIfLate' : 'refresh']().catch(() => undefined);
  }

  function scopeOf(context: CallContext, query: ListQuery): Scope | Refusal | Retry {
    const catalogue = deps.catalogue();
    const scope: Scope = {};
    const tenant = context.tenant ?? query.tenant;
    if (query.tenant !== undefined && query.tenant !== tenant)
      return refuse(
        'forbidden',
        `The caller is not granted to see the tenant "${query.tenant.slice(0, 200)}".`,
      );
    const seen = (named: { tenant: string } | undefined) =>
      named !== undefined && (context.tenant === undefined || named.tenant === context.tenant);
    if (tenant !== undefined) scope.tenant = tenant;
    if (query.application !== undefined) {
      if (!seen(catalogue.known.application(query.application)))
        return noApplication(catalogue, query.application);
      scope.application = query.application;
    }
    if (query.version !== undefined) {
      const version = catalogue.known.version(query.version);
      if (version === undefined || !seen(version)) return noVersion(catalogue, query.version);
      scope.version = query.version;
      // a version is one application's, and an application has more indexes
      scope.application ??= version.application;
    }
    if (query.filterId === undefined) return scope;
    const filter = deps.filters.byId(query.filterId);
    if (filter === undefined || (tenant !== undefined && filter.tenant !== tenant)) {
      return refuse('filter-not-found', `There is no filter "${query.filterId.slice(0, 200)}".`);
    }
    if (filter.status === 'pending') return refuse('filter-pending');
    // members of one application's filter are not in another: such a list is empty, as any whose parts exclude each other
    if (query.application !== undefined && query.application !== filter.application)
      return { ...scope, filterNumber: 0 };
    return { ...scope, application: filter.application, filterNumber: filter.number };
  }

  return {
    register: deps.register,
    submit,
    answerNow: (command) => pipeline.answerNow(command),
    get,
    filterIds,
    list,
    metadataKeys,
  };
}
