import { type Command, readCommand, writeCommand } from '../model/command.js';
import { type ErrorCode, type FaultDetail } from '../model/errors.js';
import type { MetadataDiff } from '../model/diff.js';
import { FrameReader, FrameWriter } from '../model/frames.js';
import type { Done } from '../model/outcome.js';
import type { EvaluatedGroup, EvaluatedOutcome, EvaluatedWrite, EvaluateGroup } from './messages.js';

/** The groups of a batch as the bytes of one message. O(bytes). */
export function encodeGroups(groups: readonly EvaluateGroup[]): Uint8Array<ArrayBuffer> {
  let size = 64;
  for (const group of groups) size += 512 * group.commands.length + (group.record?.length ?? 0);
  const frame = new FrameWriter(size);
  frame.u32(groups.length);
  let before: Command | undefined;
  for (const group of groups) {
    frame.u8(group.record === undefined ? 0 : 1);
    if (group.record !== undefined) frame.bytes(group.record);
    frame.u32(group.commands.length);
    for (const command of group.commands) {
      writeCommand(frame, command, before);
      before = command;
    }
  }
  return frame.finish();
}

/** Records are views of `bytes`. */
export function decodeGroups(bytes: Uint8Array): EvaluateGroup[] {
  const frame = new FrameReader(bytes);
  const groups: EvaluateGroup[] = [];
  let before: Command | undefined;
  for (let left = frame.u32(); left > 0; left--) {
    const record = frame.u8() === 1 ? frame.bytes() : undefined;
    const commands: Command[] = [];
    for (let i = frame.u32(); i > 0; i--) {
      before = readCommand(frame, before);
      commands.push(before);
    }
    groups.push(record === undefined ? { commands } : { record, commands });
  }
  return groups;
}

export function encodeEvaluated(groups: readonly EvaluatedGroup[]): Uint8Array<ArrayBuffer> {
  let size = 64;
  for (const { outcomes, write } of groups)
    size += 128 * outcomes.length + (write?.record.length ?? 0) + (write?.events?.length ?? 0) + 64;
  const frame = new FrameWriter(size);
  frame.u32(groups.length);
  for (const { outcomes, write } of groups) {
    frame.u32(outcomes.length);
    for (const outcome of outcomes) writeOutcome(frame, outcome);
    frame.u8(write === undefined ? 0 : write.events === undefined ? 1 : 2);
    if (write === undefined) continue;
    frame
      .bytes(write.record)
      .u8((write.moved ? MOVED : 0) | (write.keys === undefined ? 0 : WITH_KEYS))
      .u32s(write.matched)
      .u32s(write.unmatched);
    if (write.keys !== undefined) writeKeys(frame, write.keys);
    if (write.events !== undefined) frame.bytes(write.events);
  }
  return frame.finish();
}

/** Records, metadata and events are views of `bytes`. */
export function decodeEvaluated(bytes: Uint8Array): EvaluatedGroup[] {
  const frame = new FrameReader(bytes);
  const groups: EvaluatedGroup[] = [];
  for (let left = frame.u32(); left > 0; left--) {
    const outcomes: EvaluatedOutcome[] = [];
    for (let i = frame.u32(); i > 0; i--) outcomes.push(readOutcome(frame));
    const written = frame.u8();
    if (written === 0) {
      groups.push({ outcomes });
      continue;
    }
    const record = frame.bytes();
    const flags = frame.u8();
    const write: EvaluatedWrite = {
      record,
      moved: (flags & MOVED) !== 0,
      matched: frame.u32s(),
      unmatched: frame.u32s(),
    };
    if ((flags & WITH_KEYS) !== 0) write.keys = readKeys(frame);
    if (written === 2) write.events = frame.bytes();
    groups.push({ outcomes, write });
  }
  return groups;
}

const MOVED = 1;
const WITH_KEYS = 2;

function writeKeys(frame: FrameWriter, { added, updated, removed }: MetadataDiff): void {
  for (const keys of [added, updated, removed]) {
    frame.u32(keys.length);
    for (const key of keys) frame.text(key);
  }
}

function readKeys(frame: FrameReader): MetadataDiff {
  const read = () => Array.from({ length: frame.u32() }, () => frame.text());
  return { added: read(), updated: read(), removed: read() };
}

const APPLIED = 0;
const UNCHANGED = 1;
const REFUSED = 2;

function writeOutcome(frame: FrameWriter, outcome: EvaluatedOutcome): void {
  if (outcome.kind === 'refused') {
    frame
      .u8(REFUSED)
      .text(outcome.code)
      .text(outcome.message)
      .text(outcome.details === undefined ? '' : JSON.stringify(outcome.details));
    return;
  }
  frame.u8(outcome.kind === 'applied' ? APPLIED : UNCHANGED);
  frame
    .f64(outcome.revision)
    .f64(outcome.metadataRevision)
    .f64(outcome.createdMs)
    .f64(outcome.versionSinceMs);
  frame.u8(outcome.metadata === undefined ? 0 : 1);
  if (outcome.metadata !== undefined) frame.bytes(outcome.metadata);
}

function readOutcome(frame: FrameReader): EvaluatedOutcome {
  const kind = frame.u8();
  if (kind === REFUSED) {
    const refusal = { kind: 'refused' as const, code: frame.text() as ErrorCode, message: frame.text() };
    const details = frame.text();
    return details === '' ? refusal : { ...refusal, details: JSON.parse(details) as FaultDetail[] };
  }
  const done: Done = {
    kind: kind === APPLIED ? 'applied' : 'unchanged',
    revision: frame.f64(),
    metadataRevision: frame.f64(),
    createdMs: frame.f64(),
    versionSinceMs: frame.f64(),
  };
  if (frame.u8() === 1) done.metadata = frame.bytes();
  return done;
}
