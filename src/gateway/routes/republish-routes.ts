import { Type } from '@sinclair/typebox';
import { awaited } from '../../model/catalogue.js';
import { type Refusal, refuse } from '../../model/errors.js';
import { isDecided } from '../../security/index.js';
import type { Retry } from '../../model/outcome.js';
import type { Republishing, RepublishStatus } from '../../model/republishing.js';
import { named } from '../table/described.js';
import { reply } from '../table/reply.js';
import { type Call, type Route, type RouteDeps, defineRoute } from '../table/route.js';
import { closedObject, wordOf } from '../table/schemas.js';

const tags = ['Events'] as const;
const PATH = '/events/republish';
const SCOPE = 'application:events:republish';
const access = { scope: SCOPE, on: 'each', resource: 'every application' } as const;

/** RFC 3339, without leap seconds; a day that its month lacks is the one so much later. */
const TIME =
  '^[1-9]\\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])T([01]\\d|2[0-3])(:[0-5]\\d){2}(\\.\\d{1,9})?(Z|[+-](0\\d|1[0-4]):[0-5]\\d)$';

const Count = Type.Integer({ minimum: 0 });
const DateTime = Type.String({ format: 'date-time' });
const Nullable = (description: string) =>
  Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time', description });

const Status = named(
  'RepublishStatus',
  closedObject({
    id: Type.String(),
    state: wordOf('running', 'done', 'cancelled', 'failed'),
    since: DateTime,
    startedDate: DateTime,
    endedDate: Nullable('null while it is running.'),
    keptSince: Nullable('From when on all events are kept; null: from the first one on.'),
    changes: closedObject(
      { total: Count, done: Count },
      { description: 'Changes since then, each with one or several events.' },
    ),
    events: closedObject({
      sent: Type.Integer({ minimum: 0, description: 'Acknowledged, repeats included.' }),
      repeated: Type.Integer({
        minimum: 0,
        description: 'Those of them that the stream had, and dropped by their `Nats-Msg-Id`.',
      }),
      failed: Type.Integer({
        minimum: 0,
        description: 'Given up: too large, or refused again and again; the log names them.',
      }),
    }),
    missing: Type.Array(
      closedObject({
        reason: wordOf('not-kept', 'gap', 'too-slow', 'dropped', 'other-processes', 'replica-ended'),
        message: Type.String(),
      }),
      { description: 'Why events since then may not be among them; empty: all are.' },
    ),
    waiting: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'Why nothing moves.' }),
  }),
);

const example = {
  id: '0b9c1f7e-5f0e-4b7e-8a39-3f9b7a4c2d11',
  state: 'running',
  since: '2026-11-22T10:00:00.000Z',
  startedDate: '2026-11-22T10:31:07.120Z',
  endedDate: null,
  keptSince: '2026-11-22T09:12:44.802Z',
  changes: { total: 120_418, done: 40_960 },
  events: { sent: 52_311, repeated: 0, failed: 0 },
  missing: [],
  waiting: null,
};

const start = defineRoute({
  operationId: 'republishEvents',
  method: 'POST',
  path: PATH,
  summary: 'Send events to NATS again',
  description:
    'For when a broker has lost what it acknowledged. The events of all changes since a time are published once more, as ' +
    'they were: the same subjects, bytes and `Nats-Msg-Id`, those of one endpoint in their order. A stream drops those that ' +
    'it got within its duplicate window and still knows; one that belongs behind an older one that it took again is sent until ' +
    'it has forgotten it (`waiting` says so). Others reach consumers a second time, so these must bear a repeated event. ' +
    'New events wait until it is done, so that no old event of an endpoint comes after a newer one; callers do not wait.\n\n' +
    'Sent are events that are kept for live readers (`live-events.recent-age`, `live-events.recent-size`; with MongoDB each ' +
    'replica sends those of its own changes since its start, and any of them can be asked). What is missing is said in the answer, and in the status. One at a time; a restart ends it, with several replicas the part of that one.',
  tags,
  access,
  body: {
    as: Type.Unsafe<{ since: string }>({}),
    content: {
      'application/json': {
        schema: closedObject({
          since: Type.String({
            description: 'A time with its zone (RFC 3339), not in the future.',
            pattern: TIME,
            examples: ['2026-11-22T10:00:00Z'],
          }),
        }),
        example: { since: '2026-11-22T10:00:00Z' },
      },
    },
    levelsAbove: 1,
  },
  responses: { 202: { description: 'Begun.', schema: Status, example, headers: ['Location'] } },
  errors: ['applications-unavailable', 'no-broker', 'republishing-already'],
  async handle(call, deps) {
    const sinceMs = Date.parse(call.body.since);
    if (sinceMs > call.receivedMs) {
      const message = `must be a time that is over; found ${call.body.since}, and now it is ${new Date(call.receivedMs).toISOString()}.`;
      return refuse('invalid-body', `"since" ${message}`, [{ path: '/since', message }]);
    }
    const republishing = await permitted(call, deps);
    if ('kind' in republishing) return republishing;
    const status = await republishing.begin(sinceMs);
    return 'kind' in status ? status : { ...reply(202, shown(status)), location: PATH };
  },
});

const status = defineRoute({
  operationId: 'getRepublishStatus',
  method: 'GET',
  path: PATH,
  summary: 'See how events are sent again',
  description:
    'The one that is under way, or the last one: of this process since its start, or of all replicas, whichever is asked.',
  tags,
  access,
  responses: { 200: { description: 'How it stands.', schema: Status, example } },
  errors: ['applications-unavailable', 'no-broker', 'republishing-not-found'],
  async handle(call, deps) {
    const republishing = await permitted(call, deps);
    if ('kind' in republishing) return republishing;
    const status = await republishing.status();
    if (status === undefined) return refuse('republishing-not-found');
    return 'kind' in status ? status : reply(200, shown(status));
  },
});

const cancel = defineRoute({
  operationId: 'cancelRepublish',
  method: 'DELETE',
  path: PATH,
  summary: 'Stop sending events again',
  description:
    'What was sent stays sent; new events are published again. Without one under way, nothing happens.',
  tags,
  access,
  responses: { 204: { description: 'Nothing is sent again any more.' } },
  errors: ['applications-unavailable', 'no-broker'],
  async handle(call, deps) {
    const republishing = await permitted(call, deps);
    if ('kind' in republishing) return republishing;
    return (await republishing.cancel()) ?? reply(204);
  },
});

/** All events go again, so the caller needs the scope on every application there is, of every tenant. */
async function permitted(call: Call, deps: RouteDeps): Promise<Republishing | Refusal | Retry> {
  const catalogue = deps.register.catalogue();
  const unknown = awaited(catalogue);
  if (unknown !== undefined) return unknown;
  const applications = catalogue.known.applications();
  const resources = applications.map(({ name }) => `application-${name}`);
  const { tenant } = call.caller;
  const isOwn = tenant === undefined || applications.every((application) => application.tenant === tenant);
  const granted = isOwn ? await deps.access.decide(call.caller, SCOPE, resources) : [false];
  if (!isDecided(granted)) return granted;
  if (!granted.every(Boolean))
    return refuse('forbidden', `The caller is not granted ${SCOPE} on every application.`);
  return deps.republishing ?? refuse('no-broker');
}

function shown({ sinceMs, startedMs, endedMs, keptSinceMs, waiting, ...rest }: RepublishStatus) {
  const dateOf = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
  return {
    ...rest,
    since: dateOf(sinceMs),
    startedDate: dateOf(startedMs),
    endedDate: dateOf(endedMs),
    keptSince: dateOf(keptSinceMs),
    waiting: waiting ?? null,
  };
}

export const republishRoutes: readonly Route[] = [start, status, cancel];
