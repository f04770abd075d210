import type { FrameReader, FrameWriter } from './frames.js';

/** The application version that a command names, resolved by the catalogue. */
export interface VersionRef {
  tenant: string;
  application: string;
  version: string;
}

interface CommandHead {
  endpointId: string;
  /** of the request or message that wished it; its events carry it on */
  correlationId: string;
  /** when it was wished, Unix ms; becomes the time of the change and of its events */
  timestampMs: number;
  /** only an endpoint of this tenant is meant; absent: any */
  tenant?: string;
  /** entity tags, quotes included, or `*`: one must be the present one */
  ifMatch?: readonly string[];
}

/** What a command wishes. Texts named `...Text` are JSON that was parsed strictly before. */
export type Wish =
  /**
   * `tokenHash`: claims the token, which no other endpoint of the application may have; absent: others keep tokens apart.
   * `relations`: endpoints that it is linked with already, for its event
   */
  | {
      type: 'register';
      version: VersionRef;
      metadataText: string;
      tokenHash?: string;
      task?: string;
      relations?: readonly string[];
    }
  | { type: 'replace-metadata'; metadataText: string }
  /** RFC 6902 */
  | { type: 'json-patch'; patchText: string }
  /** RFC 7396 */
  | { type: 'merge-patch'; patchText: string }
  | { type: 'set-key'; key: string; valueText: string }
  /** refused when the key is absent */
  | { type: 'delete-key'; key: string }
  /** keys set and keys removed; an absent one to remove is no fault */
  | { type: 'change-keys'; setText: string; unset: readonly string[] }
  /**
   * `sinceMs`: when that was so, fractions too; absent: at `timestampMs`. `unlessNewer`: left as it is when the present
   * version was set later than that.
   */
  | { type: 'set-version'; version: VersionRef; sinceMs?: number; unlessNewer?: true }
  /**
   * Sets the metadata keys of {@link CONNECTIVITY_KEYS} and, of a connected endpoint, its version as `set-version` does, at
   * `timestampMs`.
   * Left as it is when the stored time is later than `timestampMs`. Restricted keys are no hindrance: it comes from no caller.
   */
  | { type: 'set-connectivity'; connected: boolean; version: VersionRef; unlessNewer?: true }
  | { type: 'unregister' }
  /** bring the memberships of pending filters up to date (recalculation); changes nothing else */
  | { type: 'evaluate' };

/** One wished change of one endpoint, from whatever side. */
export type Command = CommandHead & Wish;

/** Metadata that says whether an endpoint is connected, and since when by the event that said so (Unix ms). */
export const CONNECTIVITY_KEYS = { connected: 'connected', timestampMs: 'connectivity_ts' } as const;

const TYPES = [
  'register',
  'replace-metadata',
  'json-patch',
  'merge-patch',
  'set-key',
  'delete-key',
  'change-keys',
  'set-version',
  'unregister',
  'evaluate',
  'set-connectivity',
] as const satisfies readonly Wish['type'][];

const SAME_ORIGIN = 1;
const SAME_ENDPOINT = 2;

/** Writes a command as bytes for a worker. What it has in common with the one written before it is not said again. */
export function writeCommand(frame: FrameWriter, command: Command, before: Command | undefined): void {
  const sameOrigin =
    before?.correlationId === command.correlationId && before.tenant === command.tenant ? SAME_ORIGIN : 0;
  const sameEndpoint = before?.endpointId === command.endpointId ? SAME_ENDPOINT : 0;
  frame.u8(TYPES.indexOf(command.type)).u8(sameOrigin | sameEndpoint);
  if (sameEndpoint === 0) frame.text(command.endpointId);
  if (sameOrigin === 0) frame.text(command.correlationId).text(command.tenant ?? '');
  frame.f64(command.timestampMs).u32(command.ifMatch?.length ?? 0xffffffff);
  for (const tag of command.ifMatch ?? []) frame.text(tag);
  switch (command.type) {
    case 'register':
      writeVersion(frame, command.version);
      frame
        .text(command.metadataText)
        .text(command.tokenHash ?? '')
        .text(command.task ?? '')
        .u32(command.relations?.length ?? 0);
      for (const endpointId of command.relations ?? []) frame.text(endpointId);
      break;
    case 'replace-metadata':
      frame.text(command.metadataText);
      break;
    case 'json-patch':
    case 'merge-patch':
      frame.text(command.patchText);
      break;
    case 'set-key':
      frame.text(command.key).text(command.valueText);
      break;
    case 'delete-key':
      frame.text(command.key);
      break;
    case 'change-keys':
      frame.text(command.setText).u32(command.unset.length);
      for (const key of command.unset) frame.text(key);
      break;
    case 'set-version':
      writeVersion(frame, command.version);
      frame.u8(command.unlessNewer === true ? 1 : 0).f64(command.sinceMs ?? NaN);
      break;
    case 'set-connectivity':
      writeVersion(frame, command.version);
      frame.u8(command.connected ? 1 : 0).u8(command.unlessNewer === true ? 1 : 0);
      break;
    case 'unregister':
    case 'evaluate':
      break;
  }
}

/** Reads what {@link writeCommand} wrote. `before`: the command read before it. */
export function readCommand(frame: FrameReader, before: Command | undefined): Command {
  const type = TYPES[frame.u8()]!;
  const same = frame.u8();
  const endpointId = (same & SAME_ENDPOINT) === 0 ? frame.text() : before!.endpointId;
  let correlationId = before?.correlationId;
  let tenant = before?.tenant;
  if ((same & SAME_ORIGIN) === 0) {
    correlationId = frame.text();
    tenant = frame.text() || undefined;
  }
  const timestampMs = frame.f64();
  const tags = frame.u32();
  const ifMatch = tags === 0xffffffff ? undefined : readTexts(frame, tags);
  // put together in place: this runs for every change of a loaded service, and a copy of two objects is slow
  const command = readWish(frame, type) as Command;
  command.endpointId = endpointId;
  command.correlationId = correlationId!;
  command.timestampMs = timestampMs;
  if (tenant !== undefined) command.tenant = tenant;
  if (ifMatch !== undefined) command.ifMatch = ifMatch;
  return command;
}

function readWish(frame: FrameReader, type: Wish['type']): Wish {
  switch (type) {
    case 'register': {
      const wish: Extract<Wish, { type: 'register' }> = {
        type,
        version: readVersion(frame),
        metadataText: frame.text(),
      };
      const tokenHash = frame.text();
      if (tokenHash !== '') wish.tokenHash = tokenHash;
      const task = frame.text();
      if (task !== '') wish.task = task;
      const relations = readTexts(frame, frame.u32());
      if (relations.length > 0) wish.relations = relations;
      return wish;
    }
    case 'replace-metadata':
      return { type, metadataText: frame.text() };
    case 'json-patch':
    case 'merge-patch':
      return { type, patchText: frame.text() };
    case 'set-key':
      return { type, key: frame.text(), valueText: frame.text() };
    case 'delete-key':
      return { type, key: frame.text() };
    case 'change-keys':
      return { type, setText: frame.text(), unset: readTexts(frame, frame.u32()) };
    case 'set-version': {
      const wish: Wish = { type, version: readVersion(frame) };
      if (frame.u8() === 1) wish.unlessNewer = true;
      const sinceMs = frame.f64();
      if (!Number.isNaN(sinceMs)) wish.sinceMs = sinceMs;
      return wish;
    }
    case 'set-connectivity': {
      const wish: Wish = { type, version: readVersion(frame), connected: frame.u8() === 1 };
      return frame.u8() === 1 ? { ...wish, unlessNewer: true } : wish;
    }
    case 'unregister':
    case 'evaluate':
      return { type };
  }
}

/** UTF-16 units of what a command carries, but for its head. */
export function textLengthOf(command: Command): number {
  switch (command.type) {
    case 'register':
      return (command.relations ?? []).reduce((sum, id) => sum + id.length, command.metadataText.length);
    case 'replace-metadata':
      return command.metadataText.length;
    case 'json-patch':
    case 'merge-patch':
      return command.patchText.length;
    case 'set-key':
      return command.valueText.length;
    case 'change-keys':
      return command.unset.reduce((sum, key) => sum + key.length, command.setText.length);
    case 'delete-key':
    case 'set-version':
    case 'set-connectivity':
    case 'unregister':
    case 'evaluate':
      return 0;
  }
}

function readTexts(frame: FrameReader, count: number): string[] {
  const texts: string[] = [];
  for (let i = 0; i < count; i++) texts.push(frame.text());
  return texts;
}

function writeVersion(frame: FrameWriter, version: VersionRef): void {
  frame.text(version.tenant).text(version.application).text(version.version);
}

function readVersion(frame: FrameReader): VersionRef {
  return { tenant: frame.text(), application: frame.text(), version: frame.text() };
}
