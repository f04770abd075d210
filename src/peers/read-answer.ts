import type { Static, TSchema } from '@sinclair/typebox';
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler';
import { parseStrictJson } from '../model/strict-json.js';
import type { PeerRequest } from './types.js';

const MAX_NESTING = 64;
const SHOWN = 300;

/** JSON that fits the schema; else in words why not. Checks are compiled once for each schema object. */
export function createAnswerReader() {
  const checks = new WeakMap<TSchema, TypeCheck<TSchema>>();
  return <T extends TSchema>(
    schema: T,
    body: Uint8Array,
    parse: PeerRequest<T>['parse'] = strictly,
  ): { ok: true; value: Static<T> } | { ok: false; fault: string } => {
    const parsed = parse(body);
    if (!parsed.ok) return parsed;
    let check = checks.get(schema);
    if (check === undefined) checks.set(schema, (check = TypeCompiler.Compile(schema) as TypeCheck<TSchema>));
    if (check.Check(parsed.value)) return { ok: true, value: parsed.value as Static<T> };
    const fault = check.Errors(parsed.value).First();
    return { ok: false, fault: `At ${fault?.path || '/'}: ${fault?.message ?? 'not as it must be'}.` };
  };
}

function strictly(body: Uint8Array): { ok: true; value: unknown } | { ok: false; fault: string } {
  const parsed = parseStrictJson(body, MAX_NESTING);
  return parsed.ok ? parsed : { ok: false, fault: parsed.message };
}

/** The beginning of a body that is only shown. */
export function excerptOf(body: Uint8Array): string {
  const text = Buffer.from(body.subarray(0, SHOWN * 4))
    .toString('utf8')
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim();
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}...`;
}
