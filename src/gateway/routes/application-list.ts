import { Type } from '@sinclair/typebox';
import { awaited } from '../../model/catalogue.js';
import { grantedApplications } from '../authorization.js';
import { named } from '../table/described.js';
import { readLimit, readOffset } from '../table/paging.js';
import { reply } from '../table/reply.js';
import { defineRoute } from '../table/route.js';
import { closedObject, pageOf, pageParameters } from '../table/schemas.js';

const deleted = Type.Optional(
  Type.Literal(true, {
    description: 'It is no more: the endpoints that it has are still there, and it takes no new ones.',
  }),
);

const Application = named(
  'Application',
  closedObject({
    name: Type.String(),
    versions: Type.Array(closedObject({ name: Type.String(), deleted }), {
      description: 'In the order of the configuration; deleted ones come last.',
    }),
    deleted,
  }),
);

/** Not in the published interface; without it, who looks at a register for the first time has no name to ask for. */
export const listApplications = defineRoute({
  operationId: 'listApplications',
  method: 'GET',
  path: '/applications',
  summary: 'List the applications and their versions',
  tags: ['Service'],
  access: { scope: 'application:read', on: 'each' },
  query: closedObject(pageParameters),
  responses: {
    200: {
      description: 'A page of those that the caller may read, by name.',
      schema: pageOf('ApplicationPage', Application, false),
      example: {
        totalElements: 1,
        content: [{ name: 'demo', versions: [{ name: 'demo-v1' }] }],
      },
    },
  },
  errors: ['applications-unavailable'],
  async handle(call, deps) {
    const limit = readLimit(call.query.limit, deps.limits());
    if (typeof limit !== 'number') return limit;
    const offset = readOffset(call.query.offset);
    const { tenant } = call.caller;
    const catalogue = deps.register.catalogue();
    const unknown = awaited(catalogue);
    if (unknown !== undefined) return unknown;
    const known = catalogue.known
      .applications()
      .filter((application) => tenant === undefined || application.tenant === tenant);
    const names = known.map(({ name }) => name);
    const granted = await grantedApplications(call, 'application:read', names, deps);
    if ('kind' in granted) return granted;
    const readable = new Set(granted);
    const applications = known
      .filter(({ name }) => readable.has(name))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const content = applications.slice(offset, offset + limit).map(({ name, versions }) => ({
      name,
      versions: versions.map((version) => ({
        name: version,
        ...gone(catalogue.version(version)?.application === name),
      })),
      ...gone(catalogue.application(name) !== undefined),
    }));
    return reply(200, { totalElements: applications.length, content });
  },
});

function gone(present: boolean): { deleted?: true } {
  return present ? {} : { deleted: true };
}
