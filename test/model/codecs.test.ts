import t from 'tap';
import fc from '../fast-check.js';
import { type Command, readCommand, type Wish, writeCommand } from '../../src/model/command.js';
import { diffMetadata, isEmptyDiff } from '../../src/model/diff.js';
import {
  decodeEvents,
  encodeEvents,
  EVENT_KINDS,
  type EventGroup,
  messageIdOf,
} from '../../src/model/event.js';
import { FrameReader, FrameWriter } from '../../src/model/frames.js';
import { type JsonObject, jsonEquals, nestingOf } from '../../src/model/json.js';
import {
  createdOf,
  decodeRecord,
  type EndpointRecord,
  encodeRecord,
  etagOf,
  guardOf,
  headBytesOf,
  headOf,
  isTombstone,
  metadataBytesOf,
  metadataOf,
  metadataRevisionOf,
  metadataUpdatedOf,
} from '../../src/model/record.js';

/** Any text but for lone surrogates, which nothing lets in. */
const text = fc.string({ unit: 'binary', maxLength: 40 });
const bytes = fc.uint8Array({ maxLength: 300 });
const u32 = fc.integer({ min: 0, max: 0xffffffff });

type Step =
  | { kind: 'u8' | 'u32' | 'f64'; value: number }
  | { kind: 'text'; value: string }
  | { kind: 'bytes'; value: Uint8Array }
  | { kind: 'u32s'; value: number[] };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('u8' as const), value: fc.nat(255) }),
  fc.record({ kind: fc.constant('u32' as const), value: u32 }),
  fc.record({ kind: fc.constant('f64' as const), value: fc.double() }),
  fc.record({ kind: fc.constant('text' as const), value: text }),
  fc.record({ kind: fc.constant('bytes' as const), value: bytes }),
  fc.record({ kind: fc.constant('u32s' as const), value: fc.array(u32, { maxLength: 20 }) }),
);

function write(frame: FrameWriter, { kind, value }: Step): void {
  (frame[kind] as (value: unknown) => unknown)(value);
}

void t.test('frames are read as they were written, whatever the first size', async () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.nat(64), (steps, initialBytes) => {
      const frame = new FrameWriter(initialBytes);
      for (const one of steps) write(frame, one);
      const written = frame.finish();
      // somewhere in a larger buffer, as records stand in a message
      const larger = new Uint8Array(written.length + 7);
      larger.set(written, 3);
      const reader = new FrameReader(larger.subarray(3, 3 + written.length));
      for (const { kind, value } of steps) {
        const read: unknown = reader[kind]();
        if (kind === 'bytes' ? Buffer.compare(read as Uint8Array, value) !== 0 : !same(read, value))
          return false;
      }
      return reader.done && frame.length === written.length;
    }),
    { numRuns: 1000 },
  );
});

function same(a: unknown, b: unknown): boolean {
  return Array.isArray(a) && Array.isArray(b)
    ? a.join() === b.join() && a.length === b.length
    : Object.is(a, b);
}

void t.test('a frame that ends early is an error, not a shorter value', async () => {
  fc.assert(
    fc.property(step, fc.nat(1000), (one, cut) => {
      const frame = new FrameWriter(16);
      write(frame, one);
      const whole = frame.finish();
      const short = whole.subarray(0, cut % whole.length);
      try {
        new FrameReader(short)[one.kind]();
        return false;
      } catch (error) {
        return error instanceof RangeError;
      }
    }),
    { numRuns: 1000 },
  );
});

const version = fc.record({ tenant: text, application: text, version: text });
const someText = text.filter((value) => value !== '');
const wish: fc.Arbitrary<Wish> = fc.oneof(
  fc.record(
    {
      type: fc.constant('register' as const),
      version,
      metadataText: text,
      tokenHash: someText,
      task: someText,
      relations: fc.array(text, { minLength: 1, maxLength: 4 }),
    },
    { requiredKeys: ['type', 'version', 'metadataText'] },
  ) as fc.Arbitrary<Wish>,
  fc.record({ type: fc.constant('replace-metadata' as const), metadataText: text }),
  fc.record({ type: fc.constantFrom('json-patch' as const, 'merge-patch' as const), patchText: text }),
  fc.record({ type: fc.constant('set-key' as const), key: text, valueText: text }),
  fc.record({ type: fc.constant('delete-key' as const), key: text }),
  fc.record({
    type: fc.constant('change-keys' as const),
    setText: text,
    unset: fc.array(text, { maxLength: 4 }),
  }),
  fc.record(
    {
      type: fc.constant('set-version' as const),
      version,
      sinceMs: fc.double({ noNaN: true }),
      unlessNewer: fc.constant(true as const),
    },
    { requiredKeys: ['type', 'version'] },
  ) as fc.Arbitrary<Wish>,
  fc.record(
    {
      type: fc.constant('set-connectivity' as const),
      version,
      connected: fc.boolean(),
      unlessNewer: fc.constant(true as const),
    },
    { requiredKeys: ['type', 'version', 'connected'] },
  ) as fc.Arbitrary<Wish>,
  fc.record({ type: fc.constantFrom('unregister' as const, 'evaluate' as const) }),
);
const head = fc.record(
  {
    endpointId: someText,
    correlationId: text,
    timestampMs: fc.integer({ min: 0, max: 8.64e15 }),
    tenant: someText,
    ifMatch: fc.array(text, { maxLength: 3 }),
  },
  { requiredKeys: ['endpointId', 'correlationId', 'timestampMs'] },
);

void t.test('commands of every type come back as they were', async (t) => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(fc.tuple(head, wish), { minLength: 1, maxLength: 5 }), (pairs) => {
      // some have everything in common with the one before them but the wish, or all but the endpoint
      const commands = pairs.map(([one, other], i) => {
        const { endpointId } = i % 2 === 0 ? one : pairs[0]![0];
        return i % 3 === 0 ? { ...one, ...other } : { ...pairs[i - 1]![0], endpointId, ...other };
      });
      const frame = new FrameWriter(8);
      commands.forEach((command, i) => writeCommand(frame, command, commands[i - 1]));
      const reader = new FrameReader(frame.finish());
      let before: Command | undefined;
      for (const command of commands) {
        seen.add(command.type);
        before = readCommand(reader, before);
        if (!jsonEquals(before as never, command as never)) return false;
      }
      return reader.done;
    }),
    { numRuns: 1000 },
  );
  t.equal(seen.size, 11, 'all types were tried');
});

const recordHead = fc.record(
  {
    endpointId: someText,
    tenant: text,
    application: text,
    version: text,
    versionSinceMs: fc.nat(),
    tokenHash: text,
    task: text,
    deletedMs: fc.nat(),
  },
  { requiredKeys: ['endpointId', 'tenant', 'application', 'version', 'versionSinceMs'] },
);
const record: fc.Arbitrary<EndpointRecord> = fc.record(
  {
    revision: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    filterSet: u32,
    createdMs: fc.integer({ min: 0, max: 8.64e15 }),
    metadataRevision: fc.nat(),
    metadataUpdatedMs: fc.nat(),
    head: recordHead,
    metadataText: fc
      .dictionary(text, fc.jsonValue({ stringUnit: 'binary' }), { maxKeys: 4 })
      .map((metadata) => JSON.stringify(metadata)),
  },
  { requiredKeys: ['revision', 'filterSet', 'createdMs', 'metadataRevision', 'head', 'metadataText'] },
);

void t.test('records come back whole and in their parts', async (t) => {
  fc.assert(
    fc.property(record, (whole) => {
      const encoded = encodeRecord(whole);
      const larger = new Uint8Array(encoded.length + 5);
      larger.set(encoded, 2);
      const view = larger.subarray(2, 2 + encoded.length);
      const decoded = decodeRecord(view);
      const { head, ...rest } = decoded;
      const { head: wanted, ...others } = whole;
      return (
        jsonEquals({ ...rest }, { ...others }) &&
        jsonEquals({ ...head }, { ...wanted }) &&
        jsonEquals({ ...headOf(view) }, { ...wanted }) &&
        jsonEquals({ ...guardOf(view) }, { revision: whole.revision, filterSet: whole.filterSet }) &&
        createdOf(view) === whole.createdMs &&
        metadataRevisionOf(view) === whole.metadataRevision &&
        metadataUpdatedOf(view) === whole.metadataUpdatedMs &&
        Buffer.from(encodeRecord(whole, headBytesOf(view))).equals(encoded) &&
        isTombstone(view) === (whole.head.deletedMs !== undefined) &&
        Buffer.from(metadataBytesOf(view)).toString() === whole.metadataText &&
        jsonEquals(metadataOf(view), JSON.parse(whole.metadataText) as JsonObject)
      );
    }),
    { numRuns: 500 },
  );
  t.throws(() => decodeRecord(Buffer.from([9, 0, 0, 0])), /layout 9/);
});

void t.test('an entity tag is quoted, and another for another registration or change', async (t) => {
  const tags = [etagOf(1, 1), etagOf(1, 2), etagOf(2, 1), etagOf(11, 1), etagOf(1, 11)];
  t.equal(new Set(tags).size, tags.length);
  for (const tag of tags) t.match(tag, /^"[0-9a-z]+-[0-9a-z]+"$/);
  const timesMs = [0, 36 ** 5 - 1, 36 ** 5, 36 ** 5 + 1, 36 ** 6, 1_700_000_000_000, Number.MAX_SAFE_INTEGER];
  for (const ms of timesMs) t.equal(etagOf(ms, 7), `"${ms.toString(36)}-7"`);
});

const group: fc.Arbitrary<EventGroup> = fc.record({
  source: someText,
  tenant: text,
  application: text,
  events: fc.array(
    fc.record(
      {
        kind: fc.constantFrom(...EVENT_KINDS),
        revision: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
        filterId: someText,
        payload: bytes,
      },
      { requiredKeys: ['kind', 'revision', 'payload'] },
    ),
    { maxLength: 6 },
  ),
});

void t.test('events come back as they were', async () => {
  const plain = ({ events, ...rest }: EventGroup) =>
    JSON.stringify({
      ...rest,
      events: events.map(({ kind, revision, filterId, payload }) => [kind, revision, filterId, [...payload]]),
    });
  fc.assert(
    fc.property(group, (whole) => plain(decodeEvents(encodeEvents(whole))) === plain(whole)),
    { numRuns: 500 },
  );
});

void t.test('message ids name endpoint, revision, kind and filter', async (t) => {
  const payload = new Uint8Array();
  t.equal(messageIdOf('e1', { kind: 'registered', revision: 1, payload }), 'e1.1.registered');
  t.equal(
    messageIdOf('e1', { kind: 'ep-matched', revision: 7, filterId: 'f', payload }),
    'e1.7.ep-matched.f',
  );
  t.equal(
    messageIdOf('f', { kind: 'filter-pending', revision: 2, filterId: 'f', payload }),
    'f.2.filter-pending',
  );
});

const metadata = fc.dictionary(
  fc.constantFrom('a', 'b', 'c', 'constructor', 'toString'),
  fc.oneof(
    fc.constantFrom(0, -0, 1, '0', null, true),
    fc.constant({ x: 1, y: [1, 2] }),
    fc.constant({ y: [1, 2], x: 1 }),
  ),
  { noNullPrototype: true },
) as fc.Arbitrary<JsonObject>;

void t.test('a diff turns one metadata into the other, and names nothing else', async (t) => {
  fc.assert(
    fc.property(metadata, metadata, (before, after) => {
      const diff = diffMetadata(before, after);
      const rebuilt: JsonObject = { ...before };
      for (const key of diff.removed) delete rebuilt[key];
      for (const key of [...diff.added, ...diff.updated]) rebuilt[key] = after[key]!;
      return (
        jsonEquals(rebuilt, after) &&
        diff.added.every((key) => !Object.hasOwn(before, key)) &&
        diff.removed.every((key) => !Object.hasOwn(after, key)) &&
        diff.updated.every((key) => !jsonEquals(before[key]!, after[key]!)) &&
        isEmptyDiff(diff) === jsonEquals(before, after)
      );
    }),
    { numRuns: 2000 },
  );
  t.ok(isEmptyDiff(diffMetadata({ a: 0, b: { x: 1, y: 2 } }, { b: { y: 2, x: 1 }, a: -0 })), 'order and -0');
  t.same(diffMetadata({ a: null }, {}).removed, ['a']);
  t.same(diffMetadata({}, { a: null }).added, ['a']);
});

void t.test('nesting stops counting beyond its limit', async (t) => {
  t.equal(nestingOf(1, 5), 0);
  t.equal(nestingOf([], 5), 1);
  t.equal(nestingOf({ a: [{}] }, 5), 3);
  t.equal(nestingOf([[[[[[[[]]]]]]]], 3), 4);
  t.equal(nestingOf([], 0), 1);
});
