import { type TProperties, type TSchema, Type } from '@sinclair/typebox';
import { ENDPOINT_ID, ENDPOINT_TOKEN, NAME } from '../../model/endpoint.js';
import type { JsonObject, JsonValue } from '../../model/json.js';

const closed = { additionalProperties: false } as const;

export function closedObject<T extends TProperties>(properties: T) {
  return Type.Object(properties, closed);
}

export function wordOf<const T extends string>(...words: readonly T[]) {
  return Type.Unsafe<T>({ type: 'string', enum: words });
}

export const AnyJson = Type.Unsafe<JsonValue>({ description: 'Any JSON value.' });
export const Metadata = Type.Unsafe<JsonObject>({
  type: 'object',
  // else fast-json-stringify writes none of them
  additionalProperties: true,
  description: 'Metadata: any JSON under each key.',
});
export const IsoDate = Type.String({ format: 'date-time', examples: ['2017-03-17T11:30:02.643Z'] });
export const EndpointId = Type.String({ pattern: ENDPOINT_ID.source });
export const EndpointToken = Type.String({ pattern: ENDPOINT_TOKEN.source });
export const VersionName = closedObject({ name: Type.String({ pattern: NAME.source }) });

export const FaultDetails = Type.Array(closedObject({ path: Type.String(), message: Type.String() }), {
  description:
    'Every fault that was found, and where: a JSON pointer into the body or the item, or the name of a parameter.',
});

export const ErrorBody = closedObject({
  message: Type.String({ description: 'What is wrong, and what would be right.' }),
  code: Type.String({ description: 'Stable, for programs.' }),
  details: Type.Optional(FaultDetails),
});

export const AppVersion = closedObject({ name: Type.String(), registeredDate: IsoDate });

export const Endpoint = closedObject({
  endpointId: Type.String(),
  createdDate: IsoDate,
  appVersion: AppVersion,
  metadataUpdatedDate: Type.Optional(IsoDate),
  metadata: Type.Optional(Metadata),
  filters: Type.Optional(
    Type.Array(Type.String(), { description: 'Ids of the active filters that it matches.' }),
  ),
});

export function pageOf(content: TSchema, cursor: boolean) {
  const page = { totalElements: Type.Integer(), content: Type.Array(content) };
  return cursor ? closedObject({ ...page, nextCursor: Type.Optional(Type.String()) }) : closedObject(page);
}

/** Taken on every endpoint route: clients in the field send them. */
export const endpointParameters = {
  tenantId: Type.Optional(
    Type.String({ description: 'Taken for older clients; the tenant is that of the caller.' }),
  ),
  include: Type.Optional(Type.Array(Type.String(), { description: 'Taken for older clients.' })),
  inheritedMetadata: Type.Optional(Type.String({ description: 'Taken for older clients; changes nothing.' })),
};
export const EndpointQuery = closedObject(endpointParameters);

export const include = Type.Optional(
  Type.Array(Type.String(), {
    description: '`metadata` and `filters`: comma-separated, or the parameter repeated.',
    examples: [['metadata,filters']],
  }),
);
