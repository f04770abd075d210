import { type TSchema, Type } from '@sinclair/typebox';
import { type AvroSchema, schemas } from '../../avro/index.js';
import { EVENT_KINDS, type EventKind } from '../../model/event.js';
import { documented, named } from '../table/described.js';
import { closedObject } from '../table/schemas.js';

const control = {
  gap: named(
    'GapEvent',
    closedObject({
      type: Type.Literal('gap'),
      reason: Type.String(),
      message: Type.String(),
      from: Type.String({ description: 'The place that events are sure from.' }),
    }),
  ),
  dropped: named('DroppedEvent', closedObject({ type: Type.Literal('dropped'), reason: Type.String() })),
};

/** What is in `data` of a live event: the published record and what all have, by its type. */
export const LiveEvent = named(
  'LiveEvent',
  documented(
    Type.Unsafe<object>({ oneOf: [...EVENT_KINDS.map(schemaOf), ...Object.values(control)] }),
    () => ({
      discriminator: {
        propertyName: 'type',
        mapping: Object.fromEntries(
          [...EVENT_KINDS, ...(['gap', 'dropped'] as const)].map((kind) => [
            kind,
            `#/components/schemas/${nameOf(kind)}`,
          ]),
        ),
      },
    }),
  ),
);

/** `metadata-updated`: `MetadataUpdatedEvent`. */
function nameOf(kind: string): string {
  return `${kind.replace(/(^|-)(.)/g, (_all, _dash, first: string) => first.toUpperCase())}Event`;
}

function schemaOf(kind: EventKind): TSchema {
  const fields = schemas.events[kind].fields.map(({ name, type }) => [name, jsonOf(type)] as const);
  return named(
    nameOf(kind),
    closedObject({
      type: Type.Literal(kind),
      messageId: Type.String({ description: 'The `Nats-Msg-Id` of the published event.' }),
      source: Type.String({ description: 'The endpoint or filter, or the relations of a tenant.' }),
      application: Type.String(),
      ...(Object.fromEntries(fields) as Record<string, TSchema>),
    }),
  );
}

/** How a decoded value stands in JSON. */
function jsonOf(type: AvroSchema): TSchema {
  if (type === 'string') return Type.String();
  if (type === 'int' || type === 'long') return Type.Integer();
  if (type === 'boolean') return Type.Boolean();
  if (typeof type === 'string') throw new Error(`An event has a field that JSON does not carry: ${type}`);
  if (!('type' in type)) {
    if (type[1] !== 'string') throw new Error('An event has an optional field that is no text.');
    return Type.Unsafe<string | null>({ type: ['string', 'null'] });
  }
  if (type.type === 'map') return Type.Object({}, { additionalProperties: jsonOf(type.values) });
  if (type.type === 'array') return Type.Array(jsonOf(type.items));
  return closedObject(Object.fromEntries(type.fields.map((each) => [each.name, jsonOf(each.type)])));
}
