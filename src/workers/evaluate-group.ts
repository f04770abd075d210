import { type Command, CONNECTIVITY_KEYS } from '../model/command.js';
import type { MetadataDiff } from '../model/diff.js';
import { isEmptyDiff, sumOfDiffs } from '../model/diff.js';
import { refuse } from '../model/errors.js';
import { encodeEvents } from '../model/event.js';
import type { FilterReader } from '../filters/index.js';
import type { JsonObject } from '../model/json.js';
import type { Done } from '../model/outcome.js';
import {
  ABSENT,
  encodeRecord,
  type EndpointRecord,
  etagOf,
  guardOf,
  isTombstone,
  type RecordHead,
} from '../model/record.js';
import type { FilterSets } from './application-filters.js';
import { ChangeEvents, type EventSettings } from './change-events.js';
import { documentOf, type LiveEndpoint, readLive } from './live-endpoint.js';
import { changeMetadata, initialMetadata, type LimitChecks } from './metadata-change.js';
import type { EvaluatedGroup, EvaluatedOutcome, EvaluatedWrite, EvaluateGroup } from './messages.js';
import {
  judgeVersion,
  refuseForeign,
  refuseUnknown,
  sinceOf,
  type VersionCommand,
} from './version-answer.js';

export interface EvaluateSettings extends EventSettings {
  limits: LimitChecks;
}

/**
 * Computes what a group of commands on one endpoint comes to: the outcome of each, in order, and one write for all of
 * them. Cost: O(metadata) for each applied command, and the filters that name a changed key.
 */
export function evaluateGroup(
  group: EvaluateGroup,
  filters: FilterSets,
  settings: EvaluateSettings,
): EvaluatedGroup {
  return new EndpointChange(group, filters, settings).run();
}

class EndpointChange {
  private live: LiveEndpoint | undefined;
  /** what was there last; of an unregistered endpoint, its tombstone's head */
  private head: RecordHead | undefined;
  private createdMs = 0;
  private revision: number;
  private filterSet: number;
  private caughtUp = false;
  private changed = false;
  private moved = false;
  /** net change of memberships by filter number */
  private readonly membership = new Map<number, boolean>();
  /** of the metadata, one after the other */
  private readonly diffs: MetadataDiff[] = [];
  private readonly events: ChangeEvents;

  constructor(
    private readonly group: EvaluateGroup,
    private readonly filters: FilterSets,
    private readonly settings: EvaluateSettings,
  ) {
    this.events = new ChangeEvents(settings);
    const bytes = group.record;
    const guard = bytes === undefined ? ABSENT : guardOf(bytes);
    this.revision = guard.revision;
    this.filterSet = guard.filterSet;
    if (bytes !== undefined && !isTombstone(bytes)) {
      const live = readLive(bytes);
      this.head = live.head;
      this.createdMs = live.createdMs;
      this.live = live;
    }
  }

  run(): EvaluatedGroup {
    const outcomes = this.group.commands.map((command) => this.carryOut(command));
    if (!this.changed) return { outcomes };
    const head = this.head!;
    const matched: number[] = [];
    const unmatched: number[] = [];
    for (const [number, member] of this.membership) (member ? matched : unmatched).push(number);
    const { live } = this;
    const record: EndpointRecord = {
      revision: this.revision,
      filterSet: this.filterSet,
      createdMs: this.createdMs,
      metadataRevision: live?.metadataRevision ?? this.revision,
      head,
      metadataText: live?.metadata.text ?? '{}',
    };
    if (live?.metadataUpdatedMs !== undefined) record.metadataUpdatedMs = live.metadataUpdatedMs;
    const write: EvaluatedWrite = {
      record: encodeRecord(record, live?.headBytes),
      moved: this.moved,
      matched,
      unmatched,
    };
    if (!this.moved && this.diffs.length > 0) write.keys = sumOfDiffs(this.diffs);
    const events = this.events.list;
    if (events.length > 0) {
      const { endpointId: source, tenant, application } = head;
      write.events = encodeEvents({ source, tenant, application, events });
    }
    return { outcomes, write };
  }

  private carryOut(command: Command): EvaluatedOutcome {
    if (command.type === 'register') return this.register(command);
    const live = this.live;
    if (live === undefined || (command.tenant !== undefined && command.tenant !== live.head.tenant)) {
      return refuseUnknown(command.endpointId);
    }
    if (command.ifMatch !== undefined && !command.ifMatch.includes('*')) {
      const etag = etagOf(live.createdMs, live.metadataRevision);
      if (!command.ifMatch.includes(etag)) {
        return refuse(
          'precondition-failed',
          `The present ETag of the endpoint "${command.endpointId}" is ${etag}.`,
        );
      }
    }
    switch (command.type) {
      case 'set-version':
        return this.setVersion(live, command);
      case 'set-connectivity':
        return this.setConnectivity(live, command);
      case 'unregister':
        return this.unregister(live, command);
      case 'evaluate':
        this.catchUp(live, command);
        return this.done('unchanged', live);
      default:
        return this.changeMetadata(live, command);
    }
  }

  private register(command: Extract<Command, { type: 'register' }>): EvaluatedOutcome {
    if (this.live !== undefined) {
      // the same batch task registered it before a crash: it is done already
      if (command.task !== undefined && command.task === this.live.head.task)
        return this.done('unchanged', this.live);
      return refuse('endpoint-exists', `The endpoint "${command.endpointId}" is registered already.`);
    }
    const initial = initialMetadata(JSON.parse(command.metadataText) as JsonObject, this.settings.limits);
    if (initial.kind === 'refused') return initial;
    const { tenant, application, version } = command.version;
    const head: RecordHead = {
      endpointId: command.endpointId,
      tenant,
      application,
      version,
      versionSinceMs: command.timestampMs,
    };
    if (command.tokenHash !== undefined) head.tokenHash = command.tokenHash;
    if (command.task !== undefined) head.task = command.task;
    const live: LiveEndpoint = {
      head,
      headBytes: undefined,
      createdMs: command.timestampMs,
      metadataRevision: this.revision + 1,
      metadataUpdatedMs: initial.diff.added.length > 0 ? command.timestampMs : undefined,
      metadata: initial.metadata,
    };
    const filters = this.apply(live);
    this.moved = true;
    this.caughtUp = true;
    this.filterSet = filters.version;
    this.events.registered(command, head, this.revision, initial);
    if (command.relations !== undefined)
      this.events.relationsUpdated(command, this.revision, [command.endpointId, ...command.relations]);
    this.flip(command, filters, filters.matchAll(documentOf(live)), []);
    return this.done('applied', live);
  }

  private changeMetadata(
    live: LiveEndpoint,
    command: Parameters<typeof changeMetadata>[1],
    limits = this.settings.limits,
  ): EvaluatedOutcome {
    const change = changeMetadata(live.metadata, command, limits);
    if (change.kind === 'refused') return change;
    const answersMetadata =
      command.type === 'replace-metadata' || command.type === 'json-patch' || command.type === 'merge-patch';
    if (isEmptyDiff(change.diff)) {
      // an equal object may have come with its keys in another order than the one that is stored
      const reordered = command.type === 'set-key' && /^[[{]/.test(command.valueText);
      return this.done('unchanged', live, answersMetadata || reordered);
    }
    this.catchUp(live, command);
    this.diffs.push(change.diff);
    const after: LiveEndpoint = {
      head: live.head,
      headBytes: live.headBytes,
      createdMs: live.createdMs,
      metadataRevision: this.revision + 1,
      metadataUpdatedMs: command.timestampMs,
      metadata: change.metadata,
    };
    const filters = this.apply(after);
    this.events.metadataUpdated(command, after.head, this.revision, live.metadata, change);
    this.follow(command, filters, live, after, change.diff);
    return this.done('applied', after, answersMetadata);
  }

  private setVersion(live: LiveEndpoint, command: VersionCommand): EvaluatedOutcome {
    const { version } = command;
    const judged = judgeVersion(live.head, command);
    if (judged === 'unchanged') return this.done('unchanged', live);
    if (judged !== undefined) return judged;
    this.catchUp(live, command);
    const after: LiveEndpoint = {
      ...live,
      headBytes: undefined,
      head: { ...live.head, version: version.version, versionSinceMs: sinceOf(command) },
    };
    const filters = this.apply(after);
    this.moved = true;
    this.events.versionUpdated(command, after.head, this.revision, live.head.version);
    this.follow(command, filters, live, after, NO_KEYS);
    return this.done('applied', after);
  }

  private setConnectivity(
    live: LiveEndpoint,
    command: Extract<Command, { type: 'set-connectivity' }>,
  ): EvaluatedOutcome {
    const { endpointId, correlationId, timestampMs, connected, version } = command;
    const foreign = refuseForeign(live.head, version);
    if (foreign !== undefined) return foreign;
    const knownMs = live.metadata.value(CONNECTIVITY_KEYS.timestampMs);
    if (typeof knownMs === 'number' && knownMs > timestampMs) return this.done('unchanged', live);
    const moved = connected ? this.setVersion(live, command) : undefined;
    const setText = JSON.stringify({
      [CONNECTIVITY_KEYS.connected]: connected,
      [CONNECTIVITY_KEYS.timestampMs]: timestampMs,
    });
    const kept = this.changeMetadata(
      this.live!,
      { type: 'change-keys', setText, unset: [], endpointId, correlationId, timestampMs },
      { ...this.settings.limits, restricted: NO_RESTRICTIONS },
    );
    return kept.kind === 'unchanged' && moved !== undefined ? moved : kept;
  }

  private unregister(live: LiveEndpoint, command: Command): EvaluatedOutcome {
    this.catchUp(live, command);
    const filters = this.filters.of(live.head.application);
    const left = filters.matchAll(documentOf(live));
    const { tokenHash: _released, ...rest } = live.head;
    this.head = { ...rest, deletedMs: command.timestampMs };
    this.live = undefined;
    this.revision++;
    this.changed = true;
    this.moved = true;
    this.flip(command, filters, [], left);
    this.events.unregistered(command, this.head, this.revision);
    return this.done('applied', live);
  }

  /** Makes `live` the endpoint's state, one revision on. */
  private apply(live: LiveEndpoint): FilterReader {
    this.live = live;
    this.head = live.head;
    this.createdMs = live.createdMs;
    this.revision++;
    this.changed = true;
    return this.filters.of(live.head.application);
  }

  /** Memberships and events of the filters that an update flips. */
  private follow(
    command: Command,
    filters: FilterReader,
    before: LiveEndpoint,
    after: LiveEndpoint,
    diff: MetadataDiff,
  ): void {
    if (filters.size === 0) return;
    const keys = diff.updated.concat(diff.added, diff.removed);
    const flips = filters.findFlips(documentOf(before), documentOf(after), keys);
    this.flip(command, filters, flips.matched, flips.unmatched);
  }

  /**
   * Memberships of filters that came after the record was last evaluated. Without this a flip could end a membership
   * that never began. An active filter among them has its events: that repairs what a replica without the filter wrote.
   */
  private catchUp(live: LiveEndpoint, command: Command): void {
    if (this.caughtUp) return;
    this.caughtUp = true;
    const filters = this.filters.of(live.head.application);
    const since = Math.max(this.filterSet, filters.settled);
    this.filterSet = Math.max(this.filterSet, filters.version);
    if (since >= filters.version) return;
    this.flip(command, filters, filters.matchAll(documentOf(live), since), []);
    this.changed = true;
  }

  private flip(
    command: Command,
    filters: FilterReader,
    matched: readonly number[],
    unmatched: readonly number[],
  ): void {
    for (const number of unmatched) this.setMember(number, false);
    for (const number of matched) this.setMember(number, true);
    this.events.flipped(command, this.head!, this.revision, filters, matched, unmatched);
  }

  private setMember(number: number, member: boolean): void {
    if (this.membership.get(number) === !member) this.membership.delete(number);
    else this.membership.set(number, member);
  }

  private done(kind: Done['kind'], live: LiveEndpoint, withMetadata = false): Done {
    const done: Done = {
      kind,
      revision: this.revision,
      metadataRevision: live.metadataRevision,
      createdMs: live.createdMs,
      versionSinceMs: live.head.versionSinceMs,
    };
    if (withMetadata) done.metadata = Buffer.from(live.metadata.text);
    return done;
  }
}

const NO_RESTRICTIONS: ReadonlySet<string> = new Set();
const NO_KEYS: MetadataDiff = { added: [], updated: [], removed: [] };
