import { isJsonObject, type JsonValue } from '../../../src/model/json.js';

/** A try may ask a server, or go through a sequence of thousands of steps. */
const LONGEST_MS = 60_000;

type Fails<T> = (simpler: T) => boolean | Promise<boolean>;

/**
 * The simplest value to be found, part by part, of which `fails` still holds, within a minute.
 * @param fails must hold of `value`, and be false of what makes no sense
 */
export async function shrink<T extends JsonValue>(value: T, fails: Fails<T>): Promise<T> {
  const end = performance.now() + LONGEST_MS;
  const inTime: Fails<JsonValue> = async (simpler) => performance.now() < end && (await fails(simpler as T));
  let simplest: JsonValue = value;
  for (let before = ''; before !== exactText(simplest);) {
    before = exactText(simplest);
    simplest = await shrinkOnce(simplest, inTime);
  }
  return simplest as T;
}

async function shrinkOnce(value: JsonValue, fails: Fails<JsonValue>): Promise<JsonValue> {
  for (const simpler of simplerThan(value)) if (await fails(simpler)) return shrinkOnce(simpler, fails);
  if (Array.isArray(value)) {
    const left = await withFewer(value, fails);
    for (let i = 0; i < left.length; i++)
      left[i] = await shrinkOnce(left[i]!, (simpler) => fails(left.with(i, simpler)));
    return left;
  }
  if (!isJsonObject(value)) return value;
  // By entries: a plain assignment would lose the name "__proto__".
  const left = await withFewer(Object.entries(value), (entries) => fails(Object.fromEntries(entries)));
  for (const [i, [name, inner]] of left.entries()) {
    const simpler = await shrinkOnce(inner, (one) => fails(Object.fromEntries(left.with(i, [name, one]))));
    left[i] = [name, simpler];
  }
  return Object.fromEntries(left);
}

/** Without the parts that it takes no part in: halves first, single ones last. */
async function withFewer<T>(list: readonly T[], fails: Fails<T[]>): Promise<T[]> {
  let left = [...list];
  for (let size = Math.max(1, left.length >> 1); size >= 1; size >>= 1) {
    for (let at = left.length - size; at > -size; at -= size) {
      const fewer = left.toSpliced(Math.max(at, 0), Math.min(size, size + at));
      if (await fails(fewer)) left = fewer;
    }
  }
  return left;
}

/** What can stand in the place of the whole value. */
function simplerThan(value: JsonValue): JsonValue[] {
  if (typeof value === 'object' && value !== null)
    return Object.values(value).filter((inner: JsonValue) => typeof inner === 'object' && inner !== null);
  if (typeof value === 'string' && value.length > 1) {
    // By code points: half a character is none.
    const characters = [...value];
    const half = characters.length >> 1;
    return half === 0 ? [] : [characters.slice(0, half).join(''), characters.slice(half).join('')];
  }
  if (typeof value !== 'number' || Math.abs(value) <= 1) return [];
  return [Math.trunc(value), Math.trunc(value / 2)].filter((simpler) => simpler !== value);
}

/** JSON text that keeps -0. */
export function exactText(value: JsonValue): string {
  if (Object.is(value, -0)) return '-0';
  if (Array.isArray(value)) return `[${value.map(exactText).join(',')}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}:${exactText(inner)}`);
  return `{${fields.join(',')}}`;
}
