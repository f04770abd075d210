import type { TObject, TSchema } from '@sinclair/typebox';
import { type FaultDetail, type Refusal, refuse } from '../../model/errors.js';
import { createCheck } from './checks.js';

/** Reads a query string as a route's schema says, or says what is wrong. */
export type QueryReader = (query: string) => { value: Record<string, unknown> } | Refusal;

/**
 * Texts become what the schema asks for: numbers, booleans, and lists (a name given more than once). An empty query
 * costs nothing.
 */
export function createQueryReader(schema: TObject | undefined): QueryReader {
  const properties: Record<string, TSchema> = schema?.properties ?? {};
  const known = Object.keys(properties);
  const check = schema === undefined ? undefined : createCheck(schema);
  const required = (schema?.required ?? []).length > 0;
  return (query) => {
    if (query === '' && !required) return { value: {} };
    const texts = splitQuery(query);
    if ('kind' in texts) return texts;
    const unknown = [...texts.keys()].filter((name) => !Object.hasOwn(properties, name));
    if (unknown.length > 0) return refuseUnknown(unknown, known);
    const value: Record<string, unknown> = {};
    const faults: FaultDetail[] = [];
    for (const [name, given] of texts) {
      const property = properties[name]!;
      if (property['type'] === 'array') value[name] = given;
      else if (given.length > 1)
        faults.push({ path: name, message: `is given ${given.length} times; give it once.` });
      else value[name] = convert(property, given[0]!);
    }
    for (const fault of check?.(value) ?? [])
      faults.push({ path: fault.path.replace(/^\//, ''), message: fault.message });
    return faults.length === 0 ? { value } : refuseParameters(faults);
  };
}

/** A refusal whose message says all that the details say. */
export function refuseParameters(faults: readonly FaultDetail[]): Refusal {
  const words = faults.map((fault) =>
    fault.path === '' ? fault.message : `Parameter "${fault.path}" ${fault.message}`,
  );
  return refuse('invalid-parameter', words.join(' '), faults);
}

function refuseUnknown(unknown: readonly string[], known: readonly string[]): Refusal {
  const allowed = known.length === 0 ? 'It takes none.' : `It takes: ${known.join(', ')}.`;
  const names = unknown.map((name) => `"${name.slice(0, 80)}"`).join(', ');
  return refuse(
    'unknown-parameter',
    `This operation does not know the query parameter ${names}. ${allowed}`,
    unknown.slice(0, 100).map((name) => ({ path: name.slice(0, 80), message: 'is not known here.' })),
  );
}

function splitQuery(query: string): Map<string, string[]> | Refusal {
  const texts = new Map<string, string[]>();
  for (const part of query.split('&')) {
    if (part === '') continue;
    const at = part.indexOf('=');
    const name = decodeText(at < 0 ? part : part.slice(0, at));
    const text = at < 0 ? '' : decodeText(part.slice(at + 1));
    if (name === undefined || text === undefined) {
      return refuse(
        'invalid-parameter',
        `The query "${part.slice(0, 80)}" is not percent-encoded UTF-8; a "%" itself is written "%25".`,
      );
    }
    const given = texts.get(name);
    if (given === undefined) texts.set(name, [text]);
    else given.push(text);
  }
  return texts;
}

function decodeText(text: string): string | undefined {
  if (!text.includes('%') && !text.includes('+')) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

function convert(schema: TSchema, text: string): unknown {
  if (schema['type'] === 'integer') {
    // beyond what a double holds exactly the schema's bounds decide all the same
    const { MIN_SAFE_INTEGER: least, MAX_SAFE_INTEGER: most } = Number;
    return /^-?[0-9]+$/.test(text) ? Math.max(least, Math.min(most, Number(text))) : text;
  }
  if (schema['type'] === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  return text;
}
