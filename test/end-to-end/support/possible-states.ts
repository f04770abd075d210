import { isDeepStrictEqual } from 'node:util';
import type { JsonObject } from '../../../src/model/json.js';
import type { Station } from './rest.js';

/** What may be stored, when some updates were acknowledged and others are on their way and may have happened or not. */
export interface PossibleStates {
  /** An update is on its way, behind those of the endpoint that were sent before. */
  sent(endpointId: string, set: JsonObject): void;
  /** The oldest update on its way was answered: it happened. */
  acknowledged(endpointId: string, set: JsonObject): void;
  /** Nothing is on its way any more, and this is what is stored. Answers what can not be, given what was acknowledged. */
  settle(stored: ReadonlyMap<string, JsonObject>): string[];
}

export function createPossibleStates(stations: readonly Station[]): PossibleStates {
  const certain = new Map(stations.map(({ endpointId, metadata }) => [endpointId, metadata]));
  let onTheWay = new Map<string, JsonObject[]>();
  return {
    sent(endpointId, set) {
      const waiting = onTheWay.get(endpointId);
      if (waiting === undefined) onTheWay.set(endpointId, [set]);
      else waiting.push(set);
    },
    acknowledged(endpointId, set) {
      onTheWay.get(endpointId)!.shift();
      certain.set(endpointId, { ...certain.get(endpointId)!, ...set });
    },
    settle(stored) {
      const wrong: string[] = [];
      for (const [endpointId, known] of certain) {
        const found = stored.get(endpointId);
        const states = [known];
        for (const set of onTheWay.get(endpointId) ?? []) states.push({ ...states.at(-1)!, ...set });
        if (found === undefined || !states.some((state) => isDeepStrictEqual(state, found)))
          wrong.push(`${endpointId} is ${JSON.stringify(found)}, not one of ${JSON.stringify(states)}`);
        else certain.set(endpointId, found);
      }
      onTheWay = new Map();
      return wrong;
    },
  };
}
