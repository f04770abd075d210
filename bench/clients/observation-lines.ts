import type { JsonObject } from '../../src/model/json.js';
import { KEY, readObservations, temperatureText, textUpTo } from '../fleet.js';

/** One observation of the endless repetition, as a line and as what it sets. */
export interface ObservationLine {
  endpointId: string;
  text: string;
  /** the whole of what it sets */
  set: () => JsonObject;
}

const OBSERVED = 'observed';
const TWO_DAYS_MS = 2 * 24 * 3600 * 1000;

/**
 * The weather observations of the fleet over and over, each time two days later and with another temperature, so that no
 * line repeats what is stored. Cheap: all but the two values is text that is there already.
 */
export function createObservationLines(endpointIds: ReadonlySet<string>): () => ObservationLine {
  const observations = readObservations()
    .filter(({ endpointId }) => endpointIds.has(endpointId))
    .map(({ endpointId, set }, i) => {
      const { [OBSERVED]: observed, ...others } = set;
      return {
        endpointId,
        set,
        observedMs: Date.parse(observed as string),
        base: typeof set[KEY] === 'number' ? set[KEY] : 12,
        start: `{"endpointId":${JSON.stringify(endpointId)},"set":${textUpTo(KEY, others)}`,
        place: i,
      };
    });
  let at = 0;
  let lap = 1;
  return () => {
    const { endpointId, set, observedMs, base, start, place } = observations[at]!;
    const temperature = temperatureText(base, place, lap);
    const observed = new Date(observedMs + lap * TWO_DAYS_MS).toISOString();
    if (++at === observations.length) {
      at = 0;
      lap++;
    }
    return {
      endpointId,
      text: `${start}${temperature},"${OBSERVED}":"${observed}"}}\n`,
      set: () => ({ ...set, [KEY]: Number(temperature), [OBSERVED]: observed }),
    };
  };
}
