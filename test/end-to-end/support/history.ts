import type { JsonObject } from '../../../src/model/json.js';
import { type FilterDocument, documentOf } from './flips.js';
import type { Station } from './rest.js';

interface State {
  revision: number;
  metadata: JsonObject;
  document: FilterDocument;
}

/**
 * What each endpoint was at each revision, from what was sent and answered: nothing in it comes from the register but
 * the revisions in the ETags of its answers.
 */
export interface History {
  /** An update was answered. @throws Error when the revision is not what follows from what is known */
  take(endpointId: string, set: JsonObject, revision: number): void;
  /** first the registration */
  states(endpointId: string): readonly State[];
  last(endpointId: string): State;
  endpointIds(): Iterable<string>;
  /** the last revision of each endpoint */
  revisions(): Map<string, number>;
}

export function createHistory(stations: readonly Station[]): History {
  const versions = new Map<string, string>();
  const all = new Map<string, State[]>(
    stations.map(({ endpointId, appVersion: { name }, metadata }) => {
      versions.set(endpointId, name);
      return [endpointId, [{ revision: 1, metadata, document: documentOf(endpointId, name, metadata) }]];
    }),
  );
  const last = (endpointId: string): State => all.get(endpointId)!.at(-1)!;
  return {
    take(endpointId, set, revision) {
      const before = last(endpointId);
      const changes = Object.entries(set).some(
        ([key, value]) => JSON.stringify(before.metadata[key]) !== JSON.stringify(value),
      );
      const expected = before.revision + (changes ? 1 : 0);
      if (revision !== expected)
        throw new Error(`an update of ${endpointId} was answered with revision ${revision}, not ${expected}`);
      if (!changes) return;
      const metadata = { ...before.metadata, ...set };
      const document = documentOf(endpointId, versions.get(endpointId)!, metadata);
      all.get(endpointId)!.push({ revision, metadata, document });
    },
    last,
    states: (endpointId) => all.get(endpointId)!,
    endpointIds: () => all.keys(),
    revisions: () => new Map([...all].map(([id, states]) => [id, states.at(-1)!.revision])),
  };
}
