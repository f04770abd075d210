import { decodeEvent } from '../../src/avro/index.js';
import type { Command, VersionRef, Wish } from '../../src/model/command.js';
import { decodeEvents } from '../../src/model/event.js';
import type { JsonObject, JsonValue } from '../../src/model/json.js';
import { decodeRecord, etagOf } from '../../src/model/record.js';
import { parseQuery, type Query } from '../../src/filters/index.js';
import type { SavedFilter } from '../../src/model/filter.js';
import { createFilterSets } from '../../src/register/filter-sets.js';
import type { FilterSets } from '../../src/workers/application-filters.js';
import { evaluateGroup, type EvaluateSettings } from '../../src/workers/evaluate-group.js';
import type { EvaluatedGroup, FilterSetSource, WorkerSettings } from '../../src/workers/messages.js';
import { prepareLimits } from '../../src/workers/metadata-change.js';

export const V1: VersionRef = { tenant: 'kaa', application: 'app', version: 'v1' };
export const V2: VersionRef = { tenant: 'kaa', application: 'app', version: 'v2' };

export const WORKER_SETTINGS: WorkerSettings = {
  limits: {
    metadataKeys: 5,
    endpointBytes: 300,
    metadataKeyPattern: '^[a-zA-Z0-9_]+$',
    nesting: 3,
    restrictedKeys: ['secret'],
  },
  originatorReplicaId: 'replica',
  metadataOnRegistration: false,
  withEvents: true,
};

export function settingsOf(changes: Partial<WorkerSettings> = {}): EvaluateSettings {
  const settings = { ...WORKER_SETTINGS, ...changes };
  return { ...settings, limits: prepareLimits(settings.limits) };
}

export function command(
  wish: Wish,
  more: Partial<Pick<Command, 'tenant' | 'ifMatch' | 'timestampMs'>> = {},
): Command {
  return { endpointId: 'e1', correlationId: 'c', timestampMs: 1000, ...wish, ...more };
}

export function register(
  metadata: JsonObject = {},
  more: { task?: string; version?: VersionRef } = {},
): Command {
  const { version = V1, ...rest } = more;
  return command({
    type: 'register',
    version,
    metadataText: JSON.stringify(metadata),
    tokenHash: 'hash',
    ...rest,
  });
}

export function setKey(key: string, value: JsonValue): Command {
  return command({ type: 'set-key', key, valueText: JSON.stringify(value) });
}

/** A change of the filters of the application; their ids and names come from their numbers. */
export type FilterChange =
  | { kind: 'put'; version: number; number: number; active: boolean; query: JsonObject }
  | { kind: 'remove'; version: number; number: number };

export function put(number: number, query: JsonObject, active = true, version = number): FilterChange {
  return { kind: 'put', version, number, active, query };
}

/** Filter sets, and what was asked of them: epochs of those who asked. */
export interface Source extends FilterSetSource {
  change(...changes: FilterChange[]): void;
  readonly asked: number[];
}

export function source(...changes: FilterChange[]): Source {
  const sets = createFilterSets();
  const asked: number[] = [];
  const made: Source = {
    asked,
    get epoch() {
      return sets.epoch;
    },
    of: (application) => sets.of(application),
    updateSince(epoch) {
      asked.push(epoch);
      return sets.updateSince(epoch);
    },
    change(...more) {
      for (const each of more) {
        if (each.kind === 'remove') sets.remove('app', each.number, each.version);
        else sets.put(savedOf(each), each.version, () => parsedOf(each.query));
      }
    },
  };
  made.change(...changes);
  return made;
}

function parsedOf(query: JsonObject): Query {
  const parsed = parseQuery(query);
  if (!parsed.ok) throw new Error(parsed.faults[0]?.message);
  return parsed.query;
}

function savedOf({ number, active, query }: Extract<FilterChange, { kind: 'put' }>): SavedFilter {
  return {
    id: `f${number}`,
    name: `filter ${number}`,
    tenant: 'kaa',
    application: 'app',
    description: '',
    queryText: JSON.stringify(query),
    status: active ? 'active' : 'pending',
    number,
    revision: 1,
    createdMs: 0,
    updatedMs: 0,
    retired: [],
  };
}

export const holding = (...changes: FilterChange[]): FilterSets => source(...changes);

export function evaluate(
  commands: readonly Command[],
  {
    record,
    held = holding(),
    settings = settingsOf(),
  }: { record?: Uint8Array | undefined; held?: FilterSets; settings?: EvaluateSettings } = {},
): EvaluatedGroup {
  return evaluateGroup(record === undefined ? { commands } : { record, commands }, held, settings);
}

/** The record that a group of commands comes to. */
export function recordAfter(commands: readonly Command[], held?: FilterSets): Uint8Array {
  return evaluate(commands, held === undefined ? {} : { held }).write!.record;
}

export function etag(record: Uint8Array): string {
  const { createdMs, metadataRevision } = decodeRecord(record);
  return etagOf(createdMs, metadataRevision);
}

/** `kind revision [filter]` of each event of a write, in order. */
export function eventsOf(group: EvaluatedGroup): string[] {
  if (group.write?.events === undefined) return [];
  return decodeEvents(group.write.events).events.map(({ kind, revision, filterId }) =>
    filterId === undefined ? `${kind} ${revision}` : `${kind} ${revision} ${filterId}`,
  );
}

/** The decoded events of a write. */
export function payloadsOf(group: EvaluatedGroup): Record<string, unknown>[] {
  if (group.write?.events === undefined) return [];
  return decodeEvents(group.write.events).events.map(({ kind, payload }) => decodeEvent(kind, payload));
}

/** Kind, or code, of each outcome. */
export function outcomesOf(group: EvaluatedGroup): string[] {
  return group.outcomes.map((outcome) => (outcome.kind === 'refused' ? outcome.code : outcome.kind));
}
