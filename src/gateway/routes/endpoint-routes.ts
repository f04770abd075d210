import { Type } from '@sinclair/typebox';
import { applicationOf } from '../authorization.js';
import { noVersion } from '../../model/catalogue.js';
import { ok } from '../../model/outcome.js';
import { headOf } from '../../model/record.js';
import type { Registration, RegistrationRelation } from '../../register/index.js';
import { documented, named } from '../table/described.js';
import { NOT_STORED, reply, replyJson } from '../table/reply.js';
import { type Route, defineRoute } from '../table/route.js';
import {
  AppVersion,
  Endpoint,
  EndpointId,
  EndpointQuery,
  EndpointToken,
  Metadata,
  VersionName,
  closedObject,
  endpointParameters,
  include,
  wordOf,
} from '../table/schemas.js';
import { commandOf } from './commands.js';
import { deleteEndpoints } from './endpoint-deletion.js';
import { listEndpoints } from './endpoint-list.js';
import { searchEndpoints } from './endpoint-search.js';
import {
  appVersionExample,
  appVersionOf,
  endpointExample,
  endpointJson,
  readInclude,
} from './endpoint-views.js';
import { refuseUngranted } from './relation-access.js';
import { MAX_RELATIONS } from './relation-routes.js';

const tags = ['Endpoints'] as const;

const OwnRelation = named(
  'OwnRelation',
  documented(
    Type.Object(
      { type: wordOf('contains'), from: Type.Optional(EndpointId), to: Type.Optional(EndpointId) },
      {
        additionalProperties: false,
        minProperties: 2,
        maxProperties: 2,
        description: 'Its container, or what it contains.',
      },
    ),
    () => ({ oneOf: [{ required: ['from'] }, { required: ['to'] }] }),
  ),
);

const Registering = named(
  'EndpointRegistration',
  closedObject({
    appVersion: VersionName,
    metadata: Type.Optional(Metadata),
    endpointToken: Type.Optional(EndpointToken),
    endpointId: Type.Optional(EndpointId),
    relations: Type.Optional(
      Type.Array(OwnRelation, {
        maxItems: MAX_RELATIONS,
        description:
          'Its containers (`from`) and what it contains (`to`): registered with all of them, or not at all.',
      }),
    ),
  }),
);

const Registered = named(
  'RegisteredEndpoint',
  closedObject({
    token: Type.String({ description: 'Shown this once only when it was made here.' }),
    status: Type.Literal('Inactive'),
    endpointId: EndpointId,
  }),
);

const register = defineRoute({
  operationId: 'registerEndpoint',
  method: 'POST',
  path: '/endpoints',
  summary: 'Register an endpoint',
  description:
    'A missing id is made (a UUID), and so is a missing token, which is answered this once only. `relations` need ' +
    '`endpoint:update` on every endpoint that they name. Where credential management issues tokens and is away, the answer ' +
    'is 503; the same request may be sent again.',
  tags,
  access: {
    scope: 'application:endpoint:create',
    on: (call, register) => applicationOf(call, register, call.body.appVersion.name),
    resource: 'application-<the one of appVersion>',
  },
  query: EndpointQuery,
  body: {
    as: Registering,
    content: {
      'application/json': {
        schema: Registering,
        example: {
          appVersion: { name: 'demo-v1' },
          metadata: { city: 'Kyiv' },
          endpointId: 'kettle-1',
        },
      },
    },
    levelsAbove: 2,
  },
  idempotent: true,
  responses: {
    201: {
      description: 'Registered.',
      schema: Registered,
      headers: ['Location'],
      example: { token: 'sLn4UNjbGqYZ0mXWpR7k', status: 'Inactive', endpointId: 'kettle-1' },
    },
  },
  errors: [
    'invalid-metadata-key',
    'too-many-keys',
    'key-restricted',
    'application-version-not-found',
    'endpoint-exists',
    'token-taken',
    'token-refused',
    'credentials-unavailable',
    'endpoint-not-found',
    'relation-to-itself',
    'relation-cycle',
    'too-many-containers',
    'endpoint-too-large',
  ],
  async handle(call, deps) {
    const { body } = call;
    const relations = (body.relations ?? []).map(({ from, to }): RegistrationRelation =>
      from === undefined ? { to: to! } : { from },
    );
    const named = relations.map(({ from, to }, i) => ({
      endpointId: from ?? to,
      path: `/relations/${i}/${from === undefined ? 'to' : 'from'}`,
    }));
    const refused = await refuseUngranted(call, named, deps);
    if (refused !== undefined) return refused;
    const registration: Registration = {
      versionName: body.appVersion.name,
      metadata: body.metadata ?? {},
      relations,
    };
    if (body.endpointId !== undefined) registration.endpointId = body.endpointId;
    if (body.endpointToken !== undefined) registration.endpointToken = body.endpointToken;
    const answer = await deps.register.endpoints.register(call.context, registration);
    if (answer.kind !== 'ok') return answer;
    const { endpointId, token } = answer.value;
    return {
      ...reply(201, { token, status: 'Inactive', endpointId }),
      headers: NOT_STORED,
      location: `/endpoints/${encodeURIComponent(endpointId)}`,
    };
  },
});

const get = defineRoute({
  operationId: 'getEndpoint',
  method: 'GET',
  path: '/endpoints/{endpointId}',
  summary: 'Get an endpoint',
  tags,
  access: { scope: 'endpoint:read', on: 'endpoint' },
  query: closedObject({ ...endpointParameters, include }),
  responses: { 200: { description: 'The endpoint.', schema: Endpoint, example: endpointExample } },
  errors: ['endpoint-not-found'],
  async handle(call, deps) {
    const included = readInclude(call.query.include);
    if ('kind' in included) return included;
    const answer = await deps.register.endpoints.get(call.context, call.path.endpointId);
    if (answer.kind !== 'ok') return answer;
    const filters = included.filters ? await deps.register.endpoints.filterIds([answer.value]) : ok([[]]);
    if (filters.kind !== 'ok') return filters;
    return replyJson(endpointJson(answer.value, included, filters.value[0]!));
  },
});

const unregister = defineRoute({
  operationId: 'unregisterEndpoint',
  method: 'DELETE',
  path: '/endpoints/{endpointId}',
  summary: 'Unregister an endpoint',
  description: '`If-Match` takes the ETag of its metadata.',
  tags,
  access: { scope: 'endpoint:delete', on: 'endpoint' },
  query: EndpointQuery,
  conditional: true,
  responses: { 204: { description: 'Unregistered.' } },
  errors: ['endpoint-not-found'],
  async handle(call, deps) {
    const outcome = await deps.register.endpoints.submit(commandOf(call, { type: 'unregister' }));
    return outcome.kind === 'refused' || outcome.kind === 'retry' ? outcome : reply(204);
  },
});

const getAppVersion = defineRoute({
  operationId: 'getAppVersion',
  method: 'GET',
  path: '/endpoints/{endpointId}/app-version',
  summary: 'Get the application version of an endpoint',
  tags,
  access: { scope: 'endpoint:read', on: 'endpoint' },
  query: EndpointQuery,
  responses: {
    200: {
      description: 'The version, and when the endpoint got it.',
      schema: AppVersion,
      example: appVersionExample,
    },
  },
  errors: ['endpoint-not-found'],
  async handle(call, deps) {
    const answer = await deps.register.endpoints.get(call.context, call.path.endpointId);
    return answer.kind === 'ok' ? reply(200, appVersionOf(headOf(answer.value))) : answer;
  },
});

const putAppVersion = defineRoute({
  operationId: 'setAppVersion',
  method: 'PUT',
  path: '/endpoints/{endpointId}/app-version',
  summary: 'Give an endpoint another version of its application',
  description: '`If-Match` takes the ETag of its metadata.',
  tags,
  access: { scope: 'endpoint:update', on: 'endpoint' },
  query: EndpointQuery,
  body: {
    as: VersionName,
    content: { 'application/json': { schema: VersionName, example: { name: 'demo-v2' } } },
    levelsAbove: 1,
  },
  conditional: true,
  responses: {
    200: {
      description: 'The version, and when the endpoint got it.',
      schema: AppVersion,
      example: { ...appVersionExample, name: 'demo-v2' },
    },
  },
  errors: ['endpoint-not-found', 'application-version-not-found', 'other-application'],
  async handle(call, deps) {
    const catalogue = deps.register.catalogue();
    const version = catalogue.version(call.body.name);
    if (version === undefined || (call.caller.tenant !== undefined && version.tenant !== call.caller.tenant))
      return noVersion(catalogue, call.body.name);
    const outcome = await deps.register.endpoints.submit(commandOf(call, { type: 'set-version', version }));
    if (outcome.kind === 'refused' || outcome.kind === 'retry') return outcome;
    return reply(200, {
      name: version.version,
      registeredDate: new Date(outcome.versionSinceMs).toISOString(),
    });
  },
});

export const endpointRoutes: readonly Route[] = [
  register,
  listEndpoints,
  searchEndpoints,
  deleteEndpoints,
  get,
  unregister,
  getAppVersion,
  putAppVersion,
];
