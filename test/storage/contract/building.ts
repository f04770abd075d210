import { createHash, randomUUID } from 'node:crypto';
import type { Test } from 'tap';
import type { RecordWrite, Store } from '../../../src/storage/port.js';
import { encodeEvents, type EventKind } from '../../../src/model/event.js';
import type { SavedFilter } from '../../../src/model/filter.js';
import { ABSENT, encodeRecord, headOf, type Guard } from '../../../src/model/record.js';

/** A store under test. Each call of {@link OpenStore} gives one that is empty. */
export interface OpenedStore {
  store: Store;
  /** closes the store that was given last, and opens one on the same data */
  reopen: () => Promise<Store>;
}
export type OpenStore = (t: Test) => Promise<OpenedStore>;

/** What a test says of a record; the rest has defaults. */
export interface Endpoint {
  id: string;
  tenant?: string;
  application?: string;
  version?: string;
  createdMs?: number;
  revision?: number;
  filterSet?: number;
  tokenHash?: string;
  metadata?: Record<string, unknown>;
  deletedMs?: number;
}

export const START_MS = 1_700_000_000_000;

export function recordOf(endpoint: Endpoint): Uint8Array {
  const createdMs = endpoint.createdMs ?? START_MS;
  const revision = endpoint.revision ?? 1;
  return encodeRecord({
    revision,
    filterSet: endpoint.filterSet ?? 0,
    createdMs,
    metadataRevision: revision,
    metadataText: JSON.stringify(endpoint.metadata ?? {}),
    head: {
      endpointId: endpoint.id,
      tenant: endpoint.tenant ?? 'kaa',
      application: endpoint.application ?? 'app',
      version: endpoint.version ?? 'app-v1',
      versionSinceMs: createdMs,
      ...(endpoint.tokenHash === undefined ? {} : { tokenHash: endpoint.tokenHash }),
      ...(endpoint.deletedMs === undefined ? {} : { deletedMs: endpoint.deletedMs }),
    },
  });
}

export function eventsOf(source: string, revision: number, kind: EventKind = 'metadata-updated'): Uint8Array {
  const payload = Buffer.from(`${source}/${revision}/${kind}`);
  return encodeEvents({ source, tenant: 'kaa', application: 'app', events: [{ kind, revision, payload }] });
}

type Changes = Partial<Pick<RecordWrite, 'expected' | 'matched' | 'unmatched' | 'keys' | 'events'>>;

/** A registration: nothing is stored yet, unless `changes.expected` says otherwise. */
export function register(endpoint: Endpoint, changes: Changes = {}): RecordWrite {
  return {
    endpointId: endpoint.id,
    expected: ABSENT,
    record: recordOf(endpoint),
    moved: true,
    matched: [],
    unmatched: [],
    ...changes,
  };
}

/** A change of metadata: expects the revision before, and the same filter set. */
export function update(endpoint: Endpoint & { revision: number }, changes: Changes = {}): RecordWrite {
  const expected = { revision: endpoint.revision - 1, filterSet: endpoint.filterSet ?? 0 };
  return {
    endpointId: endpoint.id,
    expected,
    record: recordOf(endpoint),
    moved: false,
    matched: [],
    unmatched: [],
    ...changes,
  };
}

/** A change of version, or of the token. */
export function move(endpoint: Endpoint & { revision: number }, changes: Changes = {}): RecordWrite {
  return { ...update(endpoint, changes), moved: true };
}

/** An unregistration, now: tombstones are kept for a day. */
export function unregister(endpoint: Endpoint & { revision: number }, changes: Changes = {}): RecordWrite {
  return move({ ...endpoint, deletedMs: Date.now() }, changes);
}

export function guard(revision: number, filterSet = 0): Guard {
  return { revision, filterSet };
}

/** UUIDs that are the same in every run. */
export function idOf(index: number): string {
  const hex = createHash('md5').update(String(index)).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

export function idsOf(records: readonly Uint8Array[]): string[] {
  return records.map((record) => headOf(record).endpointId);
}

export function kindsOf(results: readonly { kind: string }[]): string[] {
  return results.map((result) => result.kind);
}

/** Commits and asserts that all was written. */
export async function written(t: Test, store: Store, writes: readonly RecordWrite[]): Promise<void> {
  const kinds = new Set(kindsOf(await store.commit(writes)));
  t.same([...kinds], writes.length === 0 ? [] : ['written'], `${writes.length} writes are written`);
}

export function filterOf(parts: Partial<SavedFilter> = {}): SavedFilter {
  return {
    id: randomUUID(),
    tenant: 'kaa',
    application: 'app',
    name: 'filter',
    description: '',
    queryText: '{"application_version":"app-v1"}',
    status: 'pending',
    number: 1,
    revision: 1,
    createdMs: START_MS,
    updatedMs: START_MS,
    retired: [],
    ...parts,
  };
}
