import type { Static, TObject, TSchema } from '@sinclair/typebox';
import type { Logger } from 'pino';
import type { ErrorCode } from '../../model/errors.js';
import type { Republishing } from '../../model/republishing.js';
import type { Scope } from '../../model/scopes.js';
import type { CallContext, Register } from '../../register/index.js';
import type { Access, Caller, SignIn } from '../../security/index.js';
import type { EventHub } from '../streams/event-hub.js';
import type { OpenStreams } from '../streams/open-streams.js';
import type { Tickets } from '../streams/tickets.js';
import type { GatewayLimits } from '../types.js';
import type { BodyStream } from '../wire/body.js';
import type { PathParameter } from './path-parameters.js';
import type { Result } from './reply.js';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Names in braces of a path: `/a/{x}/{y}` -> `x | y`. */
export type PathNames<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathNames<Rest>
  : never;

/** What handlers work with. */
export interface RouteDeps {
  register: Register;
  access: Access;
  /** undefined: nobody is asked who they are */
  signIn: SignIn | undefined;
  /** `server.public-url` */
  publicUrl: string | undefined;
  limits: () => GatewayLimits;
  events: EventHub;
  streams: OpenStreams;
  tickets: Tickets;
  /** undefined: there is no broker */
  republishing: Republishing | undefined;
  log: Logger;
}

/** One request as its handler sees it: everything checked against the route. */
export interface Call<Names extends string = string, Query = unknown, Body = unknown> {
  path: Readonly<Record<Names, string>>;
  /** path prefix of the request; `''` is none */
  prefix: string;
  query: Query;
  body: Body;
  /** the body's JSON text, white space around it removed; `''` when the route takes none */
  text: string;
  /** of the body */
  mediaType: string;
  caller: Caller;
  context: CallContext;
  /** entity tags of `If-Match`, weak ones left out; absent: no condition */
  ifMatch: readonly string[] | undefined;
  /** entity tags of `If-None-Match`, without their weakness; absent: no condition */
  ifNoneMatch: readonly string[] | undefined;
  /** `Idempotency-Key` of a row that takes it */
  idempotencyKey: string | undefined;
  /** Unix ms */
  receivedMs: number;
  /** `Last-Event-ID`, of a route that goes on from there */
  lastEventId: string | undefined;
  /** the body of a route that streams it */
  stream: BodyStream | undefined;
}

/**
 * What a caller must be granted, and on which resource: the endpoint of the path; the application `{app}` of the path;
 * the application that a function finds (`undefined`: there is none, the handler will say so); or `each`: the handler
 * asks for every item, or shows only what is granted. `resource` says it to readers of the document.
 */
export type Requirement<C> =
  | { scope: Scope; on: 'endpoint' }
  | { scope: Scope; on: 'application' }
  | { scope: Scope; on: 'each'; resource?: string }
  | { scope: Scope; on: (call: C, register: Register) => string | undefined; resource: string };

/** What operations are about, and what the document says of each. */
export const TAGS = {
  Endpoints: 'Registered devices: register, find, unregister, and the application version of each.',
  Batches: 'Many endpoints by one request.',
  Metadata: 'What is known of an endpoint: any JSON under keys. Every change is an event.',
  Relations: 'Which endpoints contain which.',
  Filters: 'Saved queries over the endpoints of an application, whose members follow every change.',
  Events: 'What happens, as it happens.',
  Service: 'About the service itself.',
} as const;
export type Tag = keyof typeof TAGS;

export interface MediaSpec {
  schema: TSchema;
  example?: unknown;
  /** the handler reads it piece by piece */
  streamed?: true;
  /** checked by the handler, which is faster or has something more exact to say */
  unchecked?: true;
  /** of a text that is many items, such as NDJSON: the schema of each */
  itemSchema?: TSchema;
}

/** A request's body. All media types of one route have one meaning; `levelsAbove` are levels of nesting around a metadata value. */
export interface BodySpec<B extends TSchema> {
  /** static type of the body */
  as: B;
  content: Readonly<Record<string, MediaSpec>>;
  levelsAbove: number;
}

export interface ResponseSpec {
  description: string;
  mediaType?: string;
  schema?: TSchema;
  example?: unknown;
  /** other media types, which the request asks for by its own */
  also?: Readonly<Record<string, MediaSpec>>;
  headers?: readonly ('ETag' | 'Location')[];
}

/** One row of the table: all there is to know about an operation. */
export interface RouteSpec<P extends string, Q extends TObject, B extends TSchema> {
  operationId: string;
  method: Method;
  /** under `/api/v1`; what a name in braces may be is in `path-parameters.ts` */
  path: PathNames<P> extends PathParameter ? P : never;
  summary: string;
  description?: string;
  tags: readonly [Tag, ...Tag[]];
  /** `public`: anybody, without a token */
  access: 'public' | Requirement<Call<PathNames<P>, Static<Q>, Static<B>>>;
  query?: Q;
  body?: BodySpec<B>;
  /** takes `If-Match` (writes) or `If-None-Match` (reads) */
  conditional?: true;
  /** takes `Idempotency-Key`: a repeated call is answered as the first was; its reply is a value or a JSON text */
  idempotent?: true;
  /** takes `Last-Event-ID` */
  resumable?: true;
  /** its query has a `ticket`, which stands for the caller where there is no token */
  takesTicket?: true;
  /** also answers a request for a WebSocket: what is sent there, in words */
  webSocket?: string;
  responses: Readonly<Record<number, ResponseSpec>>;
  /** beyond those that every route can answer */
  errors: readonly ErrorCode[];
  handle(call: Call<PathNames<P>, Static<Q>, Static<B>>, deps: RouteDeps): Result | Promise<Result>;
}

/** A row whose own types are forgotten, so that rows fit in one table. */
export interface Route extends Omit<RouteSpec<string, TObject, TSchema>, 'path' | 'access' | 'handle'> {
  path: string;
  access: 'public' | Requirement<Call>;
  handle(call: Call, deps: RouteDeps): Result | Promise<Result>;
}

export function defineRoute<const P extends string, Q extends TObject = TObject, B extends TSchema = TSchema>(
  spec: RouteSpec<P, Q, B>,
): Route {
  // the dispatcher hands each handler only what its own row's schemas let through
  return spec as unknown as Route;
}
