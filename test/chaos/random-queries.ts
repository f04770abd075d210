import type { JsonObject, JsonValue } from '../../src/model/json.js';
import type { Random } from '../filters/fuzz/random.js';

/** A query over what the writers write: some change with each write, some seldom. */
export function randomQuery(random: Random, keys: readonly string[]): JsonObject {
  const keyIs = (key: string, value: JsonValue): JsonObject => ({ metadata: { $elemMatch: { key, value } } });
  const one = (): JsonObject =>
    random.weighted<JsonObject>([
      [3, () => keyIs(random.pick(keys), { $mod: [2 + random.below(6), random.below(2)] })],
      [2, () => keyIs(`temp_${random.pick(keys)}`, { $gte: random.below(40) })],
      [2, () => keyIs('temp', { $lt: random.below(40) })],
      [1, () => keyIs('connected', random.chance(50))],
      [1, () => keyIs('connectivity_ts', { $mod: [10, 2 * random.below(5)] })],
      [1, () => ({ application_version: { $regex: `${random.below(10)}$` } })],
      [1, () => ({ endpoint_id: { $regex: `${random.below(10)}$` } })],
      [1, () => ({ $nor: [keyIs(random.pick(keys), { $mod: [5, random.below(5)] })] })],
    ]);
  return random.chance(60) ? one() : { [random.pick(['$and', '$or'])]: [one(), one()] };
}
