import { bufferOf } from '../../model/bytes.js';
import type { Key, Table, Tables } from './tables.js';

/** Tables that a draft reads single values of. */
type ReadName = 'records' | 'counts' | 'keyCounts' | 'memberships' | 'tokens' | 'relationRevisions';

/** How writes are planned: what is read includes all that was planned before, here or in drafts under way. */
export interface Changes {
  /** Valid until the next `get`. */
  get(name: ReadName, key: Key): Buffer | undefined;
  put(name: keyof Tables, key: Key, value: Uint8Array): void;
  remove(name: keyof Tables, key: Key): void;
}

/** A planned value that readers of the store may not see yet. `value` undefined: removed. */
interface Unseen {
  value: Buffer | undefined;
  turn: number;
}

/** The values that drafts under way have planned, by table and key. */
export type UnseenValues = Record<ReadName, Map<string, Unseen>>;

export function noUnseenValues(): UnseenValues {
  return {
    records: new Map(),
    counts: new Map(),
    keyCounts: new Map(),
    memberships: new Map(),
    tokens: new Map(),
    relationRevisions: new Map(),
  };
}

interface Step {
  table: Table;
  key: Key;
  value: Uint8Array | undefined;
  unseen: Map<string, Unseen> | undefined;
  name: string;
  /** what was there before it, of a draft that is under way */
  previous: Unseen | undefined;
}

/** LMDB refuses longer keys at a moment when half of a draft is handed over. */
const MOST_KEY_UNITS = 600;
const MOST_KEY_BYTES = 1900;

/** The same inside of a write transaction: done at once. */
export function directChanges(tables: Tables): Changes {
  return {
    get: (name, key) => tables[name].getBinaryFast(key),
    put: (name, key, value) => void tables[name].put(key, value),
    remove: (name, key) => void tables[name].remove(key),
  };
}

/** Writes that are planned here, and then carried out by LMDB's thread as one transaction, none of it here. */
export class Draft implements Changes {
  readonly #steps: Step[] = [];

  constructor(
    private readonly tables: Tables,
    private readonly unseen: UnseenValues,
    readonly turn: number,
  ) {}

  get length(): number {
    return this.#steps.length;
  }

  get(name: ReadName, key: Key): Buffer | undefined {
    const known = this.unseen[name].get(nameOf(key));
    return known === undefined ? this.tables[name].getBinaryFast(key) : known.value;
  }

  put(name: keyof Tables, key: Key, value: Uint8Array): void {
    this.#add(name, key, value);
  }

  remove(name: keyof Tables, key: Key): void {
    this.#add(name, key, undefined);
  }

  /** Forgets what was planned after the first `length` steps. */
  cut(length: number): void {
    while (this.#steps.length > length) {
      const { unseen, name, previous } = this.#steps.pop()!;
      if (previous === undefined) unseen?.delete(name);
      else unseen?.set(name, previous);
    }
  }

  /** Hands all over to LMDB. */
  write(): void {
    for (const { table, key, value } of this.#steps) {
      if (value === undefined) table.remove(key);
      else table.put(key, value);
    }
  }

  /** Readers see it now, or it will never be. */
  settle(): void {
    for (const { unseen, name } of this.#steps)
      if (unseen?.get(name)?.turn === this.turn) unseen.delete(name);
  }

  #add(tableName: keyof Tables, key: Key, value: Uint8Array | undefined): void {
    const unseen = this.unseen[tableName as ReadName] as Map<string, Unseen> | undefined;
    const name = unseen === undefined ? '' : nameOf(key);
    checkLength(key);
    const previous = unseen?.get(name);
    this.#steps.push({ table: this.tables[tableName], key, value, unseen, name, previous });
    unseen?.set(name, { value: value && bufferOf(value), turn: this.turn });
  }
}

function checkLength(key: Key): void {
  if (Buffer.isBuffer(key)) {
    if (key.length === 0 || key.length > MOST_KEY_BYTES)
      throw new RangeError(`A key of ${key.length} bytes is none.`);
    return;
  }
  let units = 0;
  if (typeof key === 'string') units = key.length;
  else if (typeof key !== 'number')
    for (const part of key) units += typeof part === 'string' ? part.length : 9;
  if (units === 0 && typeof key !== 'number') throw new RangeError('An empty text can not be a key.');
  if (units > MOST_KEY_UNITS) throw new RangeError(`A key of ${units} characters is too long.`);
}

function nameOf(key: Key): string {
  return Array.isArray(key) ? key.join('\n') : String(key); // no name of ours holds a line break
}
