import type { FilterDocument } from '../../src/filters/index.js';
import { readFleet, readObservationLines, VERSIONS, type Observation, type Station } from '../fleet.js';
import { generateAlerts } from './weather-alerts.js';
import type { Update, UpdateKind, UpdateStream, Workload } from './workload.js';

/** The weather stations that report, what they reported, and alerts as a weather service's customers would set them. */
export const weatherWorkload: Workload = {
  id: 'weather',
  title: 'the weather fleet with generated alerts',
  filters: () => generateAlerts(reportingStations()),
  openStream: openReplay,
};

/** Read when first wanted: the other workloads need none of it. */
let reporting: Station[] | undefined;

export function reportingStations(): Station[] {
  reporting ??= readFleet(Infinity).filter(({ metadata }) => 'observed' in metadata);
  return reporting;
}

/** As text: parsed, a day of reports would take more memory than the filters. */
let observations: string[] | undefined;

/**
 * Replays what was reported, over and over, from some place on. Each station starts with the last that it has reported.
 * `one` applies one key of a report, `ten` the whole report, 11 keys of which some 7 have another value.
 */
function openReplay(seed: number): UpdateStream {
  const stations = reportingStations();
  observations ??= readObservationLines();
  const lines = observations;
  const numbers = new Map(stations.map(({ endpointId }, number) => [endpointId, number]));
  const documents = stations.map(({ endpointId, metadata }): FilterDocument => ({
    endpointId,
    applicationVersion: VERSIONS[0],
    metadata,
  }));
  let line = (seed * 7919) % lines.length;
  let turn = 0;
  return {
    document: () => documents[turn++ % documents.length]!,
    next(kind: UpdateKind): Update {
      for (;;) {
        const { endpointId, set } = JSON.parse(lines[line++ % lines.length]!) as Observation;
        const endpoint = numbers.get(endpointId)!;
        const before = documents[endpoint]!;
        let changedKeys = Object.keys(set).filter(
          (key) => JSON.stringify(set[key]) !== JSON.stringify(before.metadata[key]),
        );
        let changes = set;
        if (kind === 'one') {
          changedKeys = changedKeys.filter((key) => key !== 'observed');
          const key = changedKeys[turn++ % changedKeys.length];
          changedKeys = key === undefined ? [] : [key];
          changes = Object.fromEntries(changedKeys.map((changed) => [changed, set[changed]!]));
        }
        if (changedKeys.length === 0) continue;
        const after = { ...before, metadata: { ...before.metadata, ...changes } };
        documents[endpoint] = after;
        return { endpoint, before, after, changedKeys };
      }
    },
  };
}
