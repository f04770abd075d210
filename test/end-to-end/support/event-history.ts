import { isDeepStrictEqual } from 'node:util';
import type { JsonObject, JsonValue } from '../../../src/model/json.js';
import { readAppVersionUpdated, readMetadataUpdated, readRegistered } from './contract-records.js';
import type { KeptMessage } from './event-stream.js';
import { type FilterDocument, documentOf } from './flips.js';

/** An endpoint as the events of its revisions up to this one tell it. */
export interface ToldState {
  revision: number;
  version: string;
  metadata: JsonObject;
  /** as filters see it; undefined: it is not registered any more */
  document: FilterDocument | undefined;
}

/** What the endpoints were, one revision after the other. */
export interface ToldHistory {
  states(endpointId: string): readonly ToldState[];
  last(endpointId: string): ToldState | undefined;
  endpointIds(): Iterable<string>;
}

/**
 * What the endpoints were, as told by their events, repeats left out.
 * @param registeredWith metadata of registrations, where those publish no `metadata.updated`
 */
export function historyFromEvents(
  messages: readonly KeptMessage[],
  registeredWith: ReadonlyMap<string, JsonObject> = new Map(),
): { history: ToldHistory; faults: string[] } {
  const all = new Map<string, ToldState[]>();
  const faults: string[] = [];
  const seen = new Set<string>();
  for (const message of messages) {
    const { source, revision, kind } = message;
    if (!TOLD.has(kind)) continue;
    const id = `${source}.${revision}.${kind}`;
    if (seen.has(id)) continue;
    seen.add(id);
    const states = all.get(source) ?? [];
    all.set(source, states);
    const before = states.at(-1);
    if (before !== undefined && revision < before.revision) {
      faults.push(`${id} came first after revision ${before.revision}`);
      continue;
    }
    const after = changed(message, before, registeredWith, (fault) => void faults.push(`${id} ${fault}`));
    if (before?.revision === revision) states.pop();
    states.push(after);
  }
  return {
    faults,
    history: {
      states: (endpointId) => all.get(endpointId) ?? [],
      last: (endpointId) => all.get(endpointId)?.at(-1),
      endpointIds: () => all.keys(),
    },
  };
}

const TOLD = new Set(['registered', 'metadata-updated', 'appversion-updated', 'unregistered']);
const NOTHING: ToldState = { revision: 0, version: '', metadata: {}, document: undefined };

function changed(
  { source, revision, kind, data }: KeptMessage,
  before: ToldState = NOTHING,
  registeredWith: ReadonlyMap<string, JsonObject>,
  fault: (text: string) => void,
): ToldState {
  const isThere = before.document !== undefined;
  if (isThere === (kind === 'registered'))
    fault(isThere ? 'though it is registered' : 'of none that is there');
  let { version, metadata } = before;
  switch (kind) {
    case 'unregistered':
      return { ...NOTHING, revision };
    case 'registered':
      version = readRegistered(data).appVersionName;
      metadata = registeredWith.get(source) ?? {};
      break;
    case 'appversion-updated': {
      const event = readAppVersionUpdated(data);
      if (event.previousAppVersionName !== version)
        fault(`goes on from ${event.previousAppVersionName}, it was ${version}`);
      version = event.appVersionName;
      break;
    }
    case 'metadata-updated':
      metadata = withChanges(metadata, data, fault);
  }
  return { revision, version, metadata, document: documentOf(source, version, metadata) };
}

function withChanges(before: JsonObject, data: Uint8Array, fault: (text: string) => void): JsonObject {
  const { added, updated, removed } = readMetadataUpdated(data);
  const metadata = { ...before };
  for (const key in added) {
    if (Object.hasOwn(before, key)) fault(`adds ${key}, which was there`);
    metadata[key] = valueOf(added[key]!);
  }
  for (const [key, { oldValue, newValue }] of Object.entries(updated)) {
    if (!isDeepStrictEqual(before[key], valueOf(oldValue)))
      fault(`updates ${key} from ${oldValue}, it was ${JSON.stringify(before[key])}`);
    metadata[key] = valueOf(newValue);
  }
  for (const key in removed) {
    if (!isDeepStrictEqual(before[key], valueOf(removed[key]!)))
      fault(`removes ${key}, ${removed[key]}, it was ${JSON.stringify(before[key])}`);
    delete metadata[key];
  }
  return metadata;
}

/** JSON text; Avro null stands for JSON null. */
function valueOf(text: string | null): JsonValue {
  return text === null ? null : (JSON.parse(text) as JsonValue);
}
