import avro from 'avsc';
import fc from '../fast-check.js';
import t from 'tap';
import {
  type RecordSchema,
  AvroDecodeError,
  createCodec,
  decodeEvent,
  encodeAppVersionUpdated,
  encodeBroadcastConfiguration,
  encodeConnectivity,
  encodeFilterEvent,
  encodeMatched,
  encodeMetadataUpdated,
  encodeRegistered,
  encodeRelationsUpdated,
  encodeServiceConfiguration,
  encodeTenantEvent,
  encodeUnmatched,
  encodeUnregistered,
  readConnectivity,
  schemas,
} from '../../src/avro/index.js';
import { EVENT_KINDS } from '../../src/model/event.js';

const change = {
  correlationId: 'c1',
  timestampMs: 1_700_000_000_000,
  originatorReplicaId: 'r1',
  endpointId: 'ep-1',
  appVersionName: 'app-v2',
  applicationName: 'app',
};
const TIME = '80a0abfef962'; // zigzag varint of 1_700_000_000_000
const text = (value: string) =>
  Buffer.from([Buffer.byteLength(value) * 2, ...Buffer.from(value)]).toString('hex');
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function reference(schema: RecordSchema) {
  return avro.Type.forSchema(schema as unknown as avro.Schema);
}

void t.test('lifecycle events, byte for byte', (t) => {
  const head = text('c1') + TIME + '00';
  const tail = text('ep-1') + text('r1');
  t.equal(hex(encodeRegistered(change)), head + text('app-v2') + tail);
  t.equal(hex(encodeUnregistered(change)), head + text('app-v2') + tail);
  t.equal(hex(encodeAppVersionUpdated(change, 'app-v1')), head + text('app-v2') + text('app-v1') + tail);
  t.equal(hex(encodeRelationsUpdated(change, ['a', 'b'])), head + '04' + text('a') + text('b') + '00');
  t.end();
});

void t.test(
  'metadata-updated, byte for byte: removed, added, updated (new value first), null for JSON null',
  (t) => {
    const payload = encodeMetadataUpdated(change, {
      added: { constructor: '"x"', n: null },
      updated: { ü: { oldValue: '1', newValue: null } },
      removed: {},
    });
    t.equal(
    hex(payload),
    text('c1') + TIME + '00' + text('app-v2') + text('ep-1') +
      '00' +
      '04' + text('constructor') + '02' + text('"x"') + text('n') + '00' + '00' +
      '02' + text('ü') + '00' + '02' + text('1') + '00' +
      text('r1'),
  ); // prettier-ignore
    t.end();
  },
);

void t.test('filter and membership events, byte for byte: their own head', (t) => {
  const head = TIME + '00' + text('c1') + text('r1') + text('f-1') + text('app');
  t.equal(
    hex(encodeMatched(change, 'f-1', 'hot')),
    head + text('app-v2') + '02' + text('hot') + text('ep-1'),
  );
  t.equal(hex(encodeUnmatched(change, 'f-1', null)), head + text('app-v2') + '00' + text('ep-1'));
  for (const kind of ['filter-pending', 'filter-activated', 'filter-deleted'] as const) {
    const { correlationId, timestampMs, originatorReplicaId, applicationName } = change;
    const filter = {
      correlationId,
      timestampMs,
      originatorReplicaId,
      applicationName,
      filterId: 'f-1',
      filterName: 'hot',
    };
    t.equal(hex(encodeFilterEvent(kind, filter)), head + '02' + text('hot'));
  }
  t.end();
});

void t.test('configuration and tenant updates, byte for byte: the first without a timeout', (t) => {
  const head = text('c1') + TIME;
  const { correlationId, timestampMs: timestamp, originatorReplicaId } = change;
  const update = { correlationId, timestamp, tenantID: null, appName: 'app', appVerName: null };
  t.equal(
    hex(encodeBroadcastConfiguration({ ...update, originatorReplicaId })),
    head + text('r1') + '00' + '02' + text('app') + '00',
  );
  t.equal(
    hex(encodeServiceConfiguration({ ...update, tenantID: 'kaa', appVerName: 'app-v1' })),
    head + text('kaa') + '02' + text('app') + '02' + text('app-v1'),
  );
  t.equal(
    hex(encodeTenantEvent({ correlationId, timestamp, timeout: 0, tenantId: 'acme', originatorReplicaId })),
    head + '00' + text('acme') + text('r1'),
  );
  t.end();
});

void t.test('every schema is valid Avro, and another implementation writes and reads the same bytes', (t) => {
  const all = [
    ...EVENT_KINDS.map((kind) => schemas.events[kind]),
    ...Object.values(schemas.consumed),
    ...Object.values(schemas.served).flatMap((protocol) =>
      Object.values(protocol).flatMap(({ request, response }) => [request, response]),
    ),
  ];
  t.equal(all.length, 10 + 6 + 9 * 2);
  for (const schema of all) {
    const type = reference(schema);
    const codec = createCodec(schema);
    for (let i = 0; i < 50; i++) {
      const value = type.random() as object;
      t.same(hex(codec.encode(value)), hex(type.toBuffer(value)), `${schema.namespace}.${schema.name}`);
      t.same(hex(codec.encode(codec.decode(type.toBuffer(value)))), hex(type.toBuffer(value)));
    }
  }
  t.end();
});

void t.test('any metadata round-trips, hostile keys and long texts included', (t) => {
  const values = fc.oneof(
    fc.constant(null),
    fc.string({ unit: 'grapheme' }),
    fc.string({ minLength: 60, maxLength: 5000 }),
  );
  const maps = <T>(value: fc.Arbitrary<T>) =>
    fc.dictionary(
      fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('__proto__', 'constructor', 'toString')),
      value,
    );
  const type = reference(schemas.events['metadata-updated']);
  fc.assert(
    fc.property(
      maps(values),
      maps(fc.record({ oldValue: values, newValue: values })),
      maps(values),
      fc.nat({ max: 2 ** 31 - 1 }),
      (added, updated, removed, timestampMs) => {
        const payload = encodeMetadataUpdated({ ...change, timestampMs }, { added, updated, removed });
        const event = JSON.parse(JSON.stringify(decodeEvent('metadata-updated', payload))) as Record<
          string,
          unknown
        >;
        t.equal(JSON.stringify(event.added), JSON.stringify(added));
        t.equal(JSON.stringify(event.removed), JSON.stringify(removed));
        t.equal(event.timestamp, timestampMs);
        t.equal(Object.keys(event.updated as object).length, Object.keys(updated).length);
        type.fromBuffer(Buffer.from(payload));
      },
    ),
    { numRuns: 200 },
  );
  t.end();
});

void t.test('longs are exact up to 2^53, both signs', (t) => {
  const schema: RecordSchema = { type: 'record', name: 'One', fields: [{ name: 'n', type: 'long' }] };
  const codec = createCodec<{ n: number }>(schema);
  const edges = [0, 63, 64, 2 ** 30, 2 ** 31, 2 ** 32, 2 ** 52, Number.MAX_SAFE_INTEGER];
  for (const n of edges.flatMap((edge) => [edge - 1, edge, -edge, -edge - 1]).filter(Number.isSafeInteger)) {
    t.equal(codec.decode(codec.encode({ n })).n, n === 0 ? 0 : n);
    let zigzag = n >= 0 ? BigInt(n) * 2n : -BigInt(n) * 2n - 1n;
    const bytes: number[] = [];
    for (; zigzag > 127n; zigzag >>= 7n) bytes.push(Number(zigzag & 127n) | 128);
    t.equal(hex(codec.encode({ n })), hex(Uint8Array.from([...bytes, Number(zigzag)])), String(n));
  }
  t.throws(() => codec.encode({ n: 2 ** 53 }), RangeError);
  // Java's Long.MIN_VALUE and Long.MAX_VALUE
  t.equal(codec.decode(Buffer.from('ffffffffffffffffff01', 'hex')).n, Number.MIN_SAFE_INTEGER);
  t.equal(codec.decode(Buffer.from('feffffffffffffffff01', 'hex')).n, Number.MAX_SAFE_INTEGER);
  t.throws(() => codec.decode(Buffer.from('8080808080808080808080808000', 'hex')), AvroDecodeError);
  t.end();
});

void t.test('connectivity: what another implementation writes is read as it was', (t) => {
  const texts = fc.string({ unit: 'grapheme' });
  const events = fc.record({
    correlationId: texts,
    timestamp: fc.nat(),
    timeout: fc.nat(),
    endpoints: fc.dictionary(texts, texts, { maxKeys: 300 }),
    originatorReplicaId: texts,
  });
  for (const schema of [schemas.consumed.connected, schemas.consumed.disconnected]) {
    const type = reference(schema);
    fc.assert(
      fc.property(events, (event) => {
        const { endpointIds, versionNames, ...head } = readConnectivity(type.toBuffer(event));
        const { endpoints, originatorReplicaId: _sender, ...expected } = event;
        t.same(head, expected);
        t.same([endpointIds, versionNames], [Object.keys(endpoints), Object.values(endpoints)]);
      }),
    );
  }
  t.end();
});

function endpointsOf(payload: Uint8Array): [string, string | undefined][] {
  const { endpointIds, versionNames } = readConnectivity(payload);
  return endpointIds.map((endpointId, i) => [endpointId, versionNames[i]]);
}

void t.test('connectivity: what is not exactly one record is refused at once', (t) => {
  const endpoints = Object.create(null) as Record<string, string>;
  endpoints['__proto__'] = 'app-v1';
  endpoints['ep-2'] = 'app-v2';
  const event = { correlationId: 'c', timestamp: 5, timeout: 0, endpoints, originatorReplicaId: 'r' };
  const payload = encodeConnectivity(event);
  t.same(endpointsOf(payload), [
    ['__proto__', 'app-v1'],
    ['ep-2', 'app-v2'],
  ]);
  t.throws(() => readConnectivity(Buffer.concat([payload, Buffer.from([0])])), /1 bytes more/);
  for (let end = 0; end < payload.length; end++) {
    t.throws(() => readConnectivity(payload.subarray(0, end)), AvroDecodeError, `cut at ${end}`);
  }
  // a map of 2^50 entries in a message of a few bytes must not be counted through
  t.throws(
    () => readConnectivity(Buffer.from('00000080808080808080' + '04', 'hex')),
    /ConnectedEvent.endpoints/,
  );
  // blocks with a byte size, as other writers may make them
  const blocks = '0000' + '00' + '01' + '08' + '0261' + '0262' + '02' + '0263' + '0264' + '00' + '0272';
  t.same(endpointsOf(Buffer.from(blocks, 'hex')), [
    ['a', 'b'],
    ['c', 'd'],
  ]);
  t.throws(() => readConnectivity(Buffer.from('02ff' + '0000' + '00' + '0272', 'hex')), /not UTF-8/);
  t.end();
});
