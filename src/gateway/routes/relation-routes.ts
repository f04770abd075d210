import { createHash } from 'node:crypto';
import { Type } from '@sinclair/typebox';
import type { Answer } from '../../model/outcome.js';
import type { RelationItem, RelationStatus } from '../../register/index.js';
import { readableIds } from '../authorization.js';
import { named } from '../table/described.js';
import { cursorParameter, encodeCursor, readPaging } from '../table/paging.js';
import { type Result, reply } from '../table/reply.js';
import { type Call, type Route, type RouteDeps, defineRoute } from '../table/route.js';
import {
  EndpointId,
  EndpointQuery,
  closedObject,
  endpointParameters,
  pageOf,
  pageParameters,
  wordOf,
} from '../table/schemas.js';
import { refuseUngranted } from './relation-access.js';

const tags = ['Relations'] as const;

/** Of one request; an event that names both ends of each fits into a message. */
export const MAX_RELATIONS = 1000;

const Relations = Type.Array(
  named('Relation', closedObject({ type: wordOf('contains'), from: EndpointId, to: EndpointId })),
  { maxItems: MAX_RELATIONS, description: '`from` is the container, `to` the contained.' },
);

const Changed = (name: string, ...statuses: RelationStatus[]) =>
  Type.Array(
    named(
      name,
      closedObject({
        type: wordOf('contains'),
        from: EndpointId,
        to: EndpointId,
        status: wordOf(...statuses),
      }),
    ),
    { description: 'In the order of the request.' },
  );

const Direction = Type.Unsafe<'contains' | '!contains'>({
  type: 'string',
  enum: ['contains', '!contains'],
  description: '`contains`: what the endpoint contains; `!contains`: what contains it.',
  examples: ['contains'],
});

const body = {
  as: Relations,
  content: {
    'application/json': {
      schema: Relations,
      example: [{ type: 'contains' as const, from: 'kitchen', to: 'kettle-1' }],
    },
  },
  levelsAbove: 2,
};

const bothEnds = {
  scope: 'endpoint:update',
  on: 'each',
  resource: 'endpoint-<from> and endpoint-<to> of each',
} as const;

const link = defineRoute({
  operationId: 'linkEndpoints',
  method: 'PUT',
  path: '/relations/link',
  summary: 'Link endpoints',
  description:
    'All or nothing: one bad item refuses the whole, and `details` say every bad one. Items take effect in their order. ' +
    'Both ends are of one tenant, and no endpoint contains itself, directly or not; an endpoint may have several containers.',
  tags,
  access: bothEnds,
  query: EndpointQuery,
  body,
  responses: {
    200: {
      description: 'What became of each.',
      schema: Changed('LinkedRelation', 'linked', 'already-linked'),
      example: [{ type: 'contains', from: 'kitchen', to: 'kettle-1', status: 'linked' }],
    },
  },
  errors: ['endpoint-not-found', 'relation-to-itself', 'relation-cycle', 'too-many-containers'],
  handle: (call, deps) => change(call, deps, (items) => deps.register.relations.link(call.context, items)),
});

const unlink = defineRoute({
  operationId: 'unlinkEndpoints',
  method: 'PUT',
  path: '/relations/unlink',
  summary: 'Unlink endpoints',
  description: 'All or nothing, as in linking. A relation that is not there is no fault: `not-linked`.',
  tags,
  access: bothEnds,
  query: EndpointQuery,
  body,
  responses: {
    200: {
      description: 'What became of each.',
      schema: Changed('UnlinkedRelation', 'unlinked', 'not-linked'),
      example: [{ type: 'contains', from: 'kitchen', to: 'kettle-1', status: 'unlinked' }],
    },
  },
  errors: ['endpoint-not-found', 'relation-to-itself'],
  handle: (call, deps) => change(call, deps, (items) => deps.register.relations.unlink(call.context, items)),
});

async function change(
  call: Call<never, unknown, readonly RelationItem[]>,
  deps: RouteDeps,
  make: (items: readonly RelationItem[]) => Promise<Answer<RelationStatus[]>>,
): Promise<Result> {
  const items = call.body;
  const named = items.flatMap(({ from, to }, i) => [
    { endpointId: from, path: `/${i}/from` },
    { endpointId: to, path: `/${i}/to` },
  ]);
  const refused = await refuseUngranted(call, named, deps);
  if (refused !== undefined) return refused;
  const answer = await make(items);
  if (answer.kind !== 'ok') return answer;
  const changed = items.map(({ from, to }, i) => ({
    type: 'contains',
    from,
    to,
    status: answer.value[i],
  }));
  return reply(200, changed);
}

const list = defineRoute({
  operationId: 'listRelations',
  method: 'GET',
  path: '/endpoints/{endpointId}/relations',
  summary: 'List what an endpoint contains, or what contains it',
  description:
    'Direct relations only, the newest endpoint first, then by id. `totalElements` counts a relation of an endpoint that ' +
    'is being registered at this moment, which the page does not show yet.',
  tags,
  access: { scope: 'endpoint:read', on: 'endpoint' },
  query: closedObject({
    ...endpointParameters,
    relation: Direction,
    ...pageParameters,
    cursor: cursorParameter,
  }),
  responses: {
    200: {
      description: 'A page of endpoint ids, of those that the caller may read.',
      schema: pageOf('RelationPage', closedObject({ endpointId: EndpointId }), true),
      example: { totalElements: 1, content: [{ endpointId: 'kettle-1' }] },
    },
  },
  errors: ['endpoint-not-found'],
  async handle(call, deps) {
    const { relation: direction } = call.query;
    const { endpointId } = call.path;
    const hash = createHash('sha256').update(`${direction} ${endpointId}`).digest('base64url').slice(0, 8);
    const place = readPaging(call.query, deps.limits(), hash);
    if ('kind' in place) return place;
    const { sort, ...page } = place;
    const among = await readableIds(call, deps);
    if (among !== undefined && 'kind' in among) return among;
    const answer = await deps.register.relations.list(call.context, endpointId, {
      direction,
      ...page,
      ...(among === undefined ? {} : { among }),
    });
    if (answer.kind !== 'ok') return answer;
    const { total, endpointIds, next } = answer.value;
    const content = endpointIds.map((id) => ({ endpointId: id }));
    const cursor = next === undefined ? {} : { nextCursor: encodeCursor(sort, next, hash) };
    return reply(200, { totalElements: total, content, ...cursor });
  },
});

export const relationRoutes: readonly Route[] = [link, unlink, list];
