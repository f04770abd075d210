import type { OutboxPosition } from '../port.js';

/** Published entries that are in the database still, to be forgotten. */
export interface ClearedEntries {
  add(positions: readonly OutboxPosition[], nowMs: number): void;
  /** An entry of this size was written: where it is large, it does not wait for the next write when it is published. */
  wrote(source: string, bytes: number): void;
  /** Orders of this source that its next write takes out: some, so that the write stays small. */
  ordersOf(source: string): readonly number[];
  /** They are out of the database. */
  removed(source: string, orders: readonly number[]): void;
  /**
   * What has to be taken out by a write of its own: sources without a write for `idleMs`, sources with many or
   * large entries, and the oldest of what is more than {@link MAX_ENTRIES}.
   */
  overdue(nowMs: number): Map<string, readonly number[]>;
  all(): Map<string, readonly number[]>;
  readonly size: number;
  /**
   * Begins a reading of the outbox. The answer tells which entries it must not show: all that were here at its beginning
   * or came since, though they are out of the database meanwhile, for the reading may be of before.
   */
  hide(): { hides: (source: string, order: number) => boolean; end: () => void };
}

/** Long enough that a busy endpoint's next write comes before, short enough that a crash publishes little twice. */
export const IDLE_MS = 5_000;
export const MAX_ENTRIES = 16_384;
const MAX_OF_SOURCE = 16;
const LARGE_BYTES = 32 * 1024;
const MAX_LARGE = 1_000;

interface Waiting {
  orders: Set<number>;
  sinceMs: number;
}

/**
 * Kept in memory, for clearing an entry by a write of its own costs as much as the change that made it: an endpoint that
 * is written again has it done with that. What a crash loses here is published again, with the same ids.
 */
export function createClearedEntries(idleMs = IDLE_MS): ClearedEntries {
  /** by source, the longest waiting first */
  const waiting = new Map<string, Waiting>();
  /** sources with a large entry, the newest last */
  const large = new Set<string>();
  let size = 0;
  let readings = 0;
  /** while there are readings: what was removed since */
  const departed = new Set<string>();
  const keyOf = (source: string, order: number) => `${order}/${source}`;

  return {
    add(positions, nowMs) {
      for (const { source, order } of positions) {
        let known = waiting.get(source);
        if (known === undefined) waiting.set(source, (known = { orders: new Set(), sinceMs: nowMs }));
        if (known.orders.has(order)) continue;
        known.orders.add(order);
        size++;
      }
    },
    wrote(source, bytes) {
      if (bytes < LARGE_BYTES) return;
      large.delete(source);
      large.add(source);
      if (large.size > MAX_LARGE) for (const oldest of large) return void large.delete(oldest);
    },
    ordersOf: (source) => [...(waiting.get(source)?.orders ?? [])].slice(0, MAX_OF_SOURCE),
    removed(source, orders) {
      const known = waiting.get(source);
      if (known === undefined) return;
      for (const order of orders) {
        if (!known.orders.delete(order)) continue;
        size--;
        if (readings > 0) departed.add(keyOf(source, order));
      }
      if (known.orders.size > 0) return;
      waiting.delete(source);
      large.delete(source);
    },
    overdue(nowMs) {
      const due = new Map<string, readonly number[]>();
      let over = size - MAX_ENTRIES;
      for (const [source, { orders, sinceMs }] of waiting) {
        const canWait = nowMs - sinceMs < idleMs && orders.size < MAX_OF_SOURCE && !large.has(source);
        if (over <= 0 && canWait) continue;
        due.set(source, [...orders]);
        over -= orders.size;
      }
      return due;
    },
    all: () => new Map([...waiting].map(([source, { orders }]) => [source, [...orders]])),
    get size() {
      return size;
    },
    hide() {
      readings++;
      return {
        hides: (source, order) =>
          waiting.get(source)?.orders.has(order) === true || departed.has(keyOf(source, order)),
        end() {
          if (--readings === 0) departed.clear();
        },
      };
    },
  };
}
