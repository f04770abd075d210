import { decodeEvent } from '../../src/avro/index.js';
import type { Command, VersionRef, Wish } from '../../src/model/command.js';
import { decodeEvents } from '../../src/model/event.js';
import type { JsonObject, JsonValue } from '../../src/model/json.js';
import { decodeRecord, etagOf } from '../../src/model/record.js';
import { applyUpdate, type HeldFilters, holdNoFilters } from '../../src/workers/application-filters.js';
import { evaluateGroup, type EvaluateSettings } from '../../src/workers/evaluate-group.js';
import { queryWeightOf } from '../../src/workers/index.js';
import type {
  EvaluatedGroup,
  FilterSetChange,
  FilterSetSource,
  WorkerSettings,
} from '../../src/workers/messages.js';
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

/** A filter as workers are told of it; its id and name come from its number. */
export function put(number: number, query: JsonObject, active = true, version = number): FilterSetChange {
  return {
    kind: 'put',
    application: 'app',
    version,
    number,
    filterId: `f${number}`,
    filterName: `filter ${number}`,
    active,
    queryText: JSON.stringify(query),
  };
}

/** Filter sets that grow, and remember what was asked of them: epochs of those who asked. */
export function source(): FilterSetSource & { changes: FilterSetChange[]; asked: number[] } {
  const changes: FilterSetChange[] = [];
  const asked: number[] = [];
  return {
    changes,
    asked,
    get epoch() {
      return changes.length;
    },
    get queryWeight() {
      return changes.reduce(
        (sum, change) => sum + (change.kind === 'put' ? queryWeightOf(change.queryText) : 0),
        0,
      );
    },
    updateSince(epoch) {
      asked.push(epoch);
      return { from: epoch, to: changes.length, changes: changes.slice(Math.max(0, epoch)) };
    },
  };
}

export function holding(...changes: FilterSetChange[]): HeldFilters {
  const held = holdNoFilters();
  applyUpdate(held, { from: -1, to: changes.length, changes });
  return held;
}

export function evaluate(
  commands: readonly Command[],
  {
    record,
    held = holdNoFilters(),
    settings = settingsOf(),
  }: { record?: Uint8Array | undefined; held?: HeldFilters; settings?: EvaluateSettings } = {},
): EvaluatedGroup {
  return evaluateGroup(record === undefined ? { commands } : { record, commands }, held, settings);
}

/** The record that a group of commands comes to. */
export function recordAfter(commands: readonly Command[], held?: HeldFilters): Uint8Array {
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
