import type { EventLog, LogPosition } from './event-log.js';
import type { Frame } from './frame.js';
import { type Place, placeText } from './place.js';
import type { GapReason, Runs } from './runs.js';

/** What a reader of live events is told. */
export type LiveItem =
  | {
      kind: 'group';
      run: string;
      /** of the group in the sequence */
      number: number;
      /** events of it that the reader has already */
      skip: number;
      /** `decodeEvents` reads it */
      events: Uint8Array;
    }
  | {
      /** events may be missing before the group `number`, which is the next to come */
      kind: 'gap';
      run: string;
      number: number;
      reason: GapReason;
    };

/** Reads on from a place, at the speed of its reader. */
export interface Replay {
  /** What comes next, some 128 KiB of it; nothing: all was read. One call at a time. */
  next(): Promise<readonly LiveItem[]>;
  /** Whether all was read that listeners were told of up to now: who subscribes in the same turn misses nothing. */
  readonly atEnd: boolean;
  /** the place behind what was read */
  readonly place: string;
}

/** What a replay looks at; it changes while it reads. */
export interface Sequence {
  readonly log: EventLog;
  readonly runs: Runs;
  /** the number of the next group; all before it were told */
  readonly next: number;
}

/** A place that is not known, or is not kept any more, gives a gap, and what comes after now. */
export function createReplay(sequence: Sequence, from: Place): Replay {
  let run = from.run;
  let group = from.group;
  let skip = from.events;
  let position: LogPosition | undefined;
  let unknown = sequence.runs.find(from, sequence.next) === undefined;

  /** Whatever was before: the reader goes on at the end. */
  function goToEnd(reason: GapReason): LiveItem[] {
    unknown = false;
    position = undefined;
    run = sequence.runs.current.id;
    group = sequence.next;
    skip = 0;
    return [{ kind: 'gap', run, number: group, reason }];
  }

  /** The gap that is told before a group, if there is one. */
  function passGap(number: number): LiveItem | undefined {
    const gap = sequence.runs.gapBehind(run, number);
    run = sequence.runs.of(number).id;
    if (gap?.gap === undefined) return undefined;
    return { kind: 'gap', run, number, reason: gap.gap };
  }

  async function next(): Promise<readonly LiveItem[]> {
    if (unknown) return goToEnd('unknown-id');
    if (group >= sequence.next) {
      const gap = passGap(group);
      return gap === undefined ? [] : [gap];
    }
    position ??= sequence.log.find(group);
    for (;;) {
      const read = position === undefined ? undefined : await sequence.log.read(position, sequence.next);
      if (read === undefined || read.frames.length === 0) return goToEnd('too-old');
      position = read.position;
      const items = itemsOf(read.frames);
      // frames before the place hold nothing for this reader
      if (items.length > 0) return items;
    }
  }

  function itemsOf(frames: readonly Frame[]): LiveItem[] {
    const items: LiveItem[] = [];
    for (const frame of frames) {
      if (frame.kind !== 'groups' || frame.first + frame.groups.length <= group) continue;
      if (frame.first > group) return [...items, ...goToEnd('too-old')];
      for (let i = group - frame.first; i < frame.groups.length; i++) {
        const gap = passGap(group);
        if (gap !== undefined) items.push(gap);
        items.push({ kind: 'group', run, number: group, skip, events: frame.groups[i]! });
        group++;
        skip = 0;
      }
    }
    return items;
  }

  return {
    next,
    get atEnd() {
      return !unknown && group >= sequence.next && sequence.runs.gapBehind(run, group) === undefined;
    },
    get place() {
      return placeText(run, group, skip);
    },
  };
}
