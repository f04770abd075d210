import { compileQuery, type Predicate } from '../compile.js';
import { dependenciesOf } from '../dependencies.js';
import type { DocumentView } from '../document-view.js';
import type { Expression } from '../expression.js';
import { compilePattern } from '../pattern/pattern.js';
import type { Image } from './image.js';
import { OpaqueRecord } from './layout.js';

/** An evaluated condition as this thread has compiled it, and what it came to last. */
export interface Evaluator {
  serial: number;
  holds: Predicate<DocumentView>;
  /** estimate of its cost for each character that it may look at */
  characterNs: number;
  /** the only metadata key that it looks at; undefined: it may look at all */
  key: string | undefined;
  /** searches in which the answers were found */
  formerAt: number;
  former: boolean;
  latterAt: number;
  latter: boolean;
}

/** Compiles an evaluated condition of an image. */
export function compileOpaque(image: Image, opaque: number): Evaluator {
  const expression = JSON.parse(image.readText(image.i32[opaque + OpaqueRecord.text]!)) as Expression;
  const { keys } = dependenciesOf(expression);
  return {
    serial: image.i32[opaque + OpaqueRecord.serial]!,
    holds: compileQuery(expression),
    characterNs: costOf(expression),
    key: keys?.size === 1 ? [...keys][0] : undefined,
    formerAt: 0,
    former: false,
    latterAt: 0,
    latter: false,
  };
}

/** Characters that a condition may look at: of a text those that it has, of anything else all of the document's. */
export function lengthOf(key: string | undefined, view: DocumentView): number {
  const value = key === undefined ? undefined : view.value(key);
  if (typeof value === 'string') return value.length;
  return typeof value === 'number' || typeof value === 'boolean' ? 1 : view.length;
}

/** Nanoseconds for each character, as estimated: what patterns may take at the worst, and something for the rest. */
function costOf(expression: Expression): number {
  let cost = PLAIN_CHARACTER_NS;
  JSON.stringify(expression, (_name, value: unknown) => {
    if (typeof value === 'object' && value !== null && 'pattern' in value && 'options' in value) {
      const compiled = compilePattern(String(value.pattern), String(value.options));
      if (compiled.ok) cost += Math.max(PATTERN_CHARACTER_NS, compiled.stepCost);
    }
    return value;
  });
  return cost;
}

const PLAIN_CHARACTER_NS = 5;
const PATTERN_CHARACTER_NS = 10;
