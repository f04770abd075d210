import { Type } from '@sinclair/typebox';
import { EVENT_KINDS } from '../../model/event.js';
import { refuse } from '../../model/errors.js';
import { type Call, type Route, type RouteDeps, defineRoute } from '../table/route.js';
import { closedObject, wordOf } from '../table/schemas.js';

const wanted = (description: string, example: string) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description, examples: [[example]] }));

const live = defineRoute({
  operationId: 'streamEvents',
  method: 'GET',
  path: '/events',
  summary: 'Live events',
  description:
    'Server-Sent Events: `id` as the `Nats-Msg-Id` of the published event, `event` its type, `data` a JSON object with ' +
    '`type`, `source` (the endpoint or filter, or the relations of a tenant), `application` and the fields of the published record. Each parameter may be ' +
    'repeated; an event must fit all of them. A comment every 15 s keeps the connection alive. A reader that is more than ' +
    '1 MiB behind gets a last event `dropped` with the reason. Events that happen while nobody is connected are not kept: ' +
    '`Last-Event-ID` is taken and ignored in this version.',
  tags: ['Events'],
  access: { scope: 'application:read', on: 'each' },
  query: closedObject({
    application: wanted('Only events of these applications.', 'smart_kettle'),
    endpointId: wanted('Only events of these endpoints, and of their relations.', 'kettle-1'),
    filterId: wanted(
      'Only events of these filters: matched, unmatched, pending, activated, deleted.',
      '2f1c5b1e-7c1c-4a5e-9d2b-0f6f1d0f9a11',
    ),
    type: Type.Optional(
      Type.Array(wordOf(...EVENT_KINDS), {
        description: 'Only events of these types.',
        examples: [['metadata-updated']],
      }),
    ),
  }),
  responses: {
    200: {
      description: 'Events until one side closes.',
      mediaType: 'text/event-stream',
      schema: Type.String(),
      example:
        'id: kettle-1.2.metadata-updated\nevent: metadata-updated\ndata: {"type":"metadata-updated","source":"kettle-1","application":"smart_kettle"}\n\n',
    },
  },
  errors: ['application-not-found', 'overloaded'],
  async handle(call, deps) {
    const { application, endpointId, filterId, type } = call.query;
    for (const name of application ?? []) {
      const found = deps.register.catalogue().application(name);
      if (found === undefined || (call.caller.tenant !== undefined && found.tenant !== call.caller.tenant)) {
        return refuse('application-not-found', `There is no application "${name.slice(0, 200)}".`);
      }
    }
    const interest = {
      tenant: call.caller.tenant,
      applications: await readableApplications(call, application, deps),
      endpointIds: setOf(endpointId),
      filterIds: setOf(filterId),
      types: setOf(type),
    };
    if (deps.events.full)
      return refuse('overloaded', 'There are as many live event streams as are allowed. Try again later.');
    return {
      kind: 'takeover',
      begin(exchange) {
        deps.events.subscribe(exchange, interest);
      },
    };
  },
});

function setOf(values: readonly string[] | undefined): ReadonlySet<string> | undefined {
  return values === undefined || values.length === 0 ? undefined : new Set(values);
}

/** With nobody asked: those named, or all. Else those of them that the caller may read now. */
async function readableApplications(call: Call, named: readonly string[] | undefined, deps: RouteDeps) {
  if (!deps.access.authenticates) return setOf(named);
  const names =
    named ??
    deps.register
      .catalogue()
      .applications()
      .map(({ name }) => name);
  const granted = await deps.access.decide(
    call.caller,
    'application:read',
    names.map((name) => `application-${name}`),
  );
  return new Set(names.filter((_name, i) => granted[i] === true));
}

export const eventRoutes: readonly Route[] = [live];
