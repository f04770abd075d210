import fc from '../fast-check.js';
import t from 'tap';
import { type RecordSchema, createCodec, encodeMetadataUpdated, schemas } from '../../src/avro/index.js';
import { EVENT_KINDS } from '../../src/model/event.js';
import { startFastavro } from '../servers/index.js';

const RECORDS = 200;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

const all: RecordSchema[] = [
  ...EVENT_KINDS.map((kind) => schemas.events[kind]),
  ...Object.values(schemas.consumed),
  ...Object.values(schemas.served).flatMap((protocol) =>
    Object.values(protocol).flatMap(({ request, response }) => [request, response]),
  ),
];

void t.test(
  'what fastavro writes, of random values, is read and written here to the same bytes; and back',
  async (t) => {
    const fastavro = startFastavro(t);
    if (fastavro === undefined) return;
    for (const schema of all) {
      const codec = createCodec(schema);
      const theirs = await fastavro.random(schema, RECORDS);
      const ours = theirs.map((record) => hex(codec.encode(codec.decode(Buffer.from(record, 'hex')))));
      t.same(ours, theirs, `${schema.namespace}.${schema.name}`);
      t.same(await fastavro.recode(schema, ours), ours);
    }
  },
);

void t.test('events of any metadata: fastavro reads them, and writes the same bytes', async (t) => {
  const fastavro = startFastavro(t);
  if (fastavro === undefined) return;
  const texts = fc.oneof(fc.constant(null), fc.string({ unit: 'grapheme' }), fc.string({ minLength: 70 }));
  const maps = <T>(value: fc.Arbitrary<T>) => fc.dictionary(fc.string({ unit: 'grapheme' }), value);
  const change = fc.record({
    correlationId: fc.string({ unit: 'grapheme' }),
    timestampMs: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    originatorReplicaId: fc.string(),
    endpointId: fc.string(),
    appVersionName: fc.string(),
    applicationName: fc.string(),
  });
  const diff = fc.record({
    added: maps(texts),
    updated: maps(fc.record({ oldValue: texts, newValue: texts })),
    removed: maps(texts),
  });
  const payloads = fc
    .sample(fc.tuple(change, diff), 500)
    .map(([context, encoded]) => hex(encodeMetadataUpdated(context, encoded)));
  t.same(await fastavro.recode(schemas.events['metadata-updated'], payloads), payloads);
});
