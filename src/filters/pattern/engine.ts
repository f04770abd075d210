import { createAutomaton, type Automaton } from './automaton.js';
import { createEngineStore } from './engine-store.js';
import { LazyDfa } from './lazy-dfa.js';
import { sizeOf } from './pattern-size.js';
import { positionsOf } from './positions.js';
import { PatternFault, type PatternNode } from './syntax.js';

/** Characters and classes of a pattern, its repetitions written out. */
const MAX_POSITIONS = 8192;
/** `Automaton.stepCost`: what one character of a text may cost at worst, one or two nanoseconds each. */
const MAX_STEP_COST = 4096;
/** Below this a bound is enough; what is more is told as it is. */
const SMALL_STEP_COST = 1024;
/** Bytes of one engine without its states: patterns of very many different characters, each repeated. */
const MAX_AUTOMATON_BYTES = 4 * 1024 * 1024;
/** Of all engines in a thread. */
const MAX_ENGINE_BYTES = 64 * 1024 * 1024;

/** Only a memory of pure functions, so it may be shared. */
const ENGINES = createEngineStore<LazyDfa>(MAX_ENGINE_BYTES);

/**
 * Refuses patterns that could cost too much on any text.
 * @returns operations on words for one character, at most; see `Automaton.stepCost`. Exact where it is more than 1024
 * @throws PatternFault
 */
export function checkCost(node: PatternNode): number {
  const { positions, seams, transitions } = sizeOf(node);
  if (positions > MAX_POSITIONS || seams > 4 * MAX_POSITIONS) {
    throw new PatternFault(
      `it repeats too much: written out, it has more than ${MAX_POSITIONS} characters and classes; lower the numbers in its repetitions`,
    );
  }
  const words = Math.max((positions + 31) >> 5, 1);
  const atMost = 3 * words + transitions * (2 * words + 1);
  if (atMost <= SMALL_STEP_COST) return atMost;
  const { stepCost, size } = automatonOf(node);
  if (size > MAX_AUTOMATON_BYTES) {
    throw new PatternFault('it repeats too many different characters; lower the numbers in its repetitions');
  }
  if (stepCost > MAX_STEP_COST) {
    throw new PatternFault(
      `it repeats too much: a character may cost it ${stepCost} steps, ${MAX_STEP_COST} are allowed; lower the numbers in its repetitions, or nest fewer of them`,
    );
  }
  return stepCost;
}

/** Finds a match anywhere in a text. The engine is made when the first text is asked about. */
export function engineTestOf(parse: () => PatternNode): (text: string) => boolean {
  const place = ENGINES.place(() => new LazyDfa(automatonOf(parse())));
  return (text) => place.use((engine) => engine.test(text));
}

function automatonOf(node: PatternNode): Automaton {
  return createAutomaton(positionsOf(node));
}
