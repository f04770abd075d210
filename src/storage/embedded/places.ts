import type { PagePlace } from '../port.js';
import { entryOf, idsOf, type Key, type List, type Part, type Tables, type View } from './tables.js';

const NEWEST = -Number.MAX_VALUE;
const OLDEST = Number.MAX_VALUE;
/** Records of one date that are turned around in memory; more are walked from the start of their date. */
const TURN = 256;

function placeOf(key: Key): PagePlace {
  const parts = key as Part[];
  return { createdMs: -(parts.at(-2) as number), endpointId: parts.at(-1) as string };
}

/** A list as it stands: newest first, ids ascending within a date. O(log n) to begin, then O(1) each. */
export function* newestFirst(
  tables: Tables,
  view: View | undefined,
  list: List,
  after?: PagePlace,
  offset = 0,
): Generator<PagePlace> {
  const start = after ? entryOf(list, after.createdMs, after.endpointId) : [...list, NEWEST];
  const range = {
    start,
    exclusiveStart: after !== undefined,
    end: [...list, OLDEST],
    transaction: view,
    offset,
  };
  for (const key of tables.lists.getKeys(range)) yield placeOf(key);
}

/**
 * Oldest first, ids ascending within a date: the list backwards, but the records of each date forwards. Costs as
 * {@link newestFirst}, and one more seek for a date of many records.
 */
export function* oldestFirst(
  tables: Tables,
  view: View | undefined,
  list: List,
  after?: PagePlace,
): Generator<PagePlace> {
  let start: Part[] = [...list, OLDEST];
  if (after) {
    yield* restOfDate(tables, view, list, after.createdMs, after.endpointId);
    start = [...list, -after.createdMs];
  }
  for (;;) {
    const run: PagePlace[] = []; // of one date, in descending order of ids
    let isLong = false;
    for (const key of tables.lists.getKeys({
      start,
      end: [...list, NEWEST],
      reverse: true,
      transaction: view,
    })) {
      const place = placeOf(key);
      if (run.length > 0 && run[0]!.createdMs !== place.createdMs) {
        yield* run.reverse();
        run.length = 0;
      }
      run.push(place);
      isLong = run.length > TURN;
      if (isLong) break;
    }
    if (!isLong) {
      yield* run.reverse();
      return;
    }
    const { createdMs } = run[0]!;
    yield* restOfDate(tables, view, list, createdMs);
    start = [...list, -createdMs];
  }
}

function* restOfDate(
  tables: Tables,
  view: View | undefined,
  list: List,
  createdMs: number,
  afterId?: string,
): Generator<PagePlace> {
  const start = afterId === undefined ? [...list, -createdMs] : entryOf(list, createdMs, afterId);
  const range = { start, exclusiveStart: afterId !== undefined, end: [...list, OLDEST], transaction: view };
  for (const key of tables.lists.getKeys(range)) {
    const place = placeOf(key);
    if (place.createdMs !== createdMs) return;
    yield place;
  }
}

/** All records and tombstones by endpoint id. O(log n) to begin, then O(1) each. */
export function* byId(
  tables: Tables,
  view: View | undefined,
  direction: 'asc' | 'desc',
  after?: string,
): Generator<string> {
  const reverse = direction === 'desc';
  const from = after === undefined ? {} : { start: after, exclusiveStart: true };
  for (const key of tables.records.getKeys({ ...from, reverse, transaction: view })) yield key as string;
}

/** Records of an application by endpoint id. O(log n) to begin, then O(1) each. */
export function* byIdIn(
  tables: Tables,
  view: View,
  application: string,
  direction: 'asc' | 'desc',
  after?: string,
): Generator<PagePlace> {
  const head = idsOf(application);
  const reverse = direction === 'desc';
  // "~" is the last character of an id
  const [first, last] = [head, [...head, '\uffff']];
  const start = after === undefined ? (reverse ? last : first) : [...head, after];
  const range = {
    start,
    end: reverse ? first : last,
    exclusiveStart: after !== undefined,
    reverse,
    transaction: view,
  };
  for (const { key, value } of tables.lists.getRange(range))
    yield { createdMs: value.readDoubleLE(0), endpointId: (key as Part[]).at(-1) as string };
}

/** The order of the port: by date, ties by id, ascending in both directions; or by id. */
export function comparePlaces(by: 'createdDate' | 'endpointId', direction: 'asc' | 'desc') {
  const sign = direction === 'asc' ? 1 : -1;
  return (a: PagePlace, b: PagePlace): number => {
    const ids = a.endpointId < b.endpointId ? -1 : a.endpointId > b.endpointId ? 1 : 0;
    return by === 'endpointId' ? sign * ids : sign * (a.createdMs - b.createdMs) || ids;
  };
}
