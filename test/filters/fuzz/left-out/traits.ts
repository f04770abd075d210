import { isJsonObject, type JsonObject, type JsonValue } from '../../../../src/model/json.js';
import { isElemMatch, type Condition } from '../conditions.js';

/**
 * Where a judge is known not to answer as MongoDB does, so that it is not asked. As narrow as a condition and the
 * values that it looks at allow.
 */
export interface LeftOut {
  /** what the judge does that MongoDB does not, or the other way round */
  reason: string;
  /** a filter, metadata, and whether the filter matches them; the judge says otherwise, or fails */
  example: readonly [filter: JsonObject, metadata: JsonObject, matches: boolean];
  /** whether a condition is meant at all */
  on: (condition: Condition) => boolean;
  /** which of the values that it looks at it goes wrong with; absent: with any, and with none */
  where?: (value: JsonValue, condition: Condition) => boolean;
  /** it looks at the values of all keys, though the condition names some: a library has its own order of evaluation */
  looksAtAll?: true;
}

/** For examples: a filter on the value of the key `k`. */
export function onValue(operand: JsonValue, path = 'value'): JsonObject {
  return { metadata: { $elemMatch: { key: 'k', [path]: operand } } };
}

export const isOrder = ({ operator }: Condition): boolean => /^\$[gl]te?$/.test(operator);
export const isList = ({ operator }: Condition): boolean => /^\$(n?in|all)$/.test(operator);
export const isOn =
  (...operators: string[]): LeftOut['on'] =>
  ({ operator }) =>
    operators.includes(operator);

export const isWholeMetadata = ({ level, path }: Condition): boolean =>
  level === 'document' && path.length === 1 && path[0] === 'metadata';
/** Whether the path goes from the document through the metadata. */
export const goesThroughMetadata = ({ level, path }: Condition): boolean =>
  level === 'document' && path.length > 1 && path[0] === 'metadata';
/** Whether the path goes into the value of a metadata entry, or into an element of one. */
export const goesInside = ({ level, path }: Condition): boolean =>
  path.length > { element: 0, entry: 1, document: 2 }[level];
export const hasPosition = ({ path }: Condition): boolean => path.some((part) => /^\d+$/.test(part));

/** Whether one of the values that it compares with is such a one. */
export function comparesWith(condition: Condition, test: (operand: JsonValue) => boolean): boolean {
  const { operator, operand } = condition;
  if (isList(condition)) return (operand as JsonValue[]).some((one) => !isElemMatch(one) && test(one));
  return (isOrder(condition) || operator === '$eq' || operator === '$ne') && test(operand);
}

export const comparesWithNull = (condition: Condition): boolean =>
  comparesWith(condition, (operand) => operand === null);
export const comparesWithNullInside = (condition: Condition): boolean =>
  comparesWith(condition, (operand) => isContainer(operand) && some(operand, (inner) => inner === null));

export function isContainer(value: JsonValue): value is JsonObject | JsonValue[] {
  return typeof value === 'object' && value !== null;
}

export function isEmptyObject(value: JsonValue): boolean {
  return isJsonObject(value) && Object.keys(value).length === 0;
}

/** Whether it is true of the value, or of anything in it. */
export function some(value: JsonValue, test: (inner: JsonValue) => boolean): boolean {
  if (test(value)) return true;
  return isContainer(value) && Object.values(value).some((inner) => some(inner, test));
}

export const hasArray = (value: JsonValue): boolean => some(value, Array.isArray);
export const hasArrayInArray = (value: JsonValue): boolean =>
  some(value, (inner) => Array.isArray(inner) && inner.some(Array.isArray));

export const hasName = (value: JsonValue, name: string): boolean =>
  some(value, (inner) => isJsonObject(inner) && Object.hasOwn(inner, name));

/** Characters that UTF-16 has in another order: surrogates, and what comes after them. */
const HIGH = /[\u{10000}-\u{10FFFF}\u{E000}-\u{FFFF}]/u;

/** Of all judges that keep strings in UTF-16. */
export const UTF_16_ORDER: LeftOut = {
  reason: 'strings are in the order of UTF-16 units, not of code points',
  example: [onValue({ $lt: '\uE000' }), { k: '\u{1F600}' }, false],
  on: (condition) =>
    isOrder(condition) && typeof condition.operand === 'string' && HIGH.test(condition.operand),
  where: (value) => HIGH.test(JSON.stringify(value)),
};

export const SCALARS_AS_DOCUMENTS: LeftOut = {
  reason: '$elemMatch on documents does not skip the elements that are no documents',
  example: [onValue({ $elemMatch: { $nor: [{ b: 1 }] } }), { k: [false] }, false],
  on: ({ level, path, operator, operand }) =>
    (level === 'element' && path.length > 0) ||
    (operator === '$elemMatch' && /^\{(\}|"\$(and|or|nor)")/.test(JSON.stringify(operand))),
  where: (value) => some(value, (inner) => Array.isArray(inner) && !inner.every(isJsonObject)),
};

export const WHOLE_ARRAYS_IN_LISTS: LeftOut = {
  reason: '$in and $nin do not find whole arrays',
  example: [onValue({ $nin: [[]] }), { k: [] }, false],
  on: (condition) => isOn('$in', '$nin')(condition) && comparesWith(condition, Array.isArray),
  where: hasArray,
};

export const ALL_OF_ARRAYS: LeftOut = {
  reason: '$all does not find a whole array',
  example: [onValue({ $all: [[]] }), { k: [] }, true],
  on: (condition) => condition.operator === '$all' && comparesWith(condition, isContainer),
};

export const ALL_OF_NOTHING: LeftOut = {
  reason: '$all: [] does not match nothing',
  example: [onValue({ $all: [] }, 'value.a'), { k: [{}] }, false],
  on: ({ operator, operand }) => operator === '$all' && (operand as JsonValue[]).length === 0,
};

/** The manual: `$all: [null]` is `$and` of an equality with null, which a missing field has. */
export const ALL_OF_NULL: LeftOut = {
  reason: '$all of null does not find a field that is missing',
  example: [{ other: { $all: [null] } }, {}, true],
  on: (condition) =>
    condition.operator === '$all' &&
    condition.level === 'document' &&
    condition.path[0] !== 'metadata' &&
    comparesWithNull(condition),
};
