import type { EventLog } from './event-log.js';
import { createReplay, type LiveItem, type Sequence } from './replay.js';

/** Kept groups from a time on, oldest first, up to those that were committed when it was asked for. */
export interface PastEvents {
  /** how many groups there are */
  readonly total: number;
  /** from when on all groups are kept, Unix ms; undefined: from the first one on */
  readonly keptSinceMs: number | undefined;
  /** some 128 KiB of them, and gaps among them; nothing: it is the end */
  next(): Promise<readonly LiveItem[]>;
}

/**
 * `sinceMs` is compared with the time of the log's frames, milliseconds after the commit; so groups that are a little
 * older may come, too. Where nothing was committed just before, a gap that is a little older. Cost: reads what is
 * kept up to that time, whole segments passed over. Call it when all that is to be found is in the log.
 *
 * @param isCounted - the log says which outbox entries it has, so it is known whether there were any before it
 */
export async function readPast(sequence: Sequence, isCounted: boolean, sinceMs: number): Promise<PastEvents> {
  const { log, runs, next: end } = sequence;
  const keptSinceMs = isCounted && (await beginsWithFirst(log)) ? undefined : (log.sinceMs ?? Date.now());
  const first = (await firstSince(log, sinceMs, end)) ?? end;
  // behind the group before it, so that a gap between the two is told
  const replay = createReplay(sequence, { run: runs.of(first - 1).id, group: first, events: 0 });
  let isOver = false;
  return {
    total: end - first,
    keptSinceMs,
    async next() {
      if (isOver) return [];
      const items = await replay.next();
      isOver = items.length === 0 || items.some(({ number }) => number >= end);
      return items.filter(({ kind, number }) => kind === 'gap' || number < end);
    },
  };
}

/** Nothing was committed before what is kept. */
async function beginsWithFirst(log: EventLog): Promise<boolean> {
  const start = log.oldest === 1 ? log.start(0) : undefined;
  const [head] = (start && (await log.read(start, Infinity)))?.frames ?? [];
  return head?.kind === 'head' && head.mark.through === 0 && head.mark.beyond.length === 0;
}

async function firstSince(log: EventLog, sinceMs: number, end: number): Promise<number | undefined> {
  for (let position = log.start(sinceMs); position !== undefined;) {
    const read = await log.read(position, end);
    // dropped meanwhile: from what is the oldest now
    if (read === undefined) position = log.start(sinceMs);
    else if (read.frames.length === 0) return undefined;
    else {
      for (const frame of read.frames)
        if (frame.kind === 'groups' && frame.timeMs >= sinceMs) return frame.first;
      position = read.position;
    }
  }
  return undefined;
}
