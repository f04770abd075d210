import type { JsonValue } from '../../../../src/model/json.js';
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
  hasName,
  hasPosition,
  isContainer,
  isOn,
  isOrder,
  isWholeMetadata,
  onValue,
  SCALARS_AS_DOCUMENTS,
  UTF_16_ORDER,
  WHOLE_ARRAYS_IN_LISTS,
  type LeftOut,
} from './traits.js';

const isIntegral = (value: JsonValue): boolean => Number.isSafeInteger(value);

const BOTH: readonly LeftOut[] = [
  UTF_16_ORDER,
  SCALARS_AS_DOCUMENTS,
  {
    reason: '$mod takes other types for numbers, and does not cut fractions off',
    example: [onValue({ $mod: [2, 0] }), { k: '' }, false],
    on: isOn('$mod'),
    where: (value, condition) => goesInside(condition) || !isIntegral(value),
  },
  {
    reason: '$mod does not cut fractions of its operands off',
    example: [onValue({ $mod: [2.5, 1] }), { k: 5 }, true],
    on: ({ operator, operand }) => operator === '$mod' && !(operand as JsonValue[]).every(isIntegral),
  },
  {
    reason: 'a field "__proto__" is always there',
    example: [{ metadata: { $elemMatch: { ['__proto__']: {} } } }, { k: 'A' }, false],
    on: ({ path, operand }) => path.includes('__proto__') || JSON.stringify(operand).includes('"__proto__":'),
  },
  {
    reason: 'documents and arrays have no order',
    example: [onValue({ $lte: { a: '', b: 2 } }), { k: { a: [{ b: 'b' }] } }, false],
    on: (condition) => isOrder(condition) && isContainer(condition.operand),
  },
  {
    reason: 'in patterns a character is a UTF-16 unit',
    example: [onValue({ $regex: '^.$' }), { k: '\u{1F600}' }, true],
    on: ({ operator, operand }) => operator === '$regex' && JSON.stringify(operand).includes('.'),
    where: (value) => /[\u{10000}-\u{10FFFF}]/u.test(JSON.stringify(value)),
  },
];

export const MINGO_LEFT_OUT: readonly LeftOut[] = [
  ...BOTH,
  {
    reason: '$type has not the numbers of BSON',
    example: [onValue({ $type: 'double' }), { k: 7 }, false],
    on: ({ operator, operand }) => operator === '$type' && /int|long|double|\d/.test(JSON.stringify(operand)),
  },
  {
    reason: '$type does not look at elements',
    example: [onValue({ $type: 'string' }), { k: ['x'] }, true],
    on: isOn('$type'),
    where: hasArray,
  },
  {
    reason: 'a field "constructor" is taken for the class',
    example: [onValue({ $in: [1] }), { k: { constructor: 1 } }, false],
    on: isOn('$in', '$nin'),
    looksAtAll: true,
    where: (value) => hasName(value, 'constructor'),
  },
  {
    reason: 'a field "constructor" of an operand is taken for the class',
    example: [onValue({ $in: [{ constructor: 1 }] }), { k: 1 }, false],
    on: (condition) =>
      isOn('$in', '$nin')(condition) && comparesWith(condition, (operand) => hasName(operand, 'constructor')),
  },
  WHOLE_ARRAYS_IN_LISTS,
  {
    reason: 'a path through an array that has nothing there finds an empty array',
    example: [onValue([], 'value.a'), { k: [1] }, false],
    on: goesInside,
    where: hasArray,
  },
  {
    reason: 'what a path through the metadata finds is one array',
    example: [{ 'metadata.value': { $lt: 2 } }, { k: [1], l: 'x' }, true],
    on: (condition) =>
      goesThroughMetadata(condition) &&
      !(condition.path[1] === 'key' && comparesWith(condition, (operand) => typeof operand === 'string')),
  },
  {
    reason: '$regex and $elemMatch flatten arrays in arrays',
    example: [onValue({ $regex: 'b' }), { k: [['b']] }, false],
    on: isOn('$elemMatch', '$regex'),
    where: hasArrayInArray,
  },
  {
    reason: 'null has no order',
    example: [onValue({ $gte: null }, 'value.a'), { k: {} }, true],
    on: ({ operand, ...condition }) => operand === null && isOrder({ operand, ...condition }),
  },
  ALL_OF_ARRAYS,
  {
    reason: '$all asks for an array',
    example: [onValue({ $all: ['b'] }), { k: 'b' }, true],
    on: isOn('$all'),
    where: (value, condition) =>
      goesInside(condition) || condition.level === 'element' || !Array.isArray(value),
  },
  ALL_OF_NULL,
];

export const SIFT_LEFT_OUT: readonly LeftOut[] = [
  ...BOTH,
  ALL_OF_NOTHING,
  {
    reason: '$all finds an empty array, or document, everywhere',
    example: [onValue({ $all: [[]] }), { k: 'x' }, false],
    on: (condition) => condition.operator === '$all' && comparesWith(condition, isContainer),
  },
  {
    reason: '$type does not know the types of BSON',
    example: [onValue({ $type: 'int' }), { k: ['x', 1] }, true],
    on: isOn('$type'),
  },
  {
    reason: 'arrays in arrays are entered',
    example: [onValue({ $eq: 1 }), { k: [[1]] }, false],
    on: () => true,
    where: hasArrayInArray,
  },
  {
    reason: 'null is not ordered as a value',
    example: [onValue({ $gte: null }), { k: [] }, false],
    on: (condition) => isOrder(condition) && condition.operand === null,
  },
  {
    reason: 'a position is one of a string, or a field of a document in the array',
    example: [onValue('b', 'value.0'), { k: 'b' }, false],
    on: hasPosition,
    where: (value) => isContainer(value) || typeof value === 'string',
  },
  {
    reason: 'a position of the metadata is no field that is missing',
    example: [{ 'metadata.0.key': { $nin: [null] } }, {}, true],
    on: (condition) => goesThroughMetadata(condition) && hasPosition(condition),
  },
  {
    reason: '$mod takes no metadata for 0, $all finds every value in them',
    example: [{ metadata: { $mod: [1, 0] } }, {}, false],
    on: (condition) => isWholeMetadata(condition) && /^\$(mod|all)$/.test(condition.operator),
  },
  {
    reason: 'a name that plain objects inherit is a field of everything',
    example: [onValue(null, 'value.constructor'), { k: 1 }, true],
    on: ({ path }) => path.includes('constructor'),
    where: () => true,
  },
  {
    reason: 'a query of a field "constructor" is no object',
    example: [onValue({ $elemMatch: { constructor: null } }), { k: 1 }, false],
    on: ({ level, path }) => level !== 'document' && path[0] === 'constructor',
  },
  {
    reason: 'null is found on a path through an array of scalars',
    example: [onValue({ $in: [null] }, 'value.a'), { k: ['a'] }, false],
    on: (condition) => goesInside(condition) && comparesWithNull(condition),
    where: hasArray,
  },
  {
    reason: 'a null in a literal document equals a missing field',
    example: [onValue({ b: null }), { k: { a: 1 } }, false],
    on: comparesWithNullInside,
  },
];
