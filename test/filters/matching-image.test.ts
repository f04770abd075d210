import t from 'tap';
import { parseQuery, type FilterDocument, type Query } from '../../src/filters/index.js';
import { createFilterWriter } from '../../src/filters/matching/filter-writer.js';
import { Image } from '../../src/filters/matching/image.js';
import { Matcher } from '../../src/filters/matching/matcher.js';
import type { JsonObject } from '../../src/model/json.js';
import { randomDocument } from './fuzz/random-documents.js';
import { randomFilters, randomSimpleFilters } from './fuzz/random-filters.js';
import { randomOf, type Random } from './fuzz/random.js';
import { auditImage } from './image-audit.js';

function queryOf(source: JsonObject): Query | undefined {
  const result = parseQuery(source);
  return result.ok ? result.query : undefined;
}

function queriesOf(sources: readonly JsonObject[]): Query[] {
  return sources.map(queryOf).filter((query) => query !== undefined);
}

function mixedQueries(random: Random, count: number): Query[] {
  return queriesOf([...randomFilters(random, count), ...randomSimpleFilters(random, count)]);
}

const nameOf = (i: number) => ({ id: `id-${i}`, name: 'n'.repeat(i % 70), active: i % 2 === 0 });
const entry = (key: string, value: JsonObject | number | string): JsonObject => ({
  metadata: { $elemMatch: { key, value } },
});
const doc = (metadata: JsonObject): FilterDocument => ({
  endpointId: 'e',
  applicationVersion: 'v1',
  metadata,
});

/** Random order, in place. */
function shuffled<T>(random: Random, list: T[]): T[] {
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}

const EMPTY = {
  keys: 0,
  values: 0,
  opaques: 0,
  programs: 0,
  traitSets: 0,
  sections: 0,
  places: 3,
  filters: 0,
};

void t.test('what is promised of an image is so while filters come, go and are replaced', async (t) => {
  for (let seed = 1; seed <= 25; seed++) {
    const random = randomOf(seed);
    const image = new Image();
    const writer = createFilterWriter(image, seed % 2 === 0 ? undefined : { long: 2, beside: 1 });
    const matcher = new Matcher(image);
    const queries = mixedQueries(random, 60);
    const present = new Set<number>();
    for (let step = 0; step < 300; step++) {
      const number = random.below(120);
      if (random.chance(60)) {
        writer.put(number, random.pick(queries), nameOf(step));
        present.add(number);
      } else if (random.chance(20)) writer.rename(number, nameOf(step));
      else {
        writer.remove(number);
        present.delete(number);
      }
      // shares of traits are counted, so that gates are chosen anew
      if (step % 3 === 0) matcher.matchAll(randomDocument(random), -Infinity);
      if (step % 20 === 0) writer.reconsider(50);
      if (step % 60 === 0) t.strictSame(auditImage(image).faults, [], `seed ${seed}, step ${step}`);
    }
    const { faults, counts } = auditImage(image);
    t.strictSame(faults, [], `seed ${seed}`);
    t.equal(counts.filters, present.size);
    for (const number of shuffled(random, [...present])) writer.remove(number);
    const after = auditImage(image);
    t.strictSame(after.faults, [], `seed ${seed}, emptied`);
    t.strictSame(after.counts, EMPTY, `seed ${seed}: nothing is left`);
  }
});

void t.test('the same filters, again and again, take the same memory', async (t) => {
  const random = randomOf(7);
  const image = new Image();
  const writer = createFilterWriter(image);
  const queries = mixedQueries(random, 400);
  const rounds: { bytes: number; filled: number; left: number }[] = [];
  for (let round = 0; round < 24; round++) {
    queries.forEach((query, i) => writer.put(i, query, nameOf(i)));
    const filled = auditImage(image).used;
    for (const i of shuffled(random, [...queries.keys()])) writer.remove(i);
    const { used: left, counts } = auditImage(image);
    t.strictSame(counts, EMPTY);
    rounds.push({ bytes: image.bytes, filled, left });
  }
  // tables grow in the first round and stay, and what they were before is used in the second
  const [, , third] = rounds;
  t.ok(third!.left < third!.filled / 4, `${third!.left} words of ${third!.filled} are left`);
  const last = rounds.at(-1)!;
  t.equal(last.left, third!.left);
  // the gates that are chosen make a little difference
  t.ok(last.filled < third!.filled * 1.01, `${last.filled} words, ${third!.filled} in the third round`);
  t.ok(last.bytes < third!.bytes * 1.01, `${last.bytes} bytes, ${third!.bytes} in the third round`);
});

void t.test('an image that grows on the way keeps every answer', async (t) => {
  const random = randomOf(11);
  const image = new Image();
  const writer = createFilterWriter(image);
  const matcher = new Matcher(image);
  const queries: { query: Query; holds: (document: FilterDocument) => boolean }[] = [];
  const documents = Array.from({ length: 12 }, (_, i) => ({
    ...randomDocument(random),
    endpointId: 'e',
    metadata: { ...randomDocument(random).metadata, grown: i * 250, label: `label ${i * 100}` },
  }));
  const sources = [...randomFilters(random, 150), ...randomSimpleFilters(random, 150)];
  for (let i = 0; i < 3000; i++) {
    if (i % 10 === 0) sources.push({ $and: [entry('label', `label ${i}`), entry('grown', { $gte: i })] });
    else sources.push(entry('grown', { [i % 2 === 0 ? '$gt' : '$lte']: i }));
  }
  let growths = 0;
  let { buffer } = image;
  const compare = (document: FilterDocument, before: FilterDocument): void => {
    const now = wantedOf(queries, document);
    const was = wantedOf(queries, before);
    t.strictSame(matcher.matchAll(document, -Infinity), now, `${queries.length} filters`);
    const keys = [...new Set([...Object.keys(before.metadata), ...Object.keys(document.metadata)])];
    t.strictSame(matcher.findFlips(before, document, keys, Infinity), {
      matched: now.filter((one) => !was.includes(one)),
      unmatched: was.filter((one) => !now.includes(one)),
    });
  };
  for (const source of sources) {
    const query = queryOf(source);
    if (query === undefined) continue;
    writer.put(queries.length, query, nameOf(queries.length));
    queries.push({ query, holds: (document) => query.matches(document) });
    if (image.buffer !== buffer) {
      growths++;
      ({ buffer } = image);
      documents.slice(1).forEach((document, i) => compare(document, documents[i]!));
    }
  }
  documents.slice(1).forEach((document, i) => compare(document, documents[i]!));
  t.ok(growths >= 5, `${growths} times`);
  t.strictSame(auditImage(image).faults, []);
  t.ok(wantedOf(queries, documents[5]!).length > 1000);
});

function wantedOf(
  queries: readonly { holds: (document: FilterDocument) => boolean }[],
  document: FilterDocument,
): number[] {
  return queries.flatMap(({ holds }, i) => (holds(document) ? [i] : []));
}

void t.test(
  'another thread reads an image by its buffer, and one that has grown by the new one',
  async (t) => {
    const image = new Image();
    const writer = createFilterWriter(image);
    writer.put(1, queryOf(entry('temp', { $gt: 5 }))!, nameOf(1));
    const reading = new Image(image.buffer);
    const matcher = new Matcher(reading);
    t.strictSame(matcher.matchAll(doc({ temp: 6 }), -Infinity), [1]);
    writer.put(2, queryOf(entry('temp', { $gt: 4 }))!, nameOf(2));
    t.equal(image.buffer, reading.buffer);
    t.strictSame(matcher.matchAll(doc({ temp: 6 }), -Infinity), [1, 2]);
    for (let i = 3; i < 500; i++) writer.put(i, queryOf(entry('temp', { $gt: i + 10 }))!, nameOf(i));
    t.not(image.buffer, reading.buffer);
    reading.attach(image.buffer);
    t.strictSame(matcher.matchAll(doc({ temp: 20 }), -Infinity), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  },
);
