import { type FilterReader, type MatchingBudget, TooMuchWork } from '../filters/index.js';
import { textLengthOf } from '../model/command.js';
import type { FilterSets } from './application-filters.js';
import { evaluateGroup, type EvaluateSettings } from './evaluate-group.js';
import type { EvaluatedGroup, EvaluateGroup, WorkerSettings } from './messages.js';
import { prepareLimits } from './metadata-change.js';

/** Computes batches in the calling thread that are less work than handing them to another one. */
export interface InPlace {
  /** `undefined`: the batch, or what its matching takes, is too much. Throws what computing throws. */
  evaluate(
    groups: readonly EvaluateGroup[],
    filters: FilterSets,
    settings: WorkerSettings,
  ): EvaluatedGroup[] | undefined;
}

/**
 * Bounds of one batch. To hand a batch over and take it back costs this thread about 14 µs a command and the machine
 * about 40; to compute it, some 20. So small batches are computed here, and under load, when batches grow beyond this,
 * they go to threads that work side by side. What is computed here, nobody else is served meanwhile: a batch whose
 * matching turns out to take long is given up, and goes to a thread, too.
 */
const MOST_COMMANDS = 64;
/** of commands, and of the records that they change, a record counted for each of its commands */
const MOST_BYTES = 64 * 1024;
const MOST_MATCHING_NS = 20e6;

export function createInPlace(): InPlace {
  let prepared: { from: WorkerSettings['limits']; limits: EvaluateSettings['limits'] } | undefined;

  function prepare(settings: WorkerSettings): EvaluateSettings {
    if (prepared?.from !== settings.limits)
      prepared = { from: settings.limits, limits: prepareLimits(settings.limits) };
    return { ...settings, limits: prepared.limits };
  }

  return {
    evaluate(groups, filters, settings) {
      if (!isSmall(groups)) return undefined;
      const budget: MatchingBudget = { left: MOST_MATCHING_NS };
      const limited: FilterSets = { of: (application) => withBudget(filters.of(application), budget) };
      const ready = prepare(settings);
      try {
        return groups.map((group) => evaluateGroup(group, limited, ready));
      } catch (error) {
        if (error instanceof TooMuchWork) return undefined;
        throw error;
      }
    },
  };
}

function withBudget(filters: FilterReader, budget: MatchingBudget): FilterReader {
  filters.budget = budget;
  return filters;
}

function isSmall(groups: readonly EvaluateGroup[]): boolean {
  let commands = 0;
  let bytes = 0;
  for (const { commands: own, record } of groups) {
    commands += own.length;
    bytes += own.length * (record?.length ?? 0);
    for (const command of own) bytes += textLengthOf(command);
    if (commands > MOST_COMMANDS || bytes > MOST_BYTES) return false;
  }
  return true;
}
