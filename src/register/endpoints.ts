import { randomUUID } from 'node:crypto';
import type { QueryLimits } from '../filters/index.js';
import { ENDPOINT_TOKEN, isEndpointId } from '../model/endpoint.js';
import { refuse } from '../model/errors.js';
import { type Answer, ok, type Outcome } from '../model/outcome.js';
import { headOf, isTombstone } from '../model/record.js';
import type { RecordQuery, Scope, Store } from '../storage/index.js';
import type { Catalogue } from '../model/catalogue.js';
import type { Command } from '../model/command.js';
import type { FilterIndex } from './filter-index.js';
import { guarded, unavailable } from './guarded.js';
import { conditionsOf } from './list-query.js';
import type { Pipeline } from './pipeline.js';
import type { RunningRelations } from './relations.js';
import type { RegistrationRelation } from './relation-types.js';
import type { Tokens } from './tokens.js';
import type { CallContext, Endpoints, ListQuery, Registration } from './types.js';

export interface EndpointsDeps {
  store: Store;
  pipeline: Pipeline;
  catalogue: () => Catalogue;
  filters: FilterIndex;
  tokens: Tokens;
  relations: Pick<RunningRelations, 'attach' | 'detach' | 'drop'>;
  /** of queries and patterns in lists */
  limits: () => QueryLimits;
  now: () => number;
}

export function createEndpoints(deps: EndpointsDeps): Endpoints {
  const { store, pipeline } = deps;

  const register: Endpoints['register'] = async (context, registration) => {
    const version = deps.catalogue().version(registration.versionName);
    if (version === undefined || (context.tenant !== undefined && version.tenant !== context.tenant)) {
      return refuse(
        'application-version-not-found',
        `There is no application version "${registration.versionName}".`,
      );
    }
    const endpointId = registration.endpointId ?? context.requestId ?? randomUUID();
    const token = registration.endpointToken ?? madeToken(context);
    const fault = registrationFault({ ...registration, endpointId, endpointToken: token });
    if (fault !== undefined) return fault;
    const outcome = await submitWith(registration.relations ?? [], {
      type: 'register',
      endpointId,
      correlationId: context.correlationId,
      timestampMs: deps.now(),
      version,
      metadataText: JSON.stringify(registration.metadata),
      tokenHash: deps.tokens.hash(version.application, token),
      ...(context.requestId === undefined ? {} : { task: context.requestId }),
    });
    if (outcome.kind === 'refused' || outcome.kind === 'retry') return outcome;
    return ok({ endpointId, token });
  };

  function madeToken({ requestId }: CallContext): string {
    return requestId === undefined ? deps.tokens.make() : deps.tokens.makeFor(requestId);
  }

  /**
   * Links first, to the very registration that is to come: until it is there nobody sees them, and a crash in between
   * leaves nothing that anybody sees. So an endpoint is registered with all of its relations, or not at all.
   */
  async function submitWith(
    relations: readonly RegistrationRelation[],
    command: Extract<Command, { type: 'register' }>,
  ): Promise<Outcome> {
    if (relations.length === 0) return inRegistration(await pipeline.submit(command));
    const { tenant } = command.version;
    const end = { endpointId: command.endpointId, createdMs: command.timestampMs };
    const attached = await deps.relations.attach(tenant, end, relations, command.task);
    if (attached.kind !== 'ok') return attached;
    const others = attached.value.map(({ from, to }) =>
      from.endpointId === end.endpointId ? to.endpointId : from.endpointId,
    );
    const outcome = await pipeline.submit({ ...command, relations: [...new Set(others)] });
    if (isUndone(outcome)) await deps.relations.detach(tenant, attached.value);
    return inRegistration(outcome);
  }

  const submit: Endpoints['submit'] = (command) =>
    command.type === 'unregister' ? unregister(command) : pipeline.submit(command);

  async function unregister(command: Extract<Command, { type: 'unregister' }>): Promise<Outcome> {
    const outcome = await pipeline.submit(command);
    if (outcome.kind !== 'applied') return outcome;
    const { endpointId } = command;
    await deps.relations.drop({ endpointId, createdMs: outcome.createdMs }, command);
    return outcome;
  }

  const get: Endpoints['get'] = (context, endpointId) => {
    const judge = (record: Uint8Array | undefined): Answer<Uint8Array> =>
      record === undefined || isTombstone(record) || !isOf(record, context)
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

  const list: Endpoints['list'] = (context, query) => {
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
      const application = deps.catalogue().application(name);
      if (
        application === undefined ||
        (context.tenant !== undefined && application.tenant !== context.tenant)
      ) {
        return refuse('application-not-found', `There is no application "${name}".`);
      }
      const keys = await store.metadataKeys(name);
      return ok(new Map(application.versions.map((version) => [version, keys.get(version) ?? []])));
    });

  /** What a list names must be there: an empty list would hide that a name is misspelt, or another tenant's. */
  function scopeOf(context: CallContext, query: ListQuery): Scope | ReturnType<typeof refuse> {
    const scope: Scope = {};
    const tenant = context.tenant ?? query.tenant;
    const seen = (named: { tenant: string } | undefined) =>
      named !== undefined && (context.tenant === undefined || named.tenant === context.tenant);
    if (tenant !== undefined) scope.tenant = tenant;
    if (query.application !== undefined) {
      if (!seen(deps.catalogue().application(query.application)))
        return refuse(
          'application-not-found',
          `There is no application "${query.application.slice(0, 200)}".`,
        );
      scope.application = query.application;
    }
    if (query.version !== undefined) {
      const version = deps.catalogue().version(query.version);
      if (version === undefined || !seen(version))
        return refuse(
          'application-version-not-found',
          `There is no application version "${query.version.slice(0, 200)}".`,
        );
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
    register,
    submit,
    get,
    filterIds,
    list,
    metadataKeys,
  };
}

/** Whether it is certain that this very registration did not come to be. Of other failures nothing is known. */
function isUndone(outcome: Outcome): boolean {
  if (outcome.kind === 'retry') return outcome.code === 'overloaded' || outcome.code === 'stopping';
  return outcome.kind !== 'applied';
}

/** What the pipeline says is about the metadata. */
function inRegistration(outcome: Outcome): Outcome {
  if (outcome.kind !== 'refused' || outcome.details === undefined) return outcome;
  const details = outcome.details.map(({ path, message }) => ({ path: `/metadata${path}`, message }));
  return { ...outcome, details };
}

/** What is wrong with the form of a registration's id and token, if anything. */
export function registrationFault(registration: Pick<Registration, 'endpointId' | 'endpointToken'>) {
  if (registration.endpointId !== undefined && !isEndpointId(registration.endpointId))
    return refuse('invalid-endpoint-id');
  if (registration.endpointToken !== undefined && !ENDPOINT_TOKEN.test(registration.endpointToken)) {
    return refuse(
      'invalid-body',
      'An endpoint token has 1 to 256 characters, and none of "+", "#", "/" and ".".',
    );
  }
  return undefined;
}

function isOf(record: Uint8Array, context: CallContext): boolean {
  return context.tenant === undefined || headOf(record).tenant === context.tenant;
}
