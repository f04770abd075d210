import { Type } from '@sinclair/typebox';
import { parsePlace, PLACE_EXAMPLE, PLACE_PATTERN, type Place } from '../../live/index.js';
import { noApplication } from '../../model/catalogue.js';
import { EVENT_KINDS } from '../../model/event.js';
import { type Refusal, refuse } from '../../model/errors.js';
import type { Retry } from '../../model/outcome.js';
import { type Call, type Route, type RouteDeps, defineRoute } from '../table/route.js';
import { grantedApplications, readableEndpoint } from '../authorization.js';
import type { Readable } from '../streams/event-text.js';
import { TICKET_MS } from '../streams/tickets.js';
import { NOT_STORED, reply } from '../table/reply.js';
import { closedObject, wordOf } from '../table/schemas.js';
import { LiveEvent } from './event-schemas.js';

const wanted = (description: string, example: string) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description, examples: [[example]] }));

const TICKET_EXAMPLE = '9WgS0Xl4Zq3v6pD1sT8yJk2mN5bH7cR0eF4uA6wQ1xo';

const dataExample = {
  type: 'metadata-updated',
  messageId: 'kettle-1.2.metadata-updated',
  source: 'kettle-1',
  application: 'demo',
  correlationId: '5c1d9a52-0f5e-4d0b-8a43-2c1e4b1f7a10',
  timestamp: 1489750202643,
  timeout: 0,
  appVersionName: 'demo-v1',
  endpointId: 'kettle-1',
  removed: {},
  added: { temp: '21' },
  updated: { city: { newValue: '"Kyiv"', oldValue: '"Lviv"' } },
  originatorReplicaId: 'epr-1',
};

const live = defineRoute({
  operationId: 'streamEvents',
  method: 'GET',
  path: '/events',
  summary: 'Live events',
  description:
    'Server-Sent Events: `event` is the type, `data` a JSON object with `type`, `messageId` (the `Nats-Msg-Id` of the ' +
    'published event), `source` (the endpoint or filter, or the relations of a tenant), `application` and the fields of the published record. Each ' +
    'parameter may be repeated; an event must fit all of them. With authorization on, events of an endpoint come to who has ' +
    '`endpoint:read` on it as well; of an event of relations, `endpointIds` has those that are granted. Events of filters ' +
    '(pending, activated, deleted) need `application:read` alone.\n\n' +
    '`id` is a place in the sequence of all events: a reader that comes back with it, in the header `Last-Event-ID` (as ' +
    'browsers do by themselves) or, where it can not send that, in the parameter `lastEventId`, gets what came behind it and ' +
    'then what happens, nothing missed and nothing twice, restarts of the register included. The header counts where both are given. Where events may be missing, there is an event `gap` ' +
    'with a `reason` (`unknown-id`, `too-old`, `unclean-stop`, `uncertain-write`) and a `message`: then read again what ' +
    'you follow. How much is kept: `live-events.recent-size` and `live-events.recent-age`.\n\n' +
    'Every 15 s a comment shows that the connection is there, with an `id` that moves the place along events that were ' +
    'not wanted. A reader that is more than 1 MiB behind what happens, or takes nothing for a minute, gets a last event ' +
    '`dropped` with the reason, and may come back; so does one whose access token expires, and one who may not read any more what was asked for: rights are held against it every 5 s. An `EventSource` of a browser sends ' +
    'no token: it takes a `ticket` (`POST /events/tickets`), which is good for one connection.',
  tags: ['Events'],
  access: { scope: 'application:read', on: 'each' },
  query: closedObject({
    application: wanted('Only events of these applications.', 'demo'),
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
    lastEventId: Type.Optional(
      Type.String({
        pattern: PLACE_PATTERN,
        examples: [PLACE_EXAMPLE],
        description: 'The id of an event.',
      }),
    ),
    ticket: Type.Optional(
      Type.String({
        maxLength: 100,
        description: 'Stands for the caller, in the place of a token.',
        examples: [TICKET_EXAMPLE],
      }),
    ),
  }),
  resumable: true,
  takesTicket: true,
  webSocket:
    'As a WebSocket (the same URL with `ws:`, the same parameters), each event is a message with one JSON object: `id` and ' +
    'what is in `data` above. `{"id", "type": "welcome"}` is the first, `{"id", "type": "heartbeat"}` comes every 15 s. The ' +
    'register closes with 1001 (stopping), 1008 (it takes no messages, or the right to read is gone), 1013 (too slow, or rights ' +
    'can not be known now; come back) or 3000 (the token has expired, or its tenant is no more), and a reason. A browser sends its token as a subprotocol, `bearer.<token>` beside `epr-events`. A page ' +
    'of another host may not open it: 403.',
  responses: {
    200: {
      description: 'Events until one side closes.',
      mediaType: 'text/event-stream',
      schema: Type.String({
        contentMediaType: 'text/event-stream',
        contentSchema: Type.Array(LiveEvent, { description: 'What is in `data` of each.' }),
      }),
      example: `id: ${PLACE_EXAMPLE}\nevent: metadata-updated\ndata: ${JSON.stringify(dataExample)}\n\n`,
    },
  },
  errors: ['application-not-found', 'filter-not-found', 'overloaded'],
  async handle(call, deps) {
    const { application, endpointId, filterId, type } = call.query;
    for (const name of application ?? []) {
      const catalogue = deps.register.catalogue();
      const found = catalogue.known.application(name);
      if (found === undefined || (call.caller.tenant !== undefined && found.tenant !== call.caller.tenant))
        return noApplication(catalogue, name);
    }
    const unknown = filterId?.find((id) => !deps.register.filters.has(call.context, id));
    if (unknown !== undefined)
      return refuse(
        'filter-not-found',
        `There is no filter "${unknown.slice(0, 200)}"; /api/v1/applications/{app}/filters lists those of an application.`,
      );
    const from = placeOf(call.lastEventId, call.query.lastEventId);
    if (from !== undefined && 'kind' in from) return from;
    const askReadable = () => readableOf(call, application, deps);
    const readable = await askReadable();
    if ('kind' in readable) return readable;
    const interest = {
      tenant: call.caller.tenant,
      readable,
      endpointIds: setOf(endpointId),
      filterIds: setOf(filterId),
      types: setOf(type),
    };
    if (deps.events.full)
      return refuse('overloaded', 'There are as many live event streams as are allowed. Try again later.');
    return {
      kind: 'takeover',
      begin(exchange) {
        deps.events.subscribe(exchange, interest, from, call.caller, askReadable);
      },
    };
  },
});

/** Where a reader goes on. An empty id is none: it is what a browser has that got no event. */
function placeOf(header: string | undefined, parameter: string | undefined): Place | Refusal | undefined {
  if (header === undefined || header === '') return parsePlace(parameter ?? '');
  return (
    parsePlace(header) ??
    refuse(
      'invalid-header',
      `Last-Event-ID must be the id of an event, such as ${PLACE_EXAMPLE}; found "${header.slice(0, 80)}".`,
    )
  );
}

function setOf(values: readonly string[] | undefined): ReadonlySet<string> | undefined {
  return values === undefined || values.length === 0 ? undefined : new Set(values);
}

/** A stream of events of filters is one, too: who may read no endpoint is not refused. */
async function readableOf(
  call: Pick<Call, 'caller'>,
  named: readonly string[] | undefined,
  deps: RouteDeps,
): Promise<Readable | Refusal | Retry> {
  const applications = await readableApplications(call, named, deps);
  if (applications !== undefined && 'kind' in applications) return applications;
  const endpoint = await readableEndpoint(call, deps);
  return endpoint !== undefined && 'kind' in endpoint ? endpoint : { applications, endpoint };
}

/**
 * With nobody asked: those named, or all. Else those that the caller may read now: all that are named, or those there are. A
 * stream on which nothing could ever come is refused.
 */
async function readableApplications(
  { caller }: Pick<Call, 'caller'>,
  named: readonly string[] | undefined,
  deps: RouteDeps,
): Promise<ReadonlySet<string> | Refusal | Retry | undefined> {
  if (!deps.access.authenticates) return setOf(named);
  const own = deps.register
    .catalogue()
    .known.applications()
    .filter(({ tenant }) => tenant === caller.tenant)
    .map(({ name }) => name);
  const asked = named === undefined || named.length === 0 ? own : named;
  const granted = await grantedApplications({ caller }, 'application:read', asked, deps);
  if ('kind' in granted) return granted;
  const readable = new Set(granted);
  const denied = asked.find((name) => !readable.has(name));
  if (denied === undefined || (asked === own && readable.size > 0)) return readable;
  const which = asked === own ? 'any application' : `application-${denied.slice(0, 200)}`;
  return refuse('forbidden', `The caller is not granted application:read on ${which}.`);
}

const ticket = defineRoute({
  operationId: 'issueEventTicket',
  method: 'POST',
  path: '/events/tickets',
  summary: 'A ticket for live events',
  description:
    'Stands for the caller in the parameter `ticket` of `GET /events`, once and within 30 s, at the replica that gave it. For ' +
    'the `EventSource` of a browser, which can not send a token; what can send headers needs none.',
  tags: ['Events'],
  access: { scope: 'application:read', on: 'each' },
  responses: {
    201: {
      description: 'The ticket.',
      schema: Type.Object({
        ticket: Type.String(),
        expiresInMs: Type.Integer({ description: 'How long it is good.' }),
      }),
      example: { ticket: TICKET_EXAMPLE, expiresInMs: TICKET_MS },
    },
  },
  errors: ['overloaded'],
  async handle(call, deps) {
    const readable = await readableApplications(call, undefined, deps);
    if (readable !== undefined && 'kind' in readable) return readable;
    const issued = deps.tickets.issue(call.caller);
    if ('kind' in issued) return issued;
    return { ...reply(201, { ...issued, expiresInMs: TICKET_MS }), headers: NOT_STORED };
  },
});

export const eventRoutes: readonly Route[] = [live, ticket];
