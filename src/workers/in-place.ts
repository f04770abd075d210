import { textLengthOf } from '../model/command.js';
import { applyUpdate, type HeldFilters, holdNoFilters } from './application-filters.js';
import { evaluateGroup, type EvaluateSettings } from './evaluate-group.js';
import type { EvaluatedGroup, EvaluateGroup, FilterSetSource, WorkerSettings } from './messages.js';
import { prepareLimits } from './metadata-change.js';

/** Computes batches in the calling thread that are less work than handing them to another one. */
export interface InPlace {
  /** `undefined`: the batch, or what the filters ask of it, is too much. Throws what computing throws. */
  evaluate(
    groups: readonly EvaluateGroup[],
    filters: FilterSetSource,
    settings: WorkerSettings,
  ): EvaluatedGroup[] | undefined;
}

/**
 * Bounds of one batch. To hand a batch over and take it back costs this thread about 14 µs a command and the machine
 * about 40; to compute it, some 20. So small batches are computed here, and under load, when batches grow beyond this,
 * they go to threads that work side by side. What is computed here, nobody else is served meanwhile: a batch whose
 * conditions could look at so much that it took more than some 20 ms goes to a thread, too.
 */
const MOST_COMMANDS = 64;
/** of commands, and of the records that they change, a record counted for each of its commands */
const MOST_BYTES = 64 * 1024;
/** bytes of the batch, times the weight of all queries */
const MOST_MATCHING = 2 ** 27;
/** beyond it the filters are not held here a second time */
const MOST_QUERY_WEIGHT = 128 * 1024;

export function createInPlace(): InPlace {
  let held = holdNoFilters();
  let prepared: { from: WorkerSettings['limits']; limits: EvaluateSettings['limits'] } | undefined;

  function current(filters: FilterSetSource): HeldFilters {
    if (held.epoch !== filters.epoch) applyUpdate(held, filters.updateSince(held.epoch));
    return held;
  }

  function prepare(settings: WorkerSettings): EvaluateSettings {
    if (prepared?.from !== settings.limits)
      prepared = { from: settings.limits, limits: prepareLimits(settings.limits) };
    return { ...settings, limits: prepared.limits };
  }

  return {
    evaluate(groups, filters, settings) {
      if (filters.queryWeight > MOST_QUERY_WEIGHT) {
        if (held.epoch !== -1) held = holdNoFilters();
        return undefined;
      }
      if (!isSmall(groups, filters.queryWeight)) return undefined;
      const known = current(filters);
      const ready = prepare(settings);
      return groups.map((group) => evaluateGroup(group, known, ready));
    },
  };
}

function isSmall(groups: readonly EvaluateGroup[], queryWeight: number): boolean {
  let commands = 0;
  let bytes = 0;
  for (const { commands: own, record } of groups) {
    commands += own.length;
    bytes += own.length * (record?.length ?? 0);
    for (const command of own) bytes += textLengthOf(command);
    if (commands > MOST_COMMANDS || bytes > MOST_BYTES) return false;
  }
  return bytes * queryWeight <= MOST_MATCHING;
}
