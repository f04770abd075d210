import type { Requirement, ValueTest } from '../../../filters/index.js';
import type { PagePlace } from '../../port.js';
import { createPacer } from '../pacer.js';
import { newestFirst } from '../places.js';
import type { Reading } from '../reading.js';
import { countIn, isKey, listOf, type List, type Tables, type View } from '../tables.js';
import { findIndex } from './catalog.js';
import {
  type ByteRange,
  common,
  EVERYTHING,
  headOf,
  idOfEntry,
  merged,
  rangeOfOrder,
  rangeOfValue,
  Space,
  UNLISTED,
} from './entries.js';
import { createdOf } from '../../../model/record.js';

/** One run of entries. */
type Source =
  | { kind: 'values'; start: Buffer; end: Buffer }
  | { kind: 'list'; list: List }
  | { kind: 'ids'; ids: readonly string[] };

/** A way to all records of an application that can fulfil a requirement. */
export interface Path {
  /** what it goes along, such as `values:city` */
  by: string[];
  keys: string[];
  sources: Source[];
  /** entries, so at least the candidates */
  count: number;
  /** each entry is of another record */
  distinct: boolean;
  /** every candidate fulfils the requirement, and that is the query */
  exact: boolean;
  /** `count` is how many records of the application match */
  isTotal: boolean;
}

export interface Paths {
  best?: Path;
  /** keys whose index would have served */
  missing: string[];
}

interface Planning {
  tables: Tables;
  view: View;
  application: string;
  reading: Reading;
  missing: Set<string>;
}

/** Texts of `$in` and the like beyond which an index is not asked. */
const MOST_RANGES = 1000;
/** Entries counted at a stretch. */
const STRETCH = 20_000;

/**
 * The way with the fewest entries. Counts no further than `bound`: a way of more is none. O(entries counted), which costs
 * some 60 ns each; other work comes in between.
 */
export async function choosePath(
  tables: Tables,
  view: View,
  reading: Reading,
  application: string,
  requirement: Requirement,
  bound: number,
): Promise<Paths> {
  const planning: Planning = { tables, view, application, reading, missing: new Set() };
  const best = await pathOf(planning, requirement, bound);
  const missing = [...planning.missing];
  return best === undefined ? { missing } : { best, missing };
}

async function pathOf(
  planning: Planning,
  requirement: Requirement,
  bound: number,
): Promise<Path | undefined> {
  switch (requirement.kind) {
    case 'key':
      return keyPath(planning, requirement, bound);
    case 'version':
      return union(
        requirement.versions
          .filter(isKey)
          .map((version) => listPath(planning, listOf.version(planning.application, version), 'version')),
        requirement.exact,
        bound,
      );
    case 'id': {
      const ids = requirement.ids.filter(isKey);
      return {
        by: ['ids'],
        keys: [],
        sources: [{ kind: 'ids', ids }],
        count: ids.length,
        distinct: true,
        exact: requirement.exact,
        isTotal: false,
      };
    }
    case 'all': {
      if (requirement.of.length === 0)
        return listPath(planning, listOf.application(planning.application), 'application');
      let best: Path | undefined;
      for (const each of requirement.of) {
        const path = await pathOf(planning, each, best?.count ?? bound);
        if (path && (best === undefined || path.count < best.count)) best = path;
      }
      return best && { ...best, exact: false, isTotal: false };
    }
    case 'any': {
      const paths: Path[] = [];
      let left = bound;
      for (const each of requirement.of) {
        const path = await pathOf(planning, each, left);
        if (path === undefined) return undefined;
        left -= path.count;
        paths.push(path);
      }
      return union(paths, requirement.exact, bound);
    }
  }
}

function union(paths: readonly Path[], exact: boolean, bound: number): Path | undefined {
  const [only] = paths;
  if (only !== undefined && paths.length === 1)
    return { ...only, exact: only.exact && exact, isTotal: only.isTotal && exact };
  const count = paths.reduce((sum, path) => sum + path.count, 0);
  if (count > bound) return undefined;
  return {
    by: [...new Set(paths.flatMap((path) => path.by))],
    keys: [...new Set(paths.flatMap((path) => path.keys))],
    sources: paths.flatMap((path) => path.sources),
    count,
    distinct: paths.length === 0,
    exact: exact && paths.every((path) => path.exact),
    isTotal: exact && paths.length === 0,
  };
}

function listPath({ tables, view }: Planning, list: List, name: string): Path {
  const count = countIn(tables, list, view);
  return {
    by: [`lists:${name}`],
    keys: [],
    sources: [{ kind: 'list', list }],
    count,
    distinct: true,
    exact: true,
    isTotal: true,
  };
}

async function keyPath(
  planning: Planning,
  { key, tests, exact }: Extract<Requirement, { kind: 'key' }>,
  bound: number,
): Promise<Path | undefined> {
  const index = findIndex(planning.tables, planning.view, planning.application, key);
  if (index?.ready !== true) {
    planning.missing.add(key);
    return undefined;
  }
  const wanted = tests.map(rangesOf);
  if (wanted.some(({ ranges }) => ranges.length > MOST_RANGES)) return undefined;
  const own = wanted.reduce((ranges, test) => common(ranges, test.ranges), [EVERYTHING]);
  const path: Path = {
    by: [`values:${key}`],
    keys: [key],
    sources: sourcesOf(index.number, Space.own, own),
    count: 0,
    distinct: true,
    exact: exact && wanted.every((test) => test.exact),
    isTotal: false,
  };
  path.isTotal = path.exact;
  const count = await countEntries(planning, path.sources, bound);
  if (count === undefined) return undefined;
  path.count = count;
  if (wanted.length === 0) return path;

  // An array can pass two tests by two elements: its entries are asked for one test only.
  let least: { sources: Source[]; count: number } | undefined;
  for (const { ranges } of wanted) {
    const sources = sourcesOf(index.number, Space.element, [...ranges, UNLISTED]);
    const elements = await countEntries(planning, sources, least?.count ?? bound - count);
    if (elements !== undefined && (least === undefined || elements < least.count))
      least = { sources, count: elements };
  }
  if (least === undefined) return undefined;
  if (least.count === 0) return path;
  const unlisted = await countEntries(planning, sourcesOf(index.number, Space.element, [UNLISTED]), Infinity);
  return {
    ...path,
    sources: [...path.sources, ...least.sources],
    count: count + least.count,
    distinct: false,
    exact: path.exact && wanted.length === 1 && unlisted === 0,
    isTotal: false,
  };
}

function rangesOf(test: ValueTest): { ranges: ByteRange[]; exact: boolean } {
  if (test.kind === 'ordered') {
    if (test.operand === null) throw new Error('An order with null is an equality, or nothing.');
    const { range, exact } = rangeOfOrder(test.ordering, test.operand);
    return { ranges: [range], exact };
  }
  const each = test.values.map(rangeOfValue);
  return { ranges: merged(each.map(({ range }) => range)), exact: each.every(({ exact }) => exact) };
}

function sourcesOf(number: number, space: Space, ranges: readonly ByteRange[]): Source[] {
  const head = headOf(number, space);
  return ranges.map(({ start, end }) => ({
    kind: 'values',
    start: Buffer.concat([head, start]),
    end: Buffer.concat([head, end]),
  }));
}

/** Undefined: more than the bound. */
async function countEntries(
  { tables, view, reading }: Planning,
  sources: readonly Source[],
  bound: number,
): Promise<number | undefined> {
  const pacer = createPacer(1);
  let count = 0;
  for (const source of sources) {
    if (source.kind !== 'values') continue;
    let { start } = source;
    for (;;) {
      if (pacer.isDue()) await pacer.pause();
      const [next] = tables.values.getKeys({
        start,
        end: source.end,
        offset: STRETCH,
        limit: 1,
        transaction: view,
      });
      const passed =
        next === undefined
          ? tables.values.getKeysCount({ start, end: source.end, transaction: view })
          : STRETCH;
      count += passed;
      reading.counted += passed;
      if (count > bound) return undefined;
      if (next === undefined) break;
      start = next as Buffer;
    }
  }
  return count;
}

/** The places of a path's entries, in no order; a record may come more than once where the path is not `distinct`. */
export function* placesOn(tables: Tables, view: View, reading: Reading, path: Path): Generator<PagePlace> {
  for (const source of path.sources) {
    if (source.kind === 'values') {
      const { start, end } = source;
      for (const { key, value } of tables.values.getRange({ start, end, transaction: view })) {
        reading.entries++;
        yield { createdMs: value.readDoubleLE(0), endpointId: idOfEntry(key as Buffer) };
      }
    } else if (source.kind === 'list') {
      for (const place of newestFirst(tables, view, source.list)) {
        reading.entries++;
        yield place;
      }
    } else {
      for (const endpointId of source.ids) {
        const record = tables.records.getBinaryFast(endpointId, { transaction: view });
        reading.records++;
        if (record) yield { createdMs: createdOf(record), endpointId };
      }
    }
  }
}
