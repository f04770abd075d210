import { createHash } from 'node:crypto';
import { FrameReader, FrameWriter } from '../model/frames.js';
import type { Run } from './runs.js';

/** What the log is made of. Each frame is whole or not there: its length and a checksum stand before it. */
export type Frame =
  | { kind: 'head'; format: number; first: number; mark: OrderMark; runs: readonly Run[] }
  | { kind: 'groups'; first: number; timeMs: number; mark: OrderMark; groups: readonly Uint8Array[] }
  | { kind: 'run'; run: Run };

/** Which outbox entries are in the log: all up to `through`, and those `beyond`. */
export interface OrderMark {
  through: number;
  /** ascending */
  beyond: readonly number[];
}

export const LOG_FORMAT = 1;
export const PREFIX_BYTES = 12;
const KINDS = ['head', 'groups', 'run'] as const;

/** Used again for each frame: what it writes is copied out. */
const writer = new FrameWriter(64 * 1024);

/** O(bytes): one copy and a checksum. */
export function encodeFrame(frame: Frame): Buffer {
  writer.u8(KINDS.indexOf(frame.kind));
  if (frame.kind === 'run') writer.text(JSON.stringify(frame.run));
  else {
    writer.f64(frame.first).f64(frame.mark.through).u32(frame.mark.beyond.length);
    for (const order of frame.mark.beyond) writer.f64(order);
    if (frame.kind === 'head') writer.u32(frame.format).text(JSON.stringify(frame.runs));
    else {
      writer.f64(frame.timeMs).u32(frame.groups.length);
      for (const group of frame.groups) writer.bytes(group);
    }
  }
  const body = writer.take();
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + body.length);
  bytes.writeUInt32LE(body.length, 0);
  bytes.set(checksum(body), 4);
  bytes.set(body, PREFIX_BYTES);
  return bytes;
}

/**
 * The frame that begins at `at`, and where it ends. `more`: so many bytes are needed. Undefined: there is no frame.
 * Groups are views of `bytes`.
 */
export function decodeFrame(
  bytes: Buffer,
  at: number,
): { frame: Frame; end: number } | { more: number } | undefined {
  if (bytes.length - at < PREFIX_BYTES) return { more: PREFIX_BYTES };
  const length = bytes.readUInt32LE(at);
  const end = at + PREFIX_BYTES + length;
  if (end > bytes.length) return { more: PREFIX_BYTES + length };
  const body = bytes.subarray(at + PREFIX_BYTES, end);
  if (!checksum(body).equals(bytes.subarray(at + 4, at + PREFIX_BYTES))) return undefined;
  const frame = readBody(new FrameReader(body));
  return frame === undefined ? undefined : { frame, end };
}

function readBody(reader: FrameReader): Frame | undefined {
  const kind = KINDS[reader.u8()];
  if (kind === undefined) return undefined;
  if (kind === 'run') return { kind, run: JSON.parse(reader.text()) as Run };
  const first = reader.f64();
  const mark = { through: reader.f64(), beyond: Array.from({ length: reader.u32() }, () => reader.f64()) };
  if (kind === 'head') {
    const format = reader.u32();
    // what follows is known for this format only
    const runs = format === LOG_FORMAT ? (JSON.parse(reader.text()) as Run[]) : [];
    return { kind, format, first, mark, runs };
  }
  const timeMs = reader.f64();
  return { kind, first, timeMs, mark, groups: Array.from({ length: reader.u32() }, () => reader.bytes()) };
}

/** Hardware computes it, at some GB/s; against torn writes and flipped bits, not against attackers. */
function checksum(body: Uint8Array): Buffer {
  return createHash('sha1').update(body).digest().subarray(0, 8);
}
