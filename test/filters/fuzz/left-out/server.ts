import { isJsonObject, type JsonValue } from '../../../../src/model/json.js';
import { isElemMatch } from '../conditions.js';
import {
  ALL_OF_ARRAYS,
  ALL_OF_NOTHING,
  ALL_OF_NULL,
  comparesWith,
  comparesWithNull,
  comparesWithNullInside,
  goesInside,
  goesThroughMetadata,
  hasArray,
  hasArrayInArray,
  hasPosition,
  isEmptyObject,
  isList,
  isOn,
  isOrder,
  isWholeMetadata,
  onValue,
  SCALARS_AS_DOCUMENTS,
  some,
  UTF_16_ORDER,
  WHOLE_ARRAYS_IN_LISTS,
  type LeftOut,
} from './traits.js';

const isBeyond64Bits = (value: JsonValue): boolean => typeof value === 'number' && Math.abs(value) >= 2 ** 63;

/** Of mongo-java-server, which stands in for MongoDB where there is none. */
export const SERVER_LEFT_OUT: readonly LeftOut[] = [
  UTF_16_ORDER,
  { ...SCALARS_AS_DOCUMENTS, looksAtAll: true },
  ALL_OF_ARRAYS,
  ALL_OF_NOTHING,
  {
    reason: 'null has no order',
    example: [onValue({ $lte: null }), { k: null }, true],
    on: (condition) => isOrder(condition) && condition.operand === null,
  },
  {
    reason: '$all does not take $elemMatch',
    example: [{ metadata: { $all: [{ $elemMatch: { key: 'k' } }] } }, { k: 1 }, true],
    on: ({ operator, operand }) => operator === '$all' && Array.isArray(operand) && operand.some(isElemMatch),
  },
  {
    reason: '$all asks for an array',
    example: [onValue({ $all: [2] }), { k: 2 }, true],
    on: isOn('$all'),
    where: (value, condition) =>
      goesInside(condition) || condition.level === 'element' || !Array.isArray(value),
  },
  ALL_OF_NULL,
  {
    reason: 'arrays have another order',
    example: [onValue({ $lt: [] }), { k: [] }, false],
    on: (condition) => isOrder(condition) && Array.isArray(condition.operand),
    where: hasArray,
  },
  {
    reason: 'numbers beyond 64 bits are not told apart',
    example: [onValue({ $lt: -(2 ** 63) }), { k: -1e300 }, true],
    on: (condition) => comparesWith(condition, (operand) => some(operand, isBeyond64Bits)),
    where: (value) => some(value, isBeyond64Bits),
  },
  {
    reason: '$mod does not know numbers beyond 32 bits',
    example: [onValue({ $mod: [2, 0] }), { k: 2 ** 31 }, true],
    on: isOn('$mod'),
    where: (value) => some(value, (inner) => typeof inner === 'number' && Math.abs(inner) >= 2 ** 31),
  },
  {
    reason: 'several operators ask for one element that satisfies all of them',
    example: [onValue({ $gt: 1, $lte: 1 }), { k: [3, 1] }, true],
    on: ({ siblings }) => siblings.length > 1,
    where: hasArray,
  },
  {
    reason: 'several operators on a path through the metadata ask for one entry that satisfies all of them',
    example: [{ 'metadata.value': { $gt: 1, $lte: 1 } }, { k: 0, l: 2 }, true],
    on: (condition) => goesThroughMetadata(condition) && condition.siblings.length > 1,
  },
  {
    reason: 'a position of the metadata is no field that is missing',
    example: [{ 'metadata.0.value': null }, { k: 1 }, true],
    on: (condition) => goesThroughMetadata(condition) && hasPosition(condition),
  },
  {
    reason: 'what no entry of the metadata has is not missing',
    example: [{ 'metadata.value': { $exists: false } }, {}, true],
    on: (condition) =>
      goesThroughMetadata(condition) && (condition.isNegated || condition.operator === '$exists'),
  },
  {
    reason: 'a path into values of the metadata finds null in scalars of an array',
    example: [{ 'metadata.value.a': null }, { k: ['x'] }, false],
    on: (condition) => goesThroughMetadata(condition) && goesInside(condition),
  },
  {
    reason: 'a document without fields matches everything',
    example: [onValue({ a: {} }), { k: null }, false],
    on: (condition) => comparesWith(condition, (operand) => some(operand, isEmptyObject)),
  },
  {
    reason: 'a document as an operand asks for its fields one by one, of any entry',
    example: [{ metadata: { key: 'k' } }, { k: 1 }, false],
    on: (condition) => isWholeMetadata(condition) && comparesWith(condition, isJsonObject),
  },
  {
    reason: 'a document as an operand asks for its fields one by one, of any element',
    example: [onValue({ a: 1 }), { k: [{ a: 1, b: '' }] }, false],
    on: (condition) => comparesWith(condition, isJsonObject),
    where: (value, condition) => hasArray(value) || comparesWithNullInside(condition),
  },
  {
    reason: '$regex matches numbers',
    example: [onValue({ $regex: '1' }), { k: 1 }, false],
    on: isOn('$regex'),
    where: (value) =>
      some(value, (inner) => typeof inner !== 'string' && !(Array.isArray(inner) && inner.length > 0)),
  },
  {
    reason: '$regex beside another operator is all that is asked',
    example: [{ endpoint_id: { $in: ['x'], $regex: '' } }, {}, false],
    on: ({ siblings }) => siblings.length > 1 && siblings.includes('$regex'),
  },
  {
    reason: '$regex matches metadata',
    example: [{ metadata: { $regex: 'e' } }, { k: 'e' }, false],
    on: (condition) => isWholeMetadata(condition) && condition.operator === '$regex',
  },
  WHOLE_ARRAYS_IN_LISTS,
  {
    reason: 'what a path through an array lacks is not missing, or is null',
    example: [onValue({ $exists: false }, 'value.a.0'), { k: [] }, true],
    on: (condition) =>
      goesInside(condition) &&
      (condition.isNegated ||
        hasPosition(condition) ||
        comparesWithNull(condition) ||
        isOn('$exists', '$regex')(condition)),
    where: hasArray,
  },
  {
    reason: 'arrays in arrays are entered',
    example: [onValue({ $lt: 'k' }, 'value.a'), { k: [[{ a: 'a' }]] }, false],
    on: (condition) =>
      goesInside(condition) ||
      isList(condition) ||
      isOn('$regex')(condition) ||
      comparesWith(condition, Array.isArray),
    where: hasArrayInArray,
  },
];
