import {
  type ChangeContext,
  encodeAppVersionUpdated,
  encodeMatched,
  encodeMetadataUpdated,
  encodeRegistered,
  encodeRelationsUpdated,
  encodeUnmatched,
  encodeUnregistered,
} from '../avro/index.js';
import type { MetadataDiff } from '../model/diff.js';
import type { StoredEvent } from '../model/event.js';
import type { MetadataText } from '../model/metadata-text.js';
import type { RecordHead } from '../model/record.js';
import type { FilterReader } from '../filters/index.js';

export interface EventSettings {
  /** whether events are wanted at all */
  withEvents: boolean;
  /** whether a registration with metadata has a `metadata-updated` too */
  metadataOnRegistration: boolean;
  originatorReplicaId: string;
}

interface Cause {
  correlationId: string;
  timestampMs: number;
}

/** Collects the encoded events of the changes of one endpoint, in the order in which they are published. */
export class ChangeEvents {
  readonly list: StoredEvent[] = [];

  constructor(private readonly settings: EventSettings) {}

  registered(
    cause: Cause,
    head: RecordHead,
    revision: number,
    initial: { metadata: MetadataText; diff: MetadataDiff },
  ): void {
    if (!this.settings.withEvents) return;
    this.list.push({ kind: 'registered', revision, payload: encodeRegistered(this.context(cause, head)) });
    if (this.settings.metadataOnRegistration && initial.diff.added.length > 0)
      this.metadataUpdated(cause, head, revision, initial.metadata, initial);
  }

  relationsUpdated(cause: Cause, revision: number, endpointIds: readonly string[]): void {
    if (!this.settings.withEvents) return;
    this.list.push({
      kind: 'relations-updated',
      revision,
      payload: encodeRelationsUpdated(cause, endpointIds),
    });
  }

  metadataUpdated(
    cause: Cause,
    head: RecordHead,
    revision: number,
    before: MetadataText,
    after: { metadata: MetadataText; diff: MetadataDiff },
  ): void {
    if (!this.settings.withEvents) return;
    const added: Record<string, string | null> = {};
    const updated: Record<string, { oldValue: string | null; newValue: string | null }> = {};
    const removed: Record<string, string | null> = {};
    for (const key of after.diff.added) added[key] = textOf(after.metadata, key);
    for (const key of after.diff.updated)
      updated[key] = { oldValue: textOf(before, key), newValue: textOf(after.metadata, key) };
    for (const key of after.diff.removed) removed[key] = textOf(before, key);
    const payload = encodeMetadataUpdated(this.context(cause, head), { added, updated, removed });
    this.list.push({ kind: 'metadata-updated', revision, payload });
  }

  versionUpdated(cause: Cause, head: RecordHead, revision: number, previous: string): void {
    if (!this.settings.withEvents) return;
    this.list.push({
      kind: 'appversion-updated',
      revision,
      payload: encodeAppVersionUpdated(this.context(cause, head), previous),
    });
  }

  unregistered(cause: Cause, head: RecordHead, revision: number): void {
    if (!this.settings.withEvents) return;
    this.list.push({
      kind: 'unregistered',
      revision,
      payload: encodeUnregistered(this.context(cause, head)),
    });
  }

  /** Of active filters only, unmatched first. */
  flipped(
    cause: Cause,
    head: RecordHead,
    revision: number,
    filters: FilterReader,
    matched: readonly number[],
    unmatched: readonly number[],
  ): void {
    if (!this.settings.withEvents || matched.length + unmatched.length === 0) return;
    const context = this.context(cause, head);
    for (const number of unmatched) {
      const { active, id, name } = filters.nameOf(number)!;
      if (active)
        this.list.push({
          kind: 'ep-unmatched',
          revision,
          filterId: id,
          payload: encodeUnmatched(context, id, name),
        });
    }
    for (const number of matched) {
      const { active, id, name } = filters.nameOf(number)!;
      if (active)
        this.list.push({
          kind: 'ep-matched',
          revision,
          filterId: id,
          payload: encodeMatched(context, id, name),
        });
    }
  }

  private context(cause: Cause, head: RecordHead): ChangeContext {
    return {
      correlationId: cause.correlationId,
      timestampMs: cause.timestampMs,
      originatorReplicaId: this.settings.originatorReplicaId,
      endpointId: head.endpointId,
      appVersionName: head.version,
      applicationName: head.application,
    };
  }
}

/** JSON text; Avro null stands for JSON null. */
function textOf(metadata: MetadataText, key: string): string | null {
  const text = metadata.valueText(key)!;
  return text === 'null' ? null : text;
}
