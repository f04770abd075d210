import { FrameReader } from '../../model/frames.js';
import type { OutboxEntry, OutboxPosition } from '../port.js';
import type { Changes } from './draft.js';
import { bytesOfNumber, type Table, type Tables } from './tables.js';

export interface Outbox {
  add(changes: Changes, source: string, events: Uint8Array): OutboxPosition;
  /** The order of the newest entry. */
  last(): number;
  /** The order of the oldest entry that is left. */
  first(): number | undefined;
  read(limit: number, after: OutboxPosition | undefined, maxBytes?: number): OutboxEntry[];
  remove(changes: Changes, positions: readonly OutboxPosition[]): void;
}

const LAST = 'outboxLast';

function keysOf(table: Table, reverse: boolean): number | undefined {
  for (const key of table.getKeys({ limit: 1, reverse })) return key as number;
  return undefined;
}

/**
 * Entries under a number that grows with each, in all of the store; so they are in the order of their commits.
 *
 * The next number is kept in memory. At a start it goes on after the last entry, or after the number that is left in
 * `meta` whenever entries are removed. A number whose write failed is not used again.
 */
export function openOutbox({ outbox, meta }: Tables): Outbox {
  let order = Math.max(keysOf(outbox, true) ?? 0, meta.getBinary(LAST)?.readDoubleLE(0) ?? 0);
  return {
    add(changes, source, events) {
      changes.put('outbox', ++order, events);
      return { source, order };
    },
    last: () => order,
    first: () => keysOf(outbox, false),
    read(limit, after, maxBytes = Infinity) {
      const range = after === undefined ? { limit } : { limit, start: after.order, exclusiveStart: true };
      const entries: OutboxEntry[] = [];
      let bytes = 0;
      for (const { key, value } of outbox.getRange(range)) {
        const position = { source: new FrameReader(value).text(), order: key as number };
        entries.push({ position, events: value });
        bytes += value.length;
        if (bytes >= maxBytes) break;
      }
      return entries;
    },
    remove(changes, positions) {
      for (const position of positions) changes.remove('outbox', position.order);
      changes.put('meta', LAST, bytesOfNumber(order));
    },
  };
}
