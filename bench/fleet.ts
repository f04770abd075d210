import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { JsonObject, JsonValue } from '../src/model/json.js';

/** A weather station with all that it has reported. */
export interface Station {
  endpointId: string;
  metadata: JsonObject;
}

export interface Observation {
  endpointId: string;
  set: JsonObject;
}

export const APPLICATION = 'weather';
export const VERSIONS = ['weather-v1', 'weather-v2'] as const;
/** The key that the contests of single writes change. Five of the 24 filters name it. */
export const KEY = 'temp_c';

// From build/bench/ back to the data of the project.
const WEATHER = new URL('../../examples/weather/', import.meta.url);

function readLines(name: string): string[] {
  const text = gunzipSync(readFileSync(new URL(name, WEATHER))).toString('utf8');
  return text.split('\n').filter((line) => line !== '');
}

/** Each is an `Observation` as JSON. */
export function readObservationLines(): string[] {
  return readLines('observations.ndjson.gz');
}

export function readObservations(): Observation[] {
  return readObservationLines().map((line) => JSON.parse(line) as Observation);
}

export function readFilters(): JsonObject[] {
  const text = readFileSync(new URL('filters.json', WEATHER), 'utf8');
  return (JSON.parse(text) as { filters: JsonObject[] }).filters;
}

/**
 * `count` stations, those that report first, each with its observations folded into its metadata. The same in every
 * process: contestants that hold the fleet themselves hold the same bytes.
 */
export function readFleet(count: number): Station[] {
  const stations = new Map<string, Station>();
  for (const line of readLines('stations.ndjson.gz')) {
    const { endpointId, metadata } = JSON.parse(line) as Station;
    stations.set(endpointId, { endpointId, metadata });
  }
  const reporting = new Set<string>();
  for (const line of readObservationLines()) {
    const { endpointId, set } = JSON.parse(line) as Observation;
    const station = stations.get(endpointId);
    if (station === undefined) continue;
    Object.assign(station.metadata, set);
    reporting.add(endpointId);
  }
  const silent = [...stations.keys()].filter((id) => !reporting.has(id));
  return [...reporting, ...silent].slice(0, count).map((id) => stations.get(id)!);
}

/** `values` without the key, as JSON text that lacks only its end: `{"a":1,"b":2,"temp_c":` */
export function textUpTo(key: string, values: JsonObject): string {
  const { [key]: _value, ...rest } = values;
  const text = JSON.stringify(rest);
  return `${text.slice(0, -1)}${text === '{}' ? '' : ','}${JSON.stringify(key)}:`;
}

/** How far a wave of temperatures moves with a change, in radians: 3.3 degrees on average as hourly reports do, or 0.1. */
export const WAVE_STEPS = { hourly: 0.9, calm: 0.02 } as const;

/**
 * The value of an endpoint's temperature at its nth change, as JSON text: a wave over a few degrees about `base`, in tenths, and the number of
 * the change in the six digits after. So each change is one, some of them flip a filter, and what is stored tells which
 * change it was.
 */
export function temperatureText(
  base: number,
  endpoint: number,
  change: number,
  waveStep: number = WAVE_STEPS.hourly,
): string {
  const tenths = (base + 6 * Math.sin(endpoint + change * waveStep)).toFixed(1);
  return tenths + String(change).padStart(6, '0');
}

/** Which change a stored temperature is; 0 when it is none of ours. */
export function changeOf(temperature: JsonValue | undefined): number {
  if (typeof temperature !== 'number') return 0;
  const digits = Math.abs(temperature).toFixed(7).split('.')[1]!;
  return Number(digits.slice(1));
}

/** A walk over all endpoints that is not in the order of their ids, so that neighbours in the store are not written together. */
export function walkOf(count: number): Uint32Array {
  const step = Math.round(count * 0.618) | 1;
  const walk = Uint32Array.from({ length: count }, (_, i) => i);
  // A step that shares a factor with the count would leave some out.
  for (let stride = step; ; stride++) {
    if (greatestCommonDivisor(stride, count) !== 1) continue;
    for (let i = 0, at = 0; i < count; i++, at = (at + stride) % count) walk[i] = at;
    return walk;
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
