import type { Changes } from './draft.js';
import {
  isInLists,
  MovesByList,
  type FilterMove,
  type ListPlace,
  type Mark,
  type MovesOfCommit,
} from './filter-moves.js';
import type { PendingMoves } from './lists.js';
import { changeEntry, CountChanges } from './list-changes.js';
import { listOf, type Tables, type View } from './tables.js';
import type { Writer } from './writer.js';

export interface MoverOptions {
  /** moves of one draft of the mover: some ms of LMDB's thread, during which other writes wait */
  piece?: number | undefined;
  /** so many that wait are moved at once */
  enough?: number | undefined;
  /** beyond it, commits wait */
  most?: number | undefined;
  /** what waits longer is moved, however few they are */
  afterMs?: number | undefined;
}

export interface MoverDeps extends MoverOptions {
  tables: Tables;
  writer: Writer;
  /** a view of the newest state */
  look: () => View;
}

/**
 * Writes the moves of filters' lists to `lists` and `counts`. An update flips few of many filters, each in another
 * place of those tables: written with the commit, each is a page or two of its own. Sorted, many share one.
 *
 * Nothing is known of the log but what was read of it, so a write that fails leaves nothing to be mended here.
 */
export interface Mover {
  /** Whether there is room for more moves. */
  readonly isFull: boolean;
  /** Resolves when there is, or when it is closed. Rejects with what is wrong with the storage when that makes none. */
  room(): Promise<void>;
  /** Plans the moves of a commit. */
  add(changes: Changes, moves: MovesOfCommit): void;
  /** So many were written. */
  added(moves: number): void;
  pendingIn(view: View): PendingMoves;
  /** Ends after the piece under way; the log has the rest. */
  close(): Promise<void>;
}

const PIECE = 256;
const ENOUGH = 16_384;
const MOST = 32_768;
const AFTER_MS = 2_000;
/** Moves that are not read yet, before some are: a ms. */
const UNREAD = 1_000;
/** Log entries that one draft removes. */
const REMOVED = 1_000;
const MARK = 'filterMoves';

export function openMover(deps: MoverDeps): Mover {
  const { tables, writer, look, piece = PIECE, enough = ENOUGH, most = MOST, afterMs = AFTER_MS } = deps;
  /** what is being moved: all up to an order */
  let batch: { order: number; moves: MovesByList } | undefined;
  /** what comes after it */
  let young = new MovesByList();
  /** moves of entries up to this one are forgotten here, since the lists have them */
  let forgotten = 0;
  /** the newest entry that was read */
  let read = 0;
  let newest: number;
  /** moves that were written since the batch was taken */
  let waiting = 0;
  /** of them, those that were not read yet, at most */
  let unread = 0;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> | undefined;

  function looking<T>(work: (view: View) => T): T {
    const view = look();
    try {
      return work(view);
    } finally {
      view.done();
    }
  }

  /** Reads what is new in the log. */
  function catchUp(view: View): void {
    for (const [order, entry] of entriesAfter(read, view)) {
      young.add(order, entry);
      read = order;
    }
    unread = 0;
  }

  function* entriesAfter(order: number, view: View): Generator<[number, Buffer]> {
    const range = { start: order, exclusiveStart: true, transaction: view };
    for (const { key, value } of tables.moves.getRange(range)) yield [key as number, value];
  }

  function markIn(view: View): Mark {
    const bytes = tables.meta.getBinary(MARK, { transaction: view });
    return bytes === undefined ? { order: 0 } : (JSON.parse(bytes.toString()) as Mark);
  }

  /** Of the log's first or last entry; undefined: it has none. */
  function orderIn(view: View, end: 'first' | 'last'): number | undefined {
    for (const key of tables.moves.getKeys({ reverse: end === 'last', limit: 1, transaction: view }))
      return key as number;
    return undefined;
  }

  /** One at a time; who asks meanwhile gets the one under way. */
  function work(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    working ??= moveBatch().finally(() => {
      working = undefined;
      plan();
    });
    return working;
  }

  // What goes wrong goes wrong for the next commit, too, and is told there; here it is tried again.
  function workInBackground(): void {
    void work().catch(() => undefined);
  }

  function plan(): void {
    if (closed || working || timer || (waiting === 0 && !batch)) return;
    timer = setTimeout(workInBackground, afterMs);
    timer.unref();
  }

  function isFull(): boolean {
    return !closed && waiting + (batch?.moves.size ?? 0) >= most;
  }

  async function moveBatch(): Promise<void> {
    const mark = looking((view) => {
      catchUp(view);
      return markIn(view);
    });
    if (batch === undefined) {
      batch = { order: read, moves: young };
      young = new MovesByList();
      waiting = 0;
    }
    const { order, moves } = batch;
    // One of before, that ended halfway, is gone on with.
    if (mark.order < order || mark.place) {
      const outcome = moves.outcome(mark.order === order ? mark.place : undefined);
      while (!closed && (await movePiece(order, outcome)));
    }
    while (!closed && (await removeEntries(order)));
    if (closed) return;
    forgotten = order;
    batch = undefined;
  }

  /** Whether there are more. */
  async function movePiece(order: number, outcome: Iterator<[ListPlace, FilterMove]>): Promise<boolean> {
    const some: [ListPlace, FilterMove][] = [];
    let next = outcome.next();
    while (!next.done) {
      some.push(next.value);
      if (some.length === piece) break;
      next = outcome.next();
    }
    const isLast = next.done === true;
    const mark: Mark = isLast ? { order } : { order, place: some.at(-1)![0] };
    await writer.draft((changes) => {
      const counts = new CountChanges();
      for (const [[application, filterNumber], { createdMs, endpointId, by }] of some)
        changeEntry(changes, counts, listOf.filter(application, filterNumber), createdMs, endpointId, by);
      counts.write(changes);
      changes.put('meta', MARK, Buffer.from(JSON.stringify(mark)));
    });
    return !isLast;
  }

  async function removeEntries(order: number): Promise<boolean> {
    const keys = looking((view) => [
      ...tables.moves.getKeys({ end: order + 1, limit: REMOVED, transaction: view }),
    ]);
    if (keys.length > 0)
      await writer.draft((changes) => {
        for (const key of keys) changes.remove('moves', key);
      });
    return keys.length === REMOVED;
  }

  looking((view) => {
    const mark = markIn(view);
    newest = Math.max(orderIn(view, 'last') ?? 0, mark.order);
    // of a batch that ended halfway, all is needed; of one that is in the lists, nothing
    forgotten = mark.order;
    read = mark.order;
    if (mark.place) {
      forgotten = read = 0;
      const moves = new MovesByList();
      for (const [order, entry] of entriesAfter(0, view)) {
        if (order > mark.order) break;
        moves.add(order, entry);
      }
      batch = { order: mark.order, moves };
      read = mark.order;
    } else if ((orderIn(view, 'first') ?? Infinity) <= mark.order) {
      // it ended in the removal: those entries must be gone before the next are moved, or these would be taken together
      batch = { order: mark.order, moves: new MovesByList() };
    }
    catchUp(view);
    waiting = young.size;
  });
  plan();

  return {
    get isFull() {
      return isFull();
    },
    async room() {
      while (isFull()) await work();
    },
    add(changes, moves) {
      if (moves.count > 0) changes.put('moves', ++newest, moves.encode());
    },
    added(moves) {
      if (moves === 0 || closed) return;
      waiting += moves;
      unread += moves;
      if (unread >= UNREAD) looking(catchUp);
      if (waiting < enough) plan();
      else if (!working) workInBackground();
    },
    pendingIn(view) {
      let sources: { mark: Mark; last: number; moves: readonly MovesByList[] } | undefined;

      function readSources() {
        const [mark, last] = [markIn(view), orderIn(view, 'last') ?? 0];
        if (last <= mark.order && !mark.place) return { mark, last, moves: [] };
        if (mark.order > forgotten || (mark.order === forgotten && !mark.place)) {
          catchUp(view);
          return { mark, last, moves: batch ? [batch.moves, young] : [young] };
        }
        // a view of long ago
        const moves = new MovesByList();
        for (const [order, entry] of entriesAfter(0, view)) moves.add(order, entry);
        return { mark, last, moves: [moves] };
      }

      return (application, filterNumber) => {
        const { mark, last, moves } = (sources ??= readSources());
        return moves.flatMap((some) =>
          some
            .of(application, filterNumber)
            .filter((move) => move.order <= last && !isInLists(mark, application, filterNumber, move)),
        );
      };
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await working?.catch(() => undefined);
    },
  };
}
