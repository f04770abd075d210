import fc from '../fast-check.js';
import t from 'tap';
import { parseQuery, type JsonObject, type JsonValue, type ValueTest } from '../../src/filters/index.js';
import { compareValues } from '../../src/filters/values.js';
import {
  common,
  entriesOf,
  EVERYTHING,
  headOf,
  idOfEntry,
  merged,
  rangeOfOrder,
  rangeOfValue,
  Space,
} from '../../src/storage/embedded/values/entries.js';

const ID = Buffer.from('e-1');
const text = fc.oneof(
  fc.string({ maxLength: 4 }),
  fc
    .array(fc.constantFrom('\0', '\x01', 'a', 'b', 'ÿ', '\uffff', '😀', 'п'), { maxLength: 5 })
    .map((a) => a.join('')),
  // around the length that an entry holds
  fc
    .tuple(
      fc.constantFrom('a', '😀', '\0'),
      fc.integer({ min: 96, max: 104 }),
      fc.constantFrom('', 'a', 'b', '😀'),
    )
    .map(([unit, count, end]) => unit.repeat(count) + end),
);
const number = fc.oneof(
  fc.double({ noNaN: true }),
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(0, -0, 5e-324, -5e-324, 2 ** 53, 1.7976931348623157e308),
);
const scalar = fc.oneof(fc.constant(null), fc.boolean(), number, text);

void t.test('entries have the order of MongoDB, and give their endpoint back', async (t) => {
  const entry = (value: JsonValue) => entriesOf(7, value, ID)[0]!;
  fc.assert(
    fc.property(scalar, scalar, (a, b) => {
      const order = Math.sign(Buffer.compare(entry(a), entry(b)));
      const isCut = [a, b].every((value) => typeof value === 'string' && value.length >= 100);
      return (
        idOfEntry(entry(a)) === 'e-1' && (order === Math.sign(compareValues(a, b)) || (isCut && order === 0))
      );
    }),
    { numRuns: 3000 },
  );
  t.same(
    entriesOf(7, [1, 'a', 1, [2], { b: 3 }, null], ID).map((bytes) => [bytes[4], bytes[5], idOfEntry(bytes)]),
    [
      [Space.own, 25, 'e-1'],
      [Space.element, 10, 'e-1'],
      [Space.element, 15, 'e-1'],
      [Space.element, 5, 'e-1'],
    ],
  );
  t.equal(
    entriesOf(
      7,
      Array.from({ length: 100 }, (_, i) => i),
      ID,
    ).length,
    2,
    'long arrays are one element',
  );
  t.same(entriesOf(7, undefined, ID), []);
  t.equal(idOfEntry(entriesOf(7, {}, ID)[0]!), 'e-1');
});

void t.test(
  'a range has what its test passes: no less, and no more when it says that it is exact',
  async (t) => {
    const test: fc.Arbitrary<ValueTest> = fc.oneof(
      fc.array(scalar, { maxLength: 3 }).map((values) => ({ kind: 'in' as const, values })),
      fc.record({
        kind: fc.constant('ordered' as const),
        ordering: fc.constantFrom('lt', 'lte', 'gt', 'gte'),
        operand: fc.oneof(fc.boolean(), number, text),
      }),
    );
    const sourceOf = (each: ValueTest): JsonObject =>
      each.kind === 'in' ? { $in: [...each.values] } : { [`$${each.ordering}`]: each.operand };
    fc.assert(
      fc.property(
        fc.array(test, { minLength: 1, maxLength: 2 }),
        fc.array(scalar, { maxLength: 6 }),
        (tests, more) => {
          const operands = tests.flatMap((each) => (each.kind === 'in' ? each.values : [each.operand]));
          const parts = tests.map((each) => {
            const ranges =
              each.kind === 'in'
                ? each.values.map(rangeOfValue)
                : [rangeOfOrder(each.ordering, each.operand as string)];
            return {
              ranges: merged(ranges.map(({ range }) => range)),
              exact: ranges.every(({ exact }) => exact),
            };
          });
          const ranges = parts.reduce((all, part) => common(all, part.ranges), [EVERYTHING]);
          const parsed = parseQuery({
            $and: tests.map((each) => ({ metadata: { $elemMatch: { key: 'k', value: sourceOf(each) } } })),
          });
          if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
          for (const value of [...operands, ...more]) {
            const [entry] = entriesOf(7, value, ID);
            const rest = entry!.subarray(headOf(7, Space.own).length);
            const inside = ranges.filter(
              ({ start, end }) => Buffer.compare(start, rest) <= 0 && Buffer.compare(rest, end) < 0,
            );
            const matches = parsed.query.matches({
              endpointId: 'e-1',
              applicationVersion: '',
              metadata: { k: value },
            });
            if (inside.length > 1) return false;
            if (matches && inside.length === 0) return false;
            if (!matches && inside.length > 0 && parts.every(({ exact }) => exact)) return false;
          }
          return true;
        },
      ),
      { numRuns: 3000 },
    );
    t.pass('3000 tests');
  },
);
