import { createdOf } from '../../model/record.js';
import type { PagePlace, RecordPage, RecordQuery } from '../port.js';
import { createPacer } from './pacer.js';
import type { Lists } from './lists.js';
import type { Reading } from './reading.js';
import type { Tables, View } from './tables.js';

/** The store as it is in a view: all of it is of one moment. */
export interface Moment {
  tables: Tables;
  view: View;
  lists: Lists;
}

/** One look at the store. */
export interface Search extends Moment {
  reading: Reading;
}

/** What a candidate must still fulfil; absent: nothing. `place` is asked first. */
export interface Fits {
  place?: ((place: PagePlace) => boolean) | undefined;
  record?: ((record: Uint8Array, endpointId: string) => boolean) | undefined;
}

/**
 * Takes the page of a query from candidates that come in its order, from right after its place. Records are read only
 * where they are in the page or have to be looked at.
 *
 * @param mostRecords after so many it is given up
 * @returns whether the page is whole
 */
export async function fillPage(
  { tables, view, reading }: Search,
  candidates: Iterable<PagePlace>,
  fits: Fits,
  query: RecordQuery,
  page: RecordPage,
  mostRecords = Infinity,
): Promise<boolean> {
  const pacer = createPacer(fits.record ? 1 : undefined);
  let toSkip = query.after ? 0 : query.offset;
  let looked = 0;
  let last: PagePlace | undefined;
  for (const { createdMs, endpointId } of candidates) {
    if (pacer.isDue()) await pacer.pause();
    if (fits.place && !fits.place({ createdMs, endpointId })) continue;
    if (!fits.record && toSkip > 0) {
      toSkip--;
      continue;
    }
    const isFull = page.records.length === query.limit;
    if (!isFull || fits.record) {
      if (looked++ === mostRecords) return false;
      const record = tables.records.getBinary(endpointId, { transaction: view });
      reading.records++;
      if (record === undefined || (fits.record && !fits.record(record, endpointId)) || toSkip-- > 0) continue;
      if (!isFull) {
        page.records.push(record);
        last = { createdMs: createdOf(record), endpointId };
        continue;
      }
    }
    if (last) page.next = last;
    return true;
  }
  return true;
}

/** How many candidates fulfil what they must. */
export async function countFitting(
  { tables, view, reading }: Search,
  candidates: Iterable<PagePlace>,
  fits: Fits,
): Promise<number> {
  const pacer = createPacer(fits.record ? 1 : undefined);
  let total = 0;
  for (const place of candidates) {
    if (pacer.isDue()) await pacer.pause();
    if (fits.place && !fits.place(place)) continue;
    if (fits.record) {
      const record = tables.records.getBinary(place.endpointId, { transaction: view });
      reading.records++;
      if (record === undefined || !fits.record(record, place.endpointId)) continue;
    }
    total++;
  }
  return total;
}
