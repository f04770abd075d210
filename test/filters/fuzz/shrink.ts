import { isJsonObject, type JsonValue } from '../../../src/model/json.js';

/** So many simpler values are tried; each may ask a server. */
const MOST_TRIES = 3000;

/**
 * The simplest value to be found, part by part, of which `fails` still holds.
 * @param fails must hold of `value`, and be false of what makes no sense
 */
export async function shrink<T extends JsonValue>(
  value: T,
  fails: (simpler: T) => boolean | Promise<boolean>,
): Promise<T> {
  let simplest = value;
  let tries = 0;
  for (let isSimpler = true; isSimpler;) {
    isSimpler = false;
    for (const candidate of simplerThan(simplest)) {
      if (++tries > MOST_TRIES) return simplest;
      if (!(await fails(candidate as T))) continue;
      simplest = candidate as T;
      isSimpler = true;
      break;
    }
  }
  return simplest;
}

function* simplerThan(value: JsonValue): Generator<JsonValue> {
  if (Array.isArray(value)) {
    for (let size = value.length >> 1; size >= 1; size >>= 1)
      for (let at = 0; at < value.length; at += size) yield value.toSpliced(at, size);
    yield* value.filter((inner) => typeof inner === 'object');
    for (const [i, inner] of value.entries())
      for (const simpler of simplerThan(inner)) yield value.with(i, simpler);
  } else if (isJsonObject(value)) {
    // Copied by entries: a plain assignment would lose the name "__proto__".
    const entries = Object.entries(value);
    for (const [i] of entries.entries()) yield Object.fromEntries(entries.toSpliced(i, 1));
    yield* entries.map(([, inner]) => inner).filter((inner) => typeof inner === 'object');
    for (const [i, [name, inner]] of entries.entries())
      for (const simpler of simplerThan(inner)) yield Object.fromEntries(entries.with(i, [name, simpler]));
  } else if (typeof value === 'string' && value.length > 1) {
    // By code points: half a character is none.
    const characters = [...value];
    const half = characters.length >> 1;
    if (half > 0) yield* [characters.slice(0, half).join(''), characters.slice(half).join('')];
  } else if (typeof value === 'number' && Math.abs(value) > 1) {
    yield* [Math.trunc(value), Math.trunc(value / 2)].filter((simpler) => simpler !== value);
  }
}

/** JSON text that keeps -0. */
export function exactText(value: JsonValue): string {
  if (Object.is(value, -0)) return '-0';
  if (Array.isArray(value)) return `[${value.map(exactText).join(',')}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}:${exactText(inner)}`);
  return `{${fields.join(',')}}`;
}
