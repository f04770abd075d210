import { DEAD, MATCH, type Automaton } from './automaton.js';
import type { Before } from './contexts.js';

/** Not computed yet, in a table of transitions. The first row of the table is never used, so that no state is 0. */
const UNKNOWN = 0;
const FIRST_CAPACITY = 8;
/** Bytes of the states that are kept for a pattern. */
const MAX_BYTES = 256 * 1024;
/** States that are kept beside one for each position. */
const MAX_STATES = 256;
/** States are dropped for new ones only after so many characters for each: to add one costs as much as some steps. */
const CHARACTERS_PER_STATE = 50;

/**
 * Finds matches with the states that were met kept, and the transitions between them: a character that was met in a
 * state before costs one look-up. When the kept states are too many, a text goes on without keeping any, at
 * `Automaton.stepCost` a character (R. Cox, "Regular Expression Matching in the Wild", 2010).
 */
export class LazyDfa {
  readonly #automaton: Automaton;
  /** numbers in a row of transitions */
  readonly #stride: number;
  readonly #maxStates: number;
  #capacity = FIRST_CAPACITY;
  /** by state x stride + symbol: the row of the next state, MATCH, DEAD or UNKNOWN */
  #table: Int32Array;
  #positions: Int32Array;
  #before: Uint8Array;
  /** states by their hash, open addressing; 0: free */
  #index: Int32Array;
  #count = 1;
  #isFull = false;
  #charactersSinceClearing = 0;
  readonly #next: Int32Array;
  #spare: Int32Array | undefined;

  /** @param mostStates fewer than what fits otherwise, for tests */
  constructor(automaton: Automaton, mostStates = Infinity) {
    this.#automaton = automaton;
    this.#stride = automaton.end + 1;
    const bytesOfState = 4 * (this.#stride + automaton.words + 4) + 1;
    const maxStates = Math.min(Math.floor(MAX_BYTES / bytesOfState), MAX_STATES + 32 * automaton.words);
    this.#maxStates = Math.min(Math.max(maxStates, 2 * FIRST_CAPACITY), mostStates);
    this.#table = new Int32Array(this.#capacity * this.#stride);
    this.#positions = new Int32Array(this.#capacity * automaton.words);
    this.#before = new Uint8Array(this.#capacity);
    this.#index = new Int32Array(4 * this.#capacity);
    this.#next = new Int32Array(automaton.words);
    this.#addStart();
  }

  /** Bytes held now. */
  get size(): number {
    const own = this.#table.byteLength + this.#positions.byteLength + this.#index.byteLength;
    return own + this.#capacity + this.#automaton.size;
  }

  /** Whether the pattern matches anywhere in the text. O(length). */
  test(text: string): boolean {
    if (this.#isFull && this.#charactersSinceClearing >= CHARACTERS_PER_STATE * this.#count) this.#clear();
    const { classes, finalNewline, end, tellsFinalNewline } = this.#automaton;
    const { ofLatin } = classes;
    const { length } = text;
    const endsInNewline = tellsFinalNewline && length > 0 && text.charCodeAt(length - 1) === 0x0a;
    const bound = endsInNewline ? length - 1 : length;
    this.#charactersSinceClearing += length;
    let table = this.#table;
    let row = this.#stride;
    for (let i = 0; i < bound; i++) {
      let code = text.charCodeAt(i);
      let symbol: number;
      if (code < 256) symbol = ofLatin[code]!;
      else {
        if (code >> 10 === 0x36) {
          code = text.codePointAt(i)!;
          if (code > 0xffff) i++;
        }
        symbol = classes.classOf(code);
      }
      let next = table[row + symbol]!;
      if (next <= 0) {
        if (next === UNKNOWN) {
          next = this.#extend(row, symbol);
          if (next === UNKNOWN) return this.#testWithoutKeeping(text, i + 1, bound, endsInNewline, symbol);
          table = this.#table;
        }
        if (next === MATCH) return true;
        if (next === DEAD) return false;
      }
      row = next;
    }
    if (endsInNewline) {
      const next = table[row + finalNewline]! || this.#extend(row, finalNewline);
      if (next < 0) return next === MATCH;
      if (next === UNKNOWN) return this.#testWithoutKeeping(text, length, length, false, finalNewline);
      table = this.#table;
      row = next;
    }
    return (table[row + end]! || this.#extend(row, end)) === MATCH;
  }

  /** Computes a transition; UNKNOWN if there is no room for the new state, whose positions are in `#next` then. */
  #extend(row: number, symbol: number): number {
    const automaton = this.#automaton;
    const state = row / this.#stride;
    const before = this.#before[state] as Before;
    const outcome = automaton.step(this.#positions, state * automaton.words, before, symbol, this.#next);
    const target = outcome === 0 ? this.#intern(automaton.before[symbol] as Before) : outcome;
    if (target !== UNKNOWN) this.#table[row + symbol] = target;
    return target;
  }

  #testWithoutKeeping(
    text: string,
    from: number,
    bound: number,
    endsInNewline: boolean,
    last: number,
  ): boolean {
    const automaton = this.#automaton;
    const { classes, finalNewline, end, before } = automaton;
    const { ofLatin } = classes;
    let state: Int32Array = this.#next;
    let next: Int32Array = (this.#spare ??= new Int32Array(state.length));
    let symbol = last;
    // The last rounds are for a newline that ends the text, and for the end.
    const rounds = endsInNewline ? bound + 2 : bound + 1;
    for (let i = from; i < rounds; i++) {
      const previous = before[symbol] as Before;
      if (i < bound) {
        let code = text.charCodeAt(i);
        if (code >> 10 === 0x36) {
          code = text.codePointAt(i)!;
          if (code > 0xffff) i++;
        }
        symbol = code < 256 ? ofLatin[code]! : classes.classOf(code);
      } else symbol = i === rounds - 1 ? end : finalNewline;
      const outcome = automaton.step(state, 0, previous, symbol, next);
      if (outcome < 0) return outcome === MATCH;
      const former = state;
      state = next;
      next = former;
    }
    return false;
  }

  /** The row of the state in `#next`, which is added if it is new; UNKNOWN if there is no room. */
  #intern(before: Before): number {
    const next = this.#next;
    const mask = this.#index.length - 1;
    let slot = hashOf(next, 0, next.length, before) & mask;
    for (let state = this.#index[slot]!; state !== 0; state = this.#index[slot]!) {
      if (this.#isState(state, before)) return state * this.#stride;
      slot = (slot + 1) & mask;
    }
    if (this.#count === this.#maxStates) {
      this.#isFull = true;
      return UNKNOWN;
    }
    if (this.#count === this.#capacity) {
      this.#grow();
      return this.#intern(before);
    }
    return this.#add(slot, before);
  }

  #isState(state: number, before: Before): boolean {
    if (this.#before[state] !== before) return false;
    const next = this.#next;
    const offset = state * next.length;
    for (let word = 0; word < next.length; word++) {
      if (this.#positions[offset + word] !== next[word]) return false;
    }
    return true;
  }

  #add(slot: number, before: Before): number {
    const state = this.#count++;
    this.#index[slot] = state;
    this.#positions.set(this.#next, state * this.#next.length);
    this.#before[state] = before;
    return state * this.#stride;
  }

  #addStart(): void {
    const { words, start } = this.#automaton;
    this.#next.fill(0);
    this.#add(hashOf(this.#next, 0, words, start) & (this.#index.length - 1), start);
  }

  #clear(): void {
    this.#table.fill(UNKNOWN, 0, this.#count * this.#stride);
    this.#index.fill(0);
    this.#count = 1;
    this.#isFull = false;
    this.#charactersSinceClearing = 0;
    this.#addStart();
  }

  #grow(): void {
    const { words } = this.#automaton;
    this.#capacity = Math.min(2 * this.#capacity, this.#maxStates);
    this.#table = enlarged(this.#table, this.#capacity * this.#stride);
    this.#positions = enlarged(this.#positions, this.#capacity * words);
    const before = new Uint8Array(this.#capacity);
    before.set(this.#before);
    this.#before = before;
    this.#index = new Int32Array(2 * this.#index.length);
    const mask = this.#index.length - 1;
    for (let state = 1; state < this.#count; state++) {
      let slot = hashOf(this.#positions, state * words, words, before[state]!) & mask;
      while (this.#index[slot] !== 0) slot = (slot + 1) & mask;
      this.#index[slot] = state;
    }
  }
}

function hashOf(words: Int32Array, offset: number, length: number, seed: number): number {
  let hash = seed;
  for (let i = offset; i < offset + length; i++) {
    hash = Math.imul(hash ^ words[i]!, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash ^ (hash >>> 16);
}

function enlarged(array: Int32Array, length: number): Int32Array {
  const larger = new Int32Array(length);
  larger.set(array);
  return larger;
}
