import { createHash } from 'node:crypto';
import type { Changes } from './draft.js';
import { createPacer } from './pacer.js';
import { bytesOfNumber, isKey, numberOf, type Part, type Tables, type View } from './tables.js';

/** Names that stand in a table's key as they are; others, which may be long or hold anything, by their hash. */
const PLAIN = /^[a-zA-Z0-9_.-]{1,200}$/;
const HASHED = '#';
const COUNT_BYTES = 8;

function placeOf(application: string, version: string, name: string): Part[] {
  if (PLAIN.test(name)) return [application, version, name];
  return [application, version, HASHED, createHash('sha256').update(name).digest('base64url')];
}

/** Changes of how many records of a version have a metadata key, written once at the end. */
export class KeyCountChanges {
  readonly #versions = new Map<
    string,
    { application: string; version: string; names: Map<string, number> }
  >();

  add(application: string, version: string, names: readonly string[], by: number): void {
    const changes = this.#of(application, version);
    for (const name of names) changes.set(name, (changes.get(name) ?? 0) + by);
  }

  write(changes: Changes): void {
    for (const { application, version, names } of this.#versions.values()) {
      for (const [name, by] of names) {
        if (by === 0) continue;
        const place = placeOf(application, version, name);
        const count = numberOf(changes.get('keyCounts', place)) + by;
        if (count <= 0) changes.remove('keyCounts', place);
        else changes.put('keyCounts', place, valueOf(count, place, name));
      }
    }
  }

  #of(application: string, version: string): Map<string, number> {
    const id = `${application}\n${version}`; // no name of a version holds a line break
    const known = this.#versions.get(id);
    if (known !== undefined) return known.names;
    const names = new Map<string, number>();
    this.#versions.set(id, { application, version, names });
    return names;
  }
}

function valueOf(count: number, place: readonly Part[], name: string): Uint8Array {
  const number = bytesOfNumber(count);
  return place[2] === HASHED ? Buffer.concat([number, Buffer.from(name)]) : number;
}

/** O(keys of the application); other work comes in between. */
export async function readMetadataKeys(
  { keyCounts }: Tables,
  view: View,
  application: string,
): Promise<Map<string, string[]>> {
  const keys = new Map<string, string[]>();
  if (!isKey(application)) return keys;
  const pacer = createPacer();
  // after the application comes a version, of plain letters
  const range = { start: [application], end: [application, '\uffff'], transaction: view };
  for (const { key, value } of keyCounts.getRange(range)) {
    if (pacer.isDue()) await pacer.pause();
    const [, version, name] = key as [string, string, string];
    const names = keys.get(version) ?? [];
    if (names.length === 0) keys.set(version, names);
    names.push(name === HASHED ? value.toString('utf8', COUNT_BYTES, value.length) : name);
  }
  for (const names of keys.values()) names.sort();
  return keys;
}
