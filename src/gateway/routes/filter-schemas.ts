import { Type } from '@sinclair/typebox';
import { named } from '../table/described.js';
import type { JsonValue } from '../../model/json.js';

/** Levels around a metadata value in a query: beyond what the filter language allows, which says more exactly what is nested too deep. */
export const QUERY_LEVELS = 100;

export const MongoQuery = named(
  'FilterQuery',
  Type.Unsafe<JsonValue>({
    type: ['object', 'string'],
    description: 'A query in the filter language: an object, or its JSON text.',
  }),
);

/** A query as it is answered. */
export const QueryObject = Type.Unsafe<object>({ type: 'object', additionalProperties: true });
