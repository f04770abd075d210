import { isDeepStrictEqual } from 'node:util';
import type { JsonObject, JsonValue } from '../../../src/model/json.js';
import { readMetadataUpdated } from './contract-records.js';
import type { KeptMessage } from './event-stream.js';
import { createHistory, type History } from './history.js';
import type { Station } from './rest.js';

/** What the endpoints were, as told by the registrations and the `metadata.updated` events, repeats left out. */
export function historyFromEvents(
  stations: readonly Station[],
  messages: readonly KeptMessage[],
): { history: History; faults: string[] } {
  const history = createHistory(stations);
  const faults: string[] = [];
  for (const { source, revision, kind, data } of messages) {
    if (kind !== 'metadata-updated' || revision <= history.last(source).revision) continue;
    const { metadata } = history.last(source);
    const { added, updated, removed } = readMetadataUpdated(data);
    const set: JsonObject = {};
    for (const key in added) {
      set[key] = valueOf(added[key]!);
      if (Object.hasOwn(metadata, key)) faults.push(`${source}.${revision} adds ${key}, which was there`);
    }
    for (const [key, { oldValue, newValue }] of Object.entries(updated)) {
      set[key] = valueOf(newValue);
      if (!isDeepStrictEqual(metadata[key], valueOf(oldValue)))
        faults.push(
          `${source}.${revision} updates ${key} from ${oldValue}, it was ${JSON.stringify(metadata[key])}`,
        );
    }
    if (Object.keys(removed).length > 0)
      faults.push(`${source}.${revision} removes ${JSON.stringify(removed)}`);
    try {
      history.take(source, set, revision);
    } catch (error) {
      faults.push((error as Error).message);
    }
  }
  return { history, faults };
}

/** JSON text; Avro null stands for JSON null. */
function valueOf(text: string | null): JsonValue {
  return text === null ? null : (JSON.parse(text) as JsonValue);
}
