import { Type } from '@sinclair/typebox';
import type { Logger } from 'pino';
import { refuse } from '../model/errors.js';
import { retry, type Retry } from '../model/outcome.js';
import { createAtMostEvery } from '../observability/index.js';
import type { PeerAnswer, Slots } from '../peers/index.js';
import type { EndpointResources, ResourceOf, ResourceWish } from '../register/index.js';
import type { ResourceChange } from './resource-changes.js';
import { createResourceSlots } from './resource-slots.js';
import type { ServiceTokens } from './service-tokens.js';
import type { Tenant, Tenants } from './tenants.js';

export interface EndpointResourcesDeps {
  tenants: Pick<Tenants, 'byName' | 'isComplete'>;
  tokens: Pick<ServiceTokens, 'ask'>;
  /** told of each that was made or removed */
  changed: (tenant: string, resource: string, change: ResourceChange) => void;
  log: Logger;
}

const SCOPES = ['endpoint:read', 'endpoint:update', 'endpoint:delete'];
/** Keycloak's column: a longer name is an error of its database. */
const MAX_NAME = 255;
const TELL_EVERY_MS = 30_000;
const WRONG_CLIENT =
  'the auth server keeps no resources for this service: its client needs authorization with UMA protection, and kaa.tenants.<tenant>.client-secret';
const WRONG_ANSWER =
  'the auth server does not answer as one that keeps resources (UMA resource registration)';
const DELAYED =
  'the auth server is away, or too slow at making and removing resources: registrations wait for it, batches too';

const Made = Type.Object({ _id: Type.String() });
const Ids = Type.Array(Type.String());
const NOTHING = Type.Unknown();

type Unmade = Exclude<PeerAnswer<unknown>, { kind: 'ok' }>;

/** Resources `endpoint-<id>` by the UMA protection API: what policies of the auth server speak of. */
export function createEndpointResources(deps: EndpointResourcesDeps): EndpointResources {
  const { tenants, tokens, changed, log } = deps;
  const slotsOf = createResourceSlots();
  const isFaultDue = createAtMostEvery(TELL_EVERY_MS);
  const isDelayDue = createAtMostEvery(TELL_EVERY_MS);

  function unmade(answer: Unmade, doing: string): Retry {
    const found = { found: answer.message };
    if (answer.kind !== 'unavailable' || answer.cause === 'no-token') {
      if (isFaultDue()) log.error(found, isOfClient(answer) ? WRONG_CLIENT : WRONG_ANSWER);
    } else if (answer.cause !== 'cancelled' && isDelayDue()) {
      log.warn(found, DELAYED);
    }
    const isLate = answer.kind === 'unavailable' && answer.cause === 'timeout';
    return away(`The auth server did not ${doing}${isLate ? ' in time' : ''}. Try again shortly.`);
  }

  /** When it is its turn. */
  async function inTurn<T>(
    slots: Slots,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T | Retry> {
    const slot = await slots.take(signal);
    if (slot === 'cancelled') return away('It was called off.');
    if (typeof slot === 'string') {
      if (isDelayDue()) log.warn({ waiting: slots.waiting }, DELAYED);
      return slot === 'full'
        ? retry(
            'overloaded',
            `${slots.waiting} registrations wait for the auth server already. Try again shortly.`,
          )
        : away('The auth server makes resources too slowly: this registration was not its turn in time.');
    }
    try {
      return await work();
    } finally {
      slot();
    }
  }

  const find = (tenant: Tenant, name: string, signal: AbortSignal | undefined) =>
    tokens.ask(tenant, 'resources', {
      method: 'GET',
      query: { name, exactName: 'true' },
      answer: Ids,
      ...calledOffBy(signal),
    });

  /** 'there': one of this name is there already. */
  async function post(tenant: Tenant, wish: ResourceWish): Promise<Retry | 'there' | undefined> {
    const { creator, correlationId, signal } = wish;
    const name = nameOf(wish);
    const body = {
      name,
      type: 'endpoint',
      resource_scopes: SCOPES,
      attributes: creator === undefined ? {} : { creator: [creator] },
      ownerManagedAccess: false,
    };
    const made = await tokens.ask(tenant, 'resources', {
      method: 'POST',
      body,
      answer: Made,
      // what was done, though no answer came, is found the next time
      idempotent: true,
      ...(correlationId === undefined ? {} : { correlationId }),
      ...calledOffBy(signal),
    });
    if (made.kind === 'ok') return void changed(tenant.name, name, 'made');
    return made.kind === 'refused' && made.status === 409
      ? 'there'
      : unmade(made, `make the resource ${name}`);
  }

  /** Permissions are tied to the resource's own id, so that one that may be of an earlier endpoint is never used again. */
  async function makeNow(tenant: Tenant, wish: ResourceWish): Promise<Retry | undefined> {
    const { endpointId, signal, mayReplace } = wish;
    const made = await post(tenant, wish);
    if (made !== 'there') return made;
    if (mayReplace === undefined) return undefined;
    const changing = `The endpoint "${endpointId}" is being changed by others. Try again shortly.`;
    const removed = await removeNow(tenant, nameOf(wish), signal, mayReplace);
    if (removed === 'kept') return retry('overloaded', changing);
    if (removed !== undefined) return removed;
    const again = await post(tenant, wish);
    return again === 'there' ? retry('overloaded', changing) : again;
  }

  /** @param mayRemove asked when it is known what there is, just before that is removed; false: 'kept' */
  async function removeNow(
    tenant: Tenant,
    name: string,
    signal: AbortSignal | undefined,
    mayRemove: () => Promise<boolean>,
  ): Promise<Retry | 'kept' | undefined> {
    const found = await find(tenant, name, signal);
    if (found.kind !== 'ok') return unmade(found, `say whether there is a resource ${name}`);
    if (!(await mayRemove())) return 'kept';
    for (const id of found.value) {
      const removal = { method: 'DELETE', path: [id], answer: NOTHING, ...calledOffBy(signal) } as const;
      const removed = await tokens.ask(tenant, 'resources', removal);
      if (removed.kind !== 'ok' && !(removed.kind === 'refused' && removed.status === 404))
        return unmade(removed, `remove the resource ${name}`);
    }
    changed(tenant.name, name, 'removed');
    return undefined;
  }

  return {
    async make(wish) {
      const { endpointId, isOfTask, signal } = wish;
      if (nameOf(wish).length > MAX_NAME)
        return refuse(
          'invalid-endpoint-id',
          `The id has ${endpointId.length} characters; where each endpoint has a resource at the auth server, it may have ${MAX_NAME - 'endpoint-'.length}.`,
        );
      const tenant = tenants.byName(wish.tenant);
      if (tenant === undefined) return away(`There is no tenant ${wish.tenant} (any more).`);
      const slots = slotsOf(tenant)[isOfTask === true ? 'background' : 'singles'];
      return inTurn(slots, signal, () => makeNow(tenant, wish));
    },

    async remove(of, signal) {
      const name = nameOf(of);
      // none was made of it, and there is nowhere to ask
      if (name.length > MAX_NAME) return undefined;
      const tenant = tenants.byName(of.tenant);
      if (tenant === undefined)
        return tenants.isComplete()
          ? undefined
          : away(`It is not known whether there is a tenant ${of.tenant}.`);
      const removed = await inTurn(slotsOf(tenant).background, signal, () =>
        removeNow(tenant, name, signal, async () => true),
      );
      return removed === 'kept' ? undefined : removed;
    },
  };
}

function nameOf({ endpointId }: ResourceOf): string {
  return `endpoint-${endpointId}`;
}

function away(message: string): Retry {
  return retry('auth-server-unavailable', message);
}

function calledOffBy(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** It says so itself, or this service has nothing to show. */
function isOfClient(answer: Unmade): boolean {
  return answer.kind === 'refused'
    ? answer.status === 401 || answer.status === 403
    : answer.kind === 'unavailable';
}
