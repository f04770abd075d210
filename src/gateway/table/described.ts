import type { TSchema } from '@sinclair/typebox';
import type { GatewayLimits } from '../types.js';

/** What a table's schema says to readers of the OpenAPI document only; validation and serializing do not see it. */
interface Described {
  /** of `components/schemas` */
  name?: string;
  /** keywords that are laid over those of the schema */
  keywords?: (limits: GatewayLimits) => Record<string, unknown>;
}

const DESCRIBED = Symbol('described');

/** Gives a schema a name of its own in the document; wherever it is used, it is referred to. */
export function named<T extends TSchema>(name: string, schema: T): T {
  return { ...schema, [DESCRIBED]: { ...describedOf(schema), name } };
}

/**
 * Says more in the document than is checked by the schema: bounds that are configuration, and forms that the handler
 * checks with better words than a schema has.
 */
export function documented<T extends TSchema>(
  schema: T,
  keywords: (limits: GatewayLimits) => Record<string, unknown>,
): T {
  return { ...schema, [DESCRIBED]: { ...describedOf(schema), keywords } };
}

export function describedOf(schema: object): Described {
  return (schema as { [DESCRIBED]?: Described })[DESCRIBED] ?? {};
}

/** What a metadata key must be; the register holds to it, with better words than a schema has. */
export function keyKeywords({ metadataKeyPattern }: GatewayLimits) {
  return { pattern: metadataKeyPattern, not: { const: '__proto__' } };
}
