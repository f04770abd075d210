import { jsonEquals, type JsonObject } from '../../src/model/json.js';
import { KEY, readObservations, temperatureText, textUpTo, type Observation } from '../fleet.js';

/** One line of a stream, and what it sets. */
export interface MetadataLine {
  endpointId: string;
  text: string;
  /** the whole of what it sets */
  set: () => JsonObject;
}

export interface MetadataLines {
  next: () => MetadataLine;
  /** keys that a line names, and those of them whose value it changes; means of all lines */
  keysSet: number;
  keysChanged: number;
}

/** `observation`: all that a station observes at once; `reading`: its temperature alone. */
export type LineKind = 'observation' | 'reading';

const OBSERVED = 'observed';
/** more than there are in the data */
const MOST_OBSERVATIONS = 100_000;
const TWO_DAYS_MS = 2 * 24 * 3600 * 1000;

/**
 * The weather observations of the fleet over and over, each time with another temperature, so that no line repeats what
 * is stored; whole observations are two days later each time, too. Cheap: all but these values is text that is there
 * already.
 */
export function createMetadataLines(endpointIds: ReadonlySet<string>, kind: LineKind): MetadataLines {
  const observations = readObservations().filter(({ endpointId }) => endpointIds.has(endpointId));
  const makers = observations.map(kind === 'observation' ? observationMaker : readingMaker);
  let at = 0;
  let lap = 1;
  const next = (): MetadataLine => {
    const line = makers[at]!(lap);
    if (++at === makers.length) {
      at = 0;
      lap++;
    }
    return line;
  };
  return kind === 'reading' ? { next, keysSet: 1, keysChanged: 1 } : { next, ...countKeys(observations) };
}

function observationMaker({ endpointId, set }: Observation, place: number): (lap: number) => MetadataLine {
  const { [OBSERVED]: observed, ...others } = set;
  const observedMs = Date.parse(observed as string);
  const base = baseOf(set);
  const start = `{"endpointId":${JSON.stringify(endpointId)},"set":${textUpTo(KEY, others)}`;
  return (lap) => {
    const temperature = temperatureText(base, place, lap);
    const date = new Date(observedMs + lap * TWO_DAYS_MS).toISOString();
    return {
      endpointId,
      text: `${start}${temperature},"${OBSERVED}":"${date}"}}\n`,
      set: () => ({ ...set, [KEY]: Number(temperature), [OBSERVED]: date }),
    };
  };
}

function readingMaker({ endpointId, set }: Observation, place: number): (lap: number) => MetadataLine {
  const base = baseOf(set);
  const start = `{"endpointId":${JSON.stringify(endpointId)},"set":{"${KEY}":`;
  return (lap) => {
    // a station may report twice in a lap
    const temperature = temperatureText(base, place, lap * MOST_OBSERVATIONS + place);
    return {
      endpointId,
      text: `${start}${temperature}}}\n`,
      set: () => ({ [KEY]: Number(temperature) }),
    };
  };
}

function baseOf(set: JsonObject): number {
  const value = set[KEY];
  return typeof value === 'number' ? value : 12;
}

/** Over one lap, when the one before has left its values. */
function countKeys(observations: readonly Observation[]): { keysSet: number; keysChanged: number } {
  const known = new Map<string, JsonObject>();
  let keysSet = 0;
  let keysChanged = 0;
  for (const counted of [false, true]) {
    for (const { endpointId, set } of observations) {
      const before = known.get(endpointId) ?? {};
      const keys = new Set([...Object.keys(set), KEY, OBSERVED]);
      if (counted) {
        keysSet += keys.size;
        for (const key of keys) {
          // these two are another value in each line
          const isOther = key === KEY || key === OBSERVED;
          if (isOther || !Object.hasOwn(before, key) || !jsonEquals(before[key]!, set[key]!)) keysChanged++;
        }
      }
      known.set(endpointId, { ...before, ...set });
    }
  }
  return { keysSet: keysSet / observations.length, keysChanged: keysChanged / observations.length };
}
