import fc from '../fast-check.js';
import t from 'tap';
import { parseQuery, type FilterDocument, type Query } from '../../src/filters/index.js';
import type { JsonObject } from '../../src/model/json.js';
import { MINGO_LEFT_OUT, SIFT_LEFT_OUT } from './fuzz/left-out/libraries.js';
import { trustOf } from './fuzz/trust.js';
import { mingoMatches, siftMatches } from './oracles.js';
import { document, query, storedForm, wideDocument, wideQuery } from './random-queries.js';
import { referenceMatches } from './reference.js';

const RUNS = 4000;

function parsed(source: JsonObject): Query {
  const result = parseQuery(source);
  if (!result.ok) throw new Error(`${JSON.stringify(source)}: ${JSON.stringify(result.faults)}`);
  return result.query;
}

void t.test('agrees with mingo and sift where they are right about MongoDB', async (t) => {
  const asked = { mingo: 0, sift: 0, matched: 0 };
  const pairs = fc.property(
    query,
    fc.array(document, { minLength: 3, maxLength: 3 }),
    (source, documents) => {
      const compiled = parsed(source);
      const trustsMingo = trustOf(MINGO_LEFT_OUT, source);
      const trustsSift = trustOf(SIFT_LEFT_OUT, source);
      for (const doc of documents) {
        const answer = compiled.matches(doc);
        if (answer) asked.matched++;
        const stored = storedForm(doc);
        if (trustsMingo(doc)) {
          asked.mingo++;
          if (mingoMatches(source, stored) !== answer) throw new Error(`mingo differs from ${answer}`);
        }
        if (trustsSift(doc)) {
          asked.sift++;
          if (siftMatches(source, stored) !== answer) throw new Error(`sift differs from ${answer}`);
        }
      }
    },
  );
  fc.assert(pairs, { numRuns: RUNS });
  t.comment(asked);
  t.ok(asked.mingo > 5000, 'mingo was asked often');
  t.ok(asked.sift > 5000, 'sift was asked often');
  t.ok(asked.matched > 2000, 'many pairs match');
});

function agreesWithReference(
  queries: fc.Arbitrary<JsonObject>,
  documents: fc.Arbitrary<FilterDocument>,
): void {
  const pairs = fc.property(queries, fc.array(documents, { minLength: 3, maxLength: 3 }), (source, docs) => {
    const compiled = parsed(source);
    for (const doc of docs) {
      const expected = referenceMatches(source, storedForm(doc));
      if (compiled.matches(doc) !== expected)
        throw new Error(`the rules say ${expected}: ${JSON.stringify(doc)}`);
    }
  });
  fc.assert(pairs, { numRuns: RUNS });
}

void t.test('agrees with the rules as transcribed, deviations of the libraries included', async () => {
  agreesWithReference(query, document);
});

void t.test('agrees with the rules on array positions and arrays in arrays', async () => {
  agreesWithReference(wideQuery, wideDocument);
});

void t.test('keys are sound: what is not among them never changes the answer', async (t) => {
  let narrow = 0;
  const changes = fc.property(wideQuery, wideDocument, wideDocument, (source, one, other) => {
    const compiled = parsed(source);
    const { keys, usesVersion, usesId } = compiled;
    if (keys === null) return;
    narrow++;
    // All of the other document but what the query says it looks at.
    const metadata = { ...other.metadata };
    for (const key of keys) {
      delete metadata[key];
      if (Object.hasOwn(one.metadata, key)) metadata[key] = one.metadata[key]!;
    }
    const mixed: FilterDocument = {
      endpointId: usesId ? one.endpointId : other.endpointId,
      applicationVersion: usesVersion ? one.applicationVersion : other.applicationVersion,
      metadata,
    };
    if (compiled.matches(one) !== compiled.matches(mixed))
      throw new Error(`depends on more than ${[...keys].join()}`);
  });
  fc.assert(changes, { numRuns: RUNS });
  t.ok(narrow > RUNS / 4, 'many queries have known keys');
});
