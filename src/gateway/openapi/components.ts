import type { GatewayLimits } from '../types.js';
import { describedOf } from '../table/described.js';

export type Json = Record<string, unknown>;

/** Collects what is said once and referred to: `components` of the document. */
export interface Components {
  /** A schema of the table as the document has it: those that are named are references. */
  schema(schema: object): unknown;
  /** Answers a reference to a component of that name. Throws when the name has another content already. */
  refer(kind: ComponentKind, name: string, content: unknown): { $ref: string };
  /** all that was referred to, by kind, in the order of names */
  collected(): Json;
}

export type ComponentKind = 'schemas' | 'parameters' | 'headers' | 'responses';

export function createComponents(limits: GatewayLimits): Components {
  const kinds: Record<ComponentKind, Map<string, { content: unknown; text: string }>> = {
    schemas: new Map(),
    parameters: new Map(),
    headers: new Map(),
    responses: new Map(),
  };

  function refer(kind: ComponentKind, name: string, content: unknown): { $ref: string } {
    const text = JSON.stringify(content);
    const known = kinds[kind].get(name);
    if (known === undefined) kinds[kind].set(name, { content, text });
    else if (known.text !== text)
      throw new Error(`Two ${kind} of the document are named "${name}": ${known.text} and ${text}`);
    return { $ref: `#/components/${kind}/${name}` };
  }

  function write(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(write);
    if (typeof value !== 'object' || value === null) return value;
    const { name, keywords } = describedOf(value);
    const written: Json = {};
    for (const [keyword, each] of Object.entries(value)) {
      if (each !== undefined) written[keyword] = VALUES.has(keyword) ? each : write(each);
    }
    if (isOpenObject(written)) written['additionalProperties'] = true;
    if (keywords !== undefined) Object.assign(written, write(keywords(limits)));
    return name === undefined ? written : refer('schemas', name, written);
  }

  return {
    schema: write,
    refer,
    collected: () =>
      Object.fromEntries(
        Object.entries(kinds).map(([kind, all]) => [
          kind,
          Object.fromEntries([...all].sort(byName).map(([name, { content }]) => [name, content])),
        ]),
      ),
  };
}

/** Any object: said in so many words, for some generators take silence for an empty one. */
function isOpenObject(schema: Json): boolean {
  const types = [schema['type']].flat();
  return (
    types.includes('object') &&
    schema['properties'] === undefined &&
    schema['additionalProperties'] === undefined
  );
}

/** Keywords whose values are not schemas. */
const VALUES = new Set(['enum', 'const', 'default', 'example', 'examples', 'required']);

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
