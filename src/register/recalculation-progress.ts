import type { SavedFilter } from '../model/filter.js';
import type { Replicas } from '../replicas/index.js';
import type { StoredPass, StoredRound, Store } from '../storage/index.js';
import type { FilterProgress } from './types.js';

/** How far the recalculation of an application is, in this process or as another one has noted it. */
export interface PassProgress {
  rounds: readonly (Pick<StoredRound, 'target' | 'evaluated'> & { isDone?: boolean })[];
  /** endpoints, as they were counted last */
  total: number;
  /** endpoints that are evaluated in a second; undefined: not known */
  perSecond: number | undefined;
}

/** `stamp` is another one whenever something else is told. */
export interface ToldProgress {
  progress: FilterProgress;
  stamp: number;
}

export interface ProgressReaderDeps {
  store: Pick<Store, 'getPass'>;
  replicas: Pick<Replicas, 'live'>;
  /** of this process; undefined: none is under way here */
  own: (application: string) => PassProgress | undefined;
}

/**
 * Tells of pending filters; undefined: nothing is known yet. Where there are several replicas, all of them go by what the one
 * that does it has noted last, so that it never goes back, whichever is asked. To be made for each answer: an application is read
 * once for it.
 */
export function createProgressReader({ store, replicas, own }: ProgressReaderDeps) {
  const passes = new Map<string, Promise<StoredPass | undefined>>();

  const noted = (application: string): Promise<StoredPass | undefined> => {
    const known = passes.get(application) ?? store.getPass(application);
    passes.set(application, known);
    return known;
  };

  return async ({ application, number }: SavedFilter): Promise<ToldProgress | undefined> => {
    if (replicas.live().length < 2) {
      const pass = own(application);
      return pass === undefined ? undefined : progressIn(pass, number);
    }
    const pass = await noted(application);
    if (pass?.total === undefined) return undefined;
    const { rounds, total, perSecond } = pass;
    return progressIn({ rounds, total, perSecond }, number);
  };
}

function progressIn({ rounds, total: counted, perSecond }: PassProgress, number: number): ToldProgress {
  const round = rounds.find(({ target }) => number <= target);
  const { evaluated, total } = shareOf(round, counted);
  const progress: FilterProgress = {
    evaluated,
    total,
    state: round === undefined ? 'waiting' : 'evaluating',
  };
  if (perSecond !== undefined) progress.secondsLeft = Math.ceil((total - evaluated) / perSecond);
  return { progress, stamp: 2 * evaluated + (round === undefined ? 2 : 1) };
}

/** Endpoints go while it goes on, and what was evaluated stays. */
export function shareOf(
  round: PassProgress['rounds'][number] | undefined,
  counted: number,
): { evaluated: number; total: number } {
  const evaluated = round?.evaluated ?? 0;
  const total = Math.max(evaluated, counted);
  return { evaluated: round?.isDone === true ? total : evaluated, total };
}
