import type { FilterDocument } from '../../../src/filters/index.js';
import type { JsonObject } from '../../../src/model/json.js';
import { conditionsOf, valuesOf, type Condition } from './conditions.js';
import type { LeftOut } from './left-out/traits.js';

/** Whether a judge with these rules is asked about a filter and a document; prepared once for a filter. */
export function trustOf(rules: readonly LeftOut[], filter: JsonObject): (doc: FilterDocument) => boolean {
  const checks: { condition: Condition; where: NonNullable<LeftOut['where']> }[] = [];
  for (const condition of conditionsOf(filter)) {
    for (const { on, where, looksAtAll } of rules) {
      if (!on(condition)) continue;
      if (where === undefined) return () => false;
      checks.push({ condition: looksAtAll ? { ...condition, keys: undefined } : condition, where });
    }
  }
  return (doc) =>
    !checks.some(({ condition, where }) => valuesOf(condition, doc).some((value) => where(value, condition)));
}
