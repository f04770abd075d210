import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { JsonObject } from '../../../src/model/json.js';
import type { FilterBody, Station } from './rest.js';

export interface Observation {
  endpointId: string;
  set: JsonObject;
}

// from build/test/end-to-end/support
const folder = new URL('../../../../examples/weather/', import.meta.url);

export function readStations(): Station[] {
  return readLines('stations.ndjson.gz');
}

/** In the order of time. */
export function readObservations(): Observation[] {
  return readLines('observations.ndjson.gz');
}

export function readFilters(): FilterBody[] {
  const text = readFileSync(fileURLToPath(new URL('filters.json', folder)), 'utf8');
  return (JSON.parse(text) as { filters: FilterBody[] }).filters;
}

/** The stations that report, and as many of the others as make up the count. */
export function pickStations(count: number, stations: Station[], observations: Observation[]): Station[] {
  const reporting = new Set(observations.map(({ endpointId }) => endpointId));
  const loud = stations.filter(({ endpointId }) => reporting.has(endpointId));
  const silent = stations.filter(({ endpointId }) => !reporting.has(endpointId));
  const step = Math.max(1, Math.floor(silent.length / Math.max(1, count - loud.length)));
  return [...loud, ...silent.filter((_, i) => i % step === 0)].slice(0, count);
}

function readLines<T>(name: string): T[] {
  const text = gunzipSync(readFileSync(fileURLToPath(new URL(name, folder)))).toString();
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
}
