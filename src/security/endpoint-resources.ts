import { type TSchema, Type } from '@sinclair/typebox';
import type { Logger } from 'pino';
import { refuse } from '../model/errors.js';
import { retry, type Retry } from '../model/outcome.js';
import type { PeerAnswer } from '../peers/index.js';
import type { EndpointResources } from '../register/index.js';
import type { ServiceTokens } from './service-tokens.js';
import type { Tenants } from './tenants.js';

export interface EndpointResourcesDeps {
  tenants: Pick<Tenants, 'byName'>;
  tokens: Pick<ServiceTokens, 'ask'>;
  /** told of each that was made or removed */
  changed: (resource: string) => void;
  log: Logger;
}

const SCOPES = ['endpoint:read', 'endpoint:update', 'endpoint:delete'];
/** Keycloak's column: a longer name is an error of its database. */
const MAX_NAME = 255;
const TOLD_EVERY_MS = 30_000;

const Made = Type.Object({ _id: Type.String() });
const Ids = Type.Array(Type.String());
const NOTHING = Type.Unknown();

/** Resources `endpoint-<id>` by the UMA protection API: what policies of the auth server speak of. */
export function createEndpointResources(deps: EndpointResourcesDeps): EndpointResources {
  const { tenants, tokens, changed, log } = deps;
  let toldMs = -Infinity;

  function unmade(answer: Exclude<PeerAnswer<unknown>, { kind: 'ok' }>, doing: string): Retry {
    const isSetUpWrongly = answer.kind !== 'unavailable' || answer.cause === 'no-token';
    if (isSetUpWrongly && performance.now() - toldMs > TOLD_EVERY_MS) {
      toldMs = performance.now();
      log.error(
        { found: answer.message },
        'the auth server keeps no resources for this service: its client needs authorization with UMA protection, and kaa.tenants.<tenant>.client-secret',
      );
    }
    return retry('auth-server-unavailable', `The auth server did not ${doing}. Try again shortly.`);
  }

  async function ask<T extends TSchema>(
    tenantName: string,
    request: Parameters<typeof tokens.ask<T>>[2],
  ): Promise<PeerAnswer<T['static']>> {
    const tenant = tenants.byName(tenantName);
    if (tenant !== undefined) return tokens.ask(tenant, 'resources', request);
    const message = `there is no tenant ${tenantName} (any more)`;
    return { kind: 'unavailable', cause: 'no-token', message, mayBeDone: false };
  }

  const find = (tenant: string, name: string) =>
    ask(tenant, { method: 'GET', query: { name, exactName: 'true' }, answer: Ids });

  return {
    async make({ tenant, endpointId, creator, correlationId, mayTakeOver }) {
      const name = `endpoint-${endpointId}`;
      if (name.length > MAX_NAME)
        return refuse(
          'invalid-endpoint-id',
          `The id has ${endpointId.length} characters; where each endpoint has a resource at the auth server, it may have ${MAX_NAME - 'endpoint-'.length}.`,
        );
      const body = {
        name,
        type: 'endpoint',
        resource_scopes: SCOPES,
        attributes: creator === undefined ? {} : { creator: [creator] },
        ownerManagedAccess: false,
      };
      // what was done, though no answer came, is found the next time
      const made = await ask(tenant, { method: 'POST', body, answer: Made, correlationId, idempotent: true });
      if (made.kind === 'ok') return void changed(name);
      if (made.kind !== 'refused' || made.status !== 409) return unmade(made, `make the resource ${name}`);
      const found = await find(tenant, name);
      if (found.kind !== 'ok') return unmade(found, `say whether there is a resource ${name}`);
      const [id] = found.value;
      if (id === undefined || !(await mayTakeOver()))
        return retry(
          'overloaded',
          `The endpoint "${endpointId}" is being changed by others. Try again shortly.`,
        );
      const taken = await ask(tenant, { method: 'PUT', path: [id], body, answer: NOTHING, correlationId });
      if (taken.kind !== 'ok') return unmade(taken, `take over the resource ${name}`);
      return void changed(name);
    },

    async remove({ tenant, endpointId }) {
      const name = `endpoint-${endpointId}`;
      // none was made of it, and there is nowhere to ask
      if (name.length > MAX_NAME || tenants.byName(tenant) === undefined) return undefined;
      const found = await find(tenant, name);
      if (found.kind !== 'ok') return unmade(found, `say whether there is a resource ${name}`);
      for (const id of found.value) {
        const removed = await ask(tenant, { method: 'DELETE', path: [id], answer: NOTHING });
        if (removed.kind !== 'ok' && !(removed.kind === 'refused' && removed.status === 404))
          return unmade(removed, `remove the resource ${name}`);
      }
      changed(name);
      return undefined;
    },
  };
}
