import { FrameReader } from '../../model/frames.js';
import type { OutboxEntry, OutboxPosition } from '../port.js';
import type { Table, Tables } from './tables.js';

export interface Outbox {
  /** Inside of a write transaction. */
  add(source: string, events: Uint8Array): OutboxPosition;
  /** The order of the newest entry. */
  last(): number;
  /** The order of the oldest entry that is left. */
  first(): number | undefined;
  read(limit: number, after: OutboxPosition | undefined): OutboxEntry[];
  /** Inside of a write transaction. */
  remove(positions: readonly OutboxPosition[]): void;
}

const LAST = 'outboxLast';
const APPEND = { append: true };

function keysOf(table: Table, reverse: boolean): number | undefined {
  for (const key of table.getKeys({ limit: 1, reverse })) return key as number;
  return undefined;
}

/**
 * Entries under a number that grows with each, in all of the store; so they are in the order of their commits, and an
 * entry is put at the end of the table, which is LMDB's cheapest write.
 *
 * The next number is kept in memory. At a start it goes on after the last entry, or, where the newest entries were
 * removed, after the number that was left in `meta` with their removal.
 */
export function openOutbox({ outbox, meta }: Tables): Outbox {
  let order = Math.max(keysOf(outbox, true) ?? 0, meta.getBinary(LAST)?.readDoubleLE(0) ?? 0);
  return {
    add(source, events) {
      order++;
      if (outbox.put(order, events, APPEND).result === false)
        throw new Error(`The outbox has an entry beyond ${order}.`);
      return { source, order };
    },
    last: () => order,
    first: () => keysOf(outbox, false),
    read(limit, after) {
      const range = after === undefined ? { limit } : { limit, start: after.order, exclusiveStart: true };
      return Array.from(outbox.getRange(range), ({ key, value }) => ({
        position: { source: new FrameReader(value).text(), order: key as number },
        events: value,
      }));
    },
    remove(positions) {
      for (const position of positions) outbox.remove(position.order);
      if ((keysOf(outbox, true) ?? 0) === order) return;
      const last = Buffer.allocUnsafe(8);
      last.writeDoubleLE(order, 0);
      meta.put(LAST, last);
    },
  };
}
