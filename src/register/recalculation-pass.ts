import type { StoredPass, StoredRound } from '../storage/index.js';

/**
 * A walk over the records of an application by endpoint id, from the last on to the first again, as long as filters are
 * pending. Those that come begin where the walk is, and are evaluated when it comes there once more: nobody waits for
 * others, and each record that is read serves all (a shared scan; Unterbrunner et al., "Predictable performance for
 * unpredictable workloads", VLDB 2009).
 */
export interface Pass {
  /** everything up to there was evaluated; undefined: it is at the beginning */
  readonly after: string | undefined;
  /** the newest number of those under way; 0: none is */
  readonly target: number;
  readonly rounds: readonly Round[];
  /** records that it passed, in this process */
  readonly walked: number;
  /** Whether filters that wait may begin here. There are at most 1,024 rounds. */
  mayBegin(total: number): boolean;
  /** @param target the newest number of those that begin here; those of other rounds are older */
  begin(target: number): void;
  /** What was evaluated from {@link Pass.after} on. O(rounds). */
  passed(step: Step): void;
  /** The oldest round is no longer needed. */
  end(): void;
  stored(): StoredPass;
}

/** The filters that began at one place. */
export interface Round extends Readonly<StoredRound> {
  /** of the process's clock */
  readonly sinceMs: number;
  /** each record was evaluated against its filters */
  readonly isDone: boolean;
}

export interface Step {
  /** how many were passed, those included that were up to date */
  evaluated: number;
  /** the oldest version that one of them had been evaluated with, of those that were not up to date; Infinity: all were */
  oldest: number;
  /** where the next one begins; absent: there are no more */
  after?: string;
}

/** More filters begin when a walk has passed such a part of the records since others did. */
const MOST_ROUNDS = 1024;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * @param soleWriter nobody else writes. Elsewhere a round ends only when a whole one has found nothing that was not up to
 * date: who did not know its filters may have written behind the walk.
 * @param stored what a former process left
 */
export function createPass(soleWriter: boolean, stored?: StoredPass): Pass {
  let after = stored?.after;
  let walked = 0;
  const rounds = (stored?.rounds ?? []).map((round): Writable<Round> => ({
    ...round,
    sinceMs: performance.now(),
    isDone: false,
  }));

  function beginHere(round: Writable<Round>): void {
    round.hasTurned = false;
    round.isClean = true;
    if (after === undefined) delete round.from;
    else round.from = after;
  }

  /** Whether the walk has come to where the round began. */
  function isBack({ from, hasTurned }: Round): boolean {
    if (after === undefined) return from === undefined || hasTurned;
    return hasTurned && from !== undefined && after >= from;
  }

  return {
    get after() {
      return after;
    },
    get target() {
      return rounds.at(-1)?.target ?? 0;
    },
    rounds,
    get walked() {
      return walked;
    },
    mayBegin(total) {
      const newest = rounds.at(-1);
      return newest === undefined || (rounds.length < MOST_ROUNDS && newest.evaluated >= total / MOST_ROUNDS);
    },
    begin(target) {
      const round: Writable<Round> = {
        target,
        evaluated: 0,
        hasTurned: false,
        isClean: true,
        sinceMs: performance.now(),
        isDone: false,
      };
      beginHere(round);
      rounds.push(round);
    },
    passed(step) {
      after = step.after;
      walked += step.evaluated;
      for (const round of rounds) {
        if (round.isDone) continue;
        if (step.oldest < round.target) round.isClean = false;
        const back = isBack(round);
        if (back && (soleWriter || round.isClean)) {
          // the step may have gone beyond where it began: it is not counted
          round.isDone = true;
          continue;
        }
        round.evaluated += step.evaluated;
        if (back) beginHere(round);
        else round.hasTurned ||= after === undefined;
      }
    },
    end() {
      rounds.shift();
    },
    stored: () => ({
      ...(after === undefined ? {} : { after }),
      rounds: rounds.map(({ target, from, evaluated, hasTurned, isClean }) => ({
        target,
        evaluated,
        hasTurned,
        isClean,
        ...(from === undefined ? {} : { from }),
      })),
    }),
  };
}
