import type { Changes } from '../draft.js';
import type { Part, Tables, View } from '../tables.js';

/** An index of the values of one metadata key of an application, as it is stored. */
export interface ValueIndex {
  /** what its entries begin with */
  number: number;
  /** of a building one: the place in the application's list, newest first, up to which it has entries */
  after?: { createdMs: number; endpointId: string };
  ready: boolean;
  /** Unix ms of its last use, as far as it was written */
  usedMs: number;
}

export interface NamedIndex extends ValueIndex {
  application: string;
  key: string;
}

/** Longer keys are not indexed: they would not fit where their names stand. */
const LONGEST_KEY = 200;

export function canBeIndexed(key: string): boolean {
  return /^[\x20-\x7e]{1,200}$/.test(key) && key.length <= LONGEST_KEY;
}

/** Live indexes stand under application and key, dropped ones, whose entries are being removed, under their number. */
export function readCatalog(tables: Tables): { live: NamedIndex[]; dropped: number[] } {
  const live: NamedIndex[] = [];
  const dropped: number[] = [];
  for (const { key, value } of tables.valueIndexes.getRange({})) {
    if (typeof key === 'number') dropped.push(key);
    else {
      const [application, name] = key as [string, string];
      live.push({ ...parse(value), application, key: name });
    }
  }
  return { live, dropped };
}

/** As a view sees it: an index that became ready after the view began is not ready in it. */
export function findIndex(
  tables: Tables,
  view: View,
  application: string,
  key: string,
): ValueIndex | undefined {
  const bytes = canBeIndexed(key)
    ? tables.valueIndexes.getBinaryFast(placeOf({ application, key }), { transaction: view })
    : undefined;
  return bytes && parse(bytes);
}

export function putIndex(changes: Changes, { application, key, ...index }: NamedIndex): void {
  changes.put('valueIndexes', placeOf({ application, key }), Buffer.from(JSON.stringify(index)));
}

export function putDropped(changes: Changes, index: NamedIndex): void {
  changes.remove('valueIndexes', placeOf(index));
  changes.put('valueIndexes', index.number, Buffer.alloc(0));
}

function placeOf({ application, key }: { application: string; key: string }): Part[] {
  return [application, key];
}

function parse(bytes: Buffer): ValueIndex {
  return JSON.parse(bytes.toString('utf8', 0, bytes.length)) as ValueIndex;
}
