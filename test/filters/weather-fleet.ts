import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { FilterDocument } from '../../src/filters/index.js';
import type { JsonObject } from '../../src/model/json.js';

/** One report of a station: what it sets in its metadata. */
export interface Observation {
  endpointId: string;
  set: JsonObject;
}

const FOLDER = join(process.cwd(), 'examples', 'weather');

function readLines<T>(name: string): T[] {
  const text = gunzipSync(readFileSync(join(FOLDER, name))).toString();
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
}

export function readWeatherFilters(): { name: string; mongoQuery: JsonObject }[] {
  const text = readFileSync(join(FOLDER, 'filters.json'), 'utf8');
  return (JSON.parse(text) as { filters: { name: string; mongoQuery: JsonObject }[] }).filters;
}

/** All stations by their ids, as they are before the first observation. */
export function readStations(): Map<string, FilterDocument> {
  type Line = { endpointId: string; appVersion: { name: string }; metadata: JsonObject };
  return new Map(
    readLines<Line>('stations.ndjson.gz').map(({ endpointId, appVersion, metadata }) => [
      endpointId,
      { endpointId, applicationVersion: appVersion.name, metadata },
    ]),
  );
}

/** Two days of reports, in the order of time. */
export function readObservations(): Observation[] {
  return readLines<Observation>('observations.ndjson.gz');
}
