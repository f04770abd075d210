import { type TProperties, type TSchema, Type } from '@sinclair/typebox';
import { ENDPOINT_ID, ENDPOINT_TOKEN, NAME, TOKEN_FORM } from '../../model/endpoint.js';
import { type ErrorCode, ERRORS } from '../../model/errors.js';
import type { JsonObject, JsonValue } from '../../model/json.js';
import type { GatewayLimits } from '../types.js';
import { documented, keyKeywords, named } from './described.js';

const closed = { additionalProperties: false } as const;

export function closedObject<T extends TProperties>(properties: T, said: { description?: string } = {}) {
  return Type.Object(properties, { ...closed, ...said });
}

export function wordOf<const T extends string>(...words: readonly T[]) {
  return Type.Unsafe<T>({ type: 'string', enum: words });
}

export const AnyJson = Type.Unsafe<JsonValue>({ description: 'Any JSON value.' });

const metadataLimits = (limits: GatewayLimits) => ({
  maxProperties: limits.metadataKeys,
  propertyNames: keyKeywords(limits),
});
export const Metadata = named(
  'Metadata',
  documented(
    Type.Unsafe<JsonObject>({
      type: 'object',
      // else fast-json-stringify writes none of them
      additionalProperties: true,
      description: 'Metadata: any JSON under each key.',
    }),
    metadataLimits,
  ),
);
export const IsoDate = named(
  'Timestamp',
  Type.String({ format: 'date-time', description: 'ISO 8601, UTC, with milliseconds.' }),
);
export const EndpointId = named(
  'EndpointId',
  documented(Type.String({ pattern: ENDPOINT_ID.source, description: 'Id of an endpoint.' }), () => ({
    not: { enum: ['.', '..'] },
  })),
);
export const EndpointToken = named(
  'EndpointToken',
  Type.String({
    pattern: ENDPOINT_TOKEN.source,
    description: `What a device identifies itself with; unique in the application: ${TOKEN_FORM}.`,
    examples: ['sLn4UNjbGqYZ0mXWpR7k'],
  }),
);
export const VersionName = named(
  'AppVersionName',
  closedObject({ name: Type.String({ pattern: NAME.source, description: 'Of the application version.' }) }),
);

/** What went wrong, for programs. */
export const Code = named('ErrorCode', wordOf(...(Object.keys(ERRORS) as ErrorCode[])));

const FaultDetail = named(
  'FaultDetail',
  closedObject({
    path: Type.String({ description: 'JSON pointer into the body or the item, or the name of a parameter.' }),
    message: Type.String(),
  }),
);
export const FaultDetails = Type.Array(FaultDetail, {
  description: 'Every fault that was found, and where.',
});

export const ErrorBody = named(
  'Error',
  closedObject({
    message: Type.String({ description: 'What is wrong, and what would be right.' }),
    code: Code,
    details: Type.Optional(FaultDetails),
  }),
);

export const AppVersion = named('AppVersion', closedObject({ name: Type.String(), registeredDate: IsoDate }));

export const Endpoint = named(
  'Endpoint',
  closedObject({
    endpointId: EndpointId,
    createdDate: IsoDate,
    appVersion: AppVersion,
    metadataUpdatedDate: Type.Optional(IsoDate),
    metadata: Type.Optional(Metadata),
    filters: Type.Optional(
      Type.Array(Type.String(), { description: 'Ids of the active filters that it matches.' }),
    ),
  }),
);

/** @param name of the page, among the schemas of the document */
export function pageOf(name: string, content: TSchema, cursor: boolean) {
  const page = {
    totalElements: Type.Integer({ minimum: 0, description: 'Of all pages.' }),
    content: Type.Array(content),
  };
  const nextCursor = Type.Optional(
    Type.String({ description: 'Of the page that follows; absent on the last.' }),
  );
  return named(name, cursor ? closedObject({ ...page, nextCursor }) : closedObject(page));
}

/** Taken on every endpoint route: clients in the field send them. */
export const endpointParameters = {
  tenantId: Type.Optional(
    Type.String({
      description: 'Taken for older clients; the tenant is that of the caller.',
      examples: ['kaa'],
    }),
  ),
  include: Type.Optional(
    Type.Array(Type.String(), { description: 'Taken for older clients.', examples: [['metadata']] }),
  ),
  inheritedMetadata: Type.Optional(
    Type.String({ description: 'Taken for older clients; changes nothing.', examples: ['false'] }),
  ),
};
export const EndpointQuery = closedObject(endpointParameters);

const INCLUDED = '(metadata|filters)';
export const include = Type.Optional(
  Type.Array(
    documented(Type.String(), () => ({ pattern: `^${INCLUDED}(,${INCLUDED})*$` })),
    {
      description: '`metadata` and `filters`: comma-separated, or the parameter repeated.',
      examples: [['metadata,filters']],
    },
  ),
);

/** Where a page starts and how long it is; `handle` refuses a limit beyond that of the configuration. */
export const pageParameters = {
  offset: Type.Optional(
    Type.Integer({
      minimum: 0,
      default: 0,
      description: 'Elements before the page. One past the end makes an empty page.',
      examples: [0],
    }),
  ),
  limit: Type.Optional(
    documented(
      Type.Integer({ minimum: 1, description: 'Elements on the page, at most.', examples: [10] }),
      ({ pageDefault, pageMax }) => ({ default: pageDefault, maximum: pageMax }),
    ),
  ),
};
