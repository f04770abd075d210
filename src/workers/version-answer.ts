import type { Command, VersionRef } from '../model/command.js';
import { type Refusal, refuse } from '../model/errors.js';
import {
  createdOf,
  guardOf,
  headOf,
  headStart,
  isTombstone,
  metadataRevisionOf,
  type RecordHead,
  requireLayout,
  versionPartOf,
  versionSinceOf,
} from '../model/record.js';
import type { EvaluatedOutcome } from './messages.js';

export type VersionCommand = Extract<Command, { type: 'set-version' | 'set-connectivity' }>;

/** What setting a version comes to where nothing is written for it; undefined: the endpoint gets the version. */
export function judgeVersion(head: RecordHead, command: VersionCommand): 'unchanged' | Refusal | undefined {
  const foreign = refuseForeign(head, command.version);
  if (foreign !== undefined) return foreign;
  const isOlder = command.unlessNewer === true && head.versionSinceMs > sinceOf(command);
  return isOlder || command.version.version === head.version ? 'unchanged' : undefined;
}

/** When it was so that the endpoint had the version, Unix ms. */
export function sinceOf(command: VersionCommand): number {
  return command.type === 'set-version' ? (command.sinceMs ?? command.timestampMs) : command.timestampMs;
}

/** A version of another application than the endpoint's is none that it can have. */
export function refuseForeign(head: RecordHead, version: VersionRef): Refusal | undefined {
  if (version.application === head.application && version.tenant === head.tenant) return undefined;
  return refuse(
    'other-application',
    `The version "${version.version}" is not one of the application "${head.application}", to which the endpoint belongs.`,
  );
}

export function refuseUnknown(endpointId: string): Refusal {
  return refuse('endpoint-not-found', `The endpoint "${endpointId}" is not registered.`);
}

/**
 * What `evaluateGroup` would answer for a command on the endpoint's record, where a look at the record's head shows that
 * nothing is to be written; undefined: it has to be computed. The record may lie in a buffer that is longer. O(head).
 */
export type VersionAnswer = (
  record: Uint8Array | undefined,
  command: Command,
) => EvaluatedOutcome | undefined;

export function createVersionAnswer(): VersionAnswer {
  const parts = new WeakMap<VersionRef, string | undefined>();

  const partOf = (version: VersionRef): string | undefined => {
    const known = parts.get(version);
    if (known !== undefined || parts.has(version)) return known;
    const part = versionPartOf(version);
    parts.set(version, part);
    return part;
  };

  return (record, command) => {
    if (command.type !== 'set-version' || command.ifMatch !== undefined) return undefined;
    const { endpointId, tenant, version } = command;
    if (record === undefined || isTombstone(record)) return refuseUnknown(endpointId);
    requireLayout(record);
    if (tenant === undefined) {
      const part = partOf(version);
      const sinceMs = part === undefined ? undefined : versionSinceOf(record, headStart(endpointId, part));
      if (sinceMs !== undefined) return unchanged(record, sinceMs);
    }
    const head = headOf(record);
    if (tenant !== undefined && tenant !== head.tenant) return refuseUnknown(endpointId);
    const judged = judgeVersion(head, command);
    return judged === 'unchanged' ? unchanged(record, head.versionSinceMs) : judged;
  };
}

function unchanged(record: Uint8Array, versionSinceMs: number): EvaluatedOutcome {
  return {
    kind: 'unchanged',
    revision: guardOf(record).revision,
    metadataRevision: metadataRevisionOf(record),
    createdMs: createdOf(record),
    versionSinceMs,
  };
}
