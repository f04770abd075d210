import { revisionOf } from '../end-to-end/support/rest.js';
import type { ToldHistory } from '../end-to-end/support/event-history.js';
import type { Api } from './api.js';

/** How far each endpoint was at some moment: the revision of its last metadata change; without those that were not there. */
export type Snapshot = ReadonlyMap<string, number>;

/** What happens while it is taken can't be judged: the shorter, the better. */
const LANES = 16;

/** Reads each endpoint by itself, so it is one of a stretch of time: all that it tells had happened when it ends. */
export async function takeSnapshot(api: Api, endpointIds: readonly string[]): Promise<Snapshot> {
  const snapshot = new Map<string, number>();
  const left = [...endpointIds];
  const lane = async (): Promise<void> => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      const { status, headers } = await api.persistently({
        method: 'GET',
        path: `/endpoints/${id}/metadata`,
      });
      if (status === 200) snapshot.set(id, revisionOf(headers.etag));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return snapshot;
}

/** Revisions up to this one were certainly there before the snapshot ended. */
export function certainlyBefore(snapshot: Snapshot): (endpointId: string) => number {
  return (endpointId) => snapshot.get(endpointId) ?? 0;
}

/** Revisions beyond this one were certainly not there when the snapshot began. */
export function atMostAt(snapshot: Snapshot, history: ToldHistory): (endpointId: string) => number {
  return (endpointId) => {
    const known = snapshot.get(endpointId);
    if (known === undefined) return Infinity;
    // changes of the version alone are not told by the ETag of the metadata
    const states = history.states(endpointId);
    const from = states.findIndex(({ revision }) => revision >= known);
    const next = states.find(({ metadata }, i) => i > from && metadata !== states[i - 1]!.metadata);
    return next === undefined ? Infinity : next.revision - 1;
  };
}
