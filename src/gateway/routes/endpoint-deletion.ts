import { Type } from '@sinclair/typebox';
import { isEndpointId } from '../../model/endpoint.js';
import { refuse } from '../../model/errors.js';
import type { Outcome } from '../../model/outcome.js';
import { refuseEndpoints } from '../authorization.js';
import { ITEMS_IN_FLIGHT } from '../streams/metadata-items.js';
import { named } from '../table/described.js';
import { reply } from '../table/reply.js';
import { type Call, type RouteDeps, defineRoute } from '../table/route.js';
import { Code, EndpointQuery, closedObject } from '../table/schemas.js';
import { commandOn } from './commands.js';

const MAX_IDS = 10_000;

const Deletion = named(
  'EndpointDeletion',
  closedObject({
    endpointIds: Type.Array(Type.String(), {
      maxItems: MAX_IDS,
      description: 'One that is named twice counts once.',
    }),
  }),
);

const Deleted = named(
  'EndpointDeletionResult',
  closedObject({
    deleted: Type.Array(Type.String(), { description: 'In the order of the request.' }),
    failed: Type.Array(
      closedObject({
        endpointId: Type.String(),
        code: Code,
        message: Type.String(),
      }),
      { description: 'In the order of the request, each with what deleting it alone would have answered.' },
    ),
  }),
);

export const deleteEndpoints = defineRoute({
  operationId: 'deleteEndpoints',
  method: 'POST',
  path: '/endpoints/delete',
  summary: 'Unregister many endpoints',
  description:
    'Each by itself: one that fails keeps no other. Those under `overloaded` and `storage-unavailable` may be asked for again.',
  tags: ['Endpoints'],
  access: { scope: 'endpoint:delete', on: 'each' },
  query: EndpointQuery,
  body: {
    as: Deletion,
    content: {
      'application/json': { schema: Deletion, example: { endpointIds: ['kettle-1', 'kettle-2'] } },
    },
    levelsAbove: 2,
  },
  idempotent: true,
  responses: {
    200: {
      description: 'What was unregistered, and what was not.',
      schema: Deleted,
      example: {
        deleted: ['kettle-1'],
        failed: [
          {
            endpointId: 'kettle-2',
            code: 'endpoint-not-found',
            message: 'The endpoint "kettle-2" is not registered.',
          },
        ],
      },
    },
  },
  errors: [],
  async handle(call, deps) {
    const ids = [...new Set(call.body.endpointIds)];
    const answer: typeof Deleted.static = { deleted: [], failed: [] };
    let isFinal = true;
    for (let from = 0; from < ids.length; from += ITEMS_IN_FLIGHT) {
      const some = ids.slice(from, from + ITEMS_IN_FLIGHT);
      const outcomes = await deleteSome(some, call, deps);
      for (let i = 0; i < some.length; i++) {
        const endpointId = some[i]!;
        const outcome = outcomes[i]!;
        isFinal &&= outcome.kind !== 'retry';
        if (outcome.kind === 'refused' || outcome.kind === 'retry')
          answer.failed.push({ endpointId, code: outcome.code, message: outcome.message });
        else answer.deleted.push(endpointId);
      }
    }
    return { ...reply(200, answer), isFinal };
  },
});

async function deleteSome(ids: readonly string[], call: Call, deps: RouteDeps): Promise<Outcome[]> {
  const refused = await refuseEndpoints(call, 'endpoint:delete', ids, deps);
  return Promise.all(
    ids.map(async (id, i): Promise<Outcome> => {
      if (!isEndpointId(id)) return refuse('invalid-endpoint-id');
      return refused[i] ?? deps.register.endpoints.submit(commandOn(id, call, { type: 'unregister' }));
    }),
  );
}
