import { randomBytes } from 'node:crypto';
import type { Place } from './place.js';

/** A part of the sequence in which nothing is missing. */
export interface Run {
  /** 12 hex digits, at random: two installations, or two copies of one, never have the same */
  id: string;
  /** number of its first group */
  first: number;
  /** why events may be missing before it; absent: none is */
  gap?: GapReason;
}

/** Why events may be missing; what follows is told from a place of its own. */
export type GapReason = 'unknown-id' | 'too-old' | 'unclean-stop' | 'uncertain-write';

/** Runs that are remembered: places of older ones are unknown. */
const MOST_RUNS = 200;

/** The runs of a sequence, oldest first; never empty. */
export class Runs {
  readonly #runs: Run[];

  constructor(runs: readonly Run[]) {
    this.#runs = runs.slice(-MOST_RUNS);
  }

  get all(): readonly Run[] {
    return this.#runs;
  }

  get current(): Run {
    return this.#runs.at(-1)!;
  }

  /** Begins the next run with the group `first`. */
  begin(first: number, gap?: GapReason): Run {
    const run: Run = { id: randomBytes(6).toString('hex'), first };
    if (gap !== undefined) run.gap = gap;
    this.#runs.push(run);
    if (this.#runs.length > MOST_RUNS) this.#runs.shift();
    return run;
  }

  /** The index of a place's run, where the place is one that was given out. `next`: the number of the next group. */
  find({ run, group, events }: Place, next: number): number | undefined {
    const index = this.#runs.findIndex(({ id }) => id === run);
    if (index < 0) return undefined;
    const end = this.#runs[index + 1]?.first ?? next;
    const isGivenOut = group >= this.#runs[index]!.first && (group < end || (group === end && events === 0));
    return isGivenOut ? index : undefined;
  }

  /** The run that a group is in. */
  of(group: number): Run {
    for (let i = this.#runs.length - 1; i > 0; i--) if (this.#runs[i]!.first <= group) return this.#runs[i]!;
    return this.#runs[0]!;
  }

  /** The first run with a gap among those behind `run` that begin at or before `group`. */
  gapBehind(run: string, group: number): Run | undefined {
    const index = this.#runs.findIndex(({ id }) => id === run);
    return this.#runs.slice(index + 1).find(({ first, gap }) => gap !== undefined && first <= group);
  }
}
