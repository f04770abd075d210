import { mix } from '../../model/hash.js';
import type { Query } from '../query.js';
import { Dictionary } from './dictionary.js';
import { type FilterName, FilterTable } from './filter-table.js';
import { chanceOf } from './chances.js';
import { gateSetsOf } from './gates.js';
import { Header, type Image } from './image.js';
import { guardsOf, leafAt } from './guard-choice.js';
import type { Guard } from './guards.js';
import { GO_FALSE, GO_TRUE, LeafKind, LeafWords, QueryRecord, TraitRecord } from './layout.js';
import { listAdd, listItem, listLength, listPop, listRemove } from './lists.js';
import { Postings, type SectionLimits } from './postings.js';
import { type HeldTree, Leaves, type Program, programOf } from './programs.js';
import { RecordTable } from './tables.js';
import { takeApart } from './take-apart.js';

/** Adds filters to an image and takes them out, in place. While it does, nobody may read. */
export interface FilterWriter {
  /** Adds a filter; one of the same number is replaced. O(conditions of the query), and O(log n) for each bound. */
  put(number: number, query: Query, name: FilterName): void;
  /** Changes what is said of a filter; false: there is none of this number. O(log n). */
  rename(number: number, name: FilterName): boolean;
  /** Removes a filter; an unknown number is no error. As `put`, and O(queries that share a condition). */
  remove(number: number): void;
  /**
   * Looks at so many queries, those that were not looked at for longest first, whether documents have shown a better gate
   * for them, and lists them by that. O(queries).
   */
  reconsider(queries: number): void;
}

/** Another gate is taken when it is open less than half as often. */
const BETTER = 0.5;
/** For each query that is added, so many others are reconsidered: the first of many were placed on guesses. */
const RECONSIDERED = 1;

/** @param limits when long lists are divided; absent: as measured */
export function createFilterWriter(image: Image, limits?: SectionLimits): FilterWriter {
  const dictionary = new Dictionary(image);
  if (image.i32[Header.slots] === 0) begin();
  const leaves = new Leaves(dictionary);
  const postings = new Postings(dictionary, limits);
  const filters = new FilterTable(image);
  const programs = new RecordTable(image, Header.programs);
  let cursor = 0;

  function begin(): void {
    dictionary.begin();
    // two ids that no query has, so that the list of queries is always a block
    const queries = listAdd(image, listAdd(image, 0, 1), 1);
    image.i32[Header.queries] = queries;
    image.i32.fill(0, image.i32[Header.queries]! + 2, image.i32[Header.queries]! + 4);
  }

  function put(number: number, query: Query, name: FilterName): void {
    remove(number);
    const record = queryOf(query);
    const numbers = listAdd(image, image.i32[record + QueryRecord.numbers]!, number + 1);
    image.i32[record + QueryRecord.numbers] = numbers;
    filters.add(number, record, name);
    reconsider(RECONSIDERED);
  }

  function remove(number: number): void {
    const record = filters.remove(number);
    if (record === 0) return;
    const numbers = listRemove(image, image.i32[record + QueryRecord.numbers]!, number + 1);
    image.i32[record + QueryRecord.numbers] = numbers;
    if (numbers === 0) removeQuery(record);
  }

  /** The query's record; a new one when there is none that comes to the same. */
  function queryOf({ expression }: Query): number {
    const tree = takeApart(expression);
    if (tree.kind === 'constant') return constantOf(tree.value);
    const held = leaves.hold(tree);
    const program = programOf(held);
    if (program === undefined) throw new RangeError('A query has more conditions than the index takes.');
    const hash = hashOf(program);
    const same = programs.find(hash, (record) => isSame(record, program));
    if (same !== 0) {
      for (const { leaf } of program.leaves) leaves.release(leaf.what, leaf.operand);
      return same;
    }
    const record = newQuery(hash, program);
    list(record, held);
    return record;
  }

  function constantOf(value: boolean): number {
    const hash = value ? 1 : 0;
    const same = programs.find(hash, (record) => image.i32[record + QueryRecord.leaves] === 0);
    if (same !== 0) return same;
    const record = newQuery(hash, { leaves: [] });
    image.i32[record + QueryRecord.constant] = hash;
    if (value) listUnconditional(record);
    return record;
  }

  function newQuery(hash: number, program: Program): number {
    const count = program.leaves.length;
    const record = image.allocate(QueryRecord.firstLeaf + count * LeafWords.words);
    const { i32, f64 } = image;
    i32[record + QueryRecord.hash] = hash;
    i32[record + QueryRecord.leaves] = count;
    i32[record + QueryRecord.conjunction] = isConjunction(program) ? 1 : 0;
    program.leaves.forEach(({ leaf, next }, i) => {
      const at = leafAt(record, i);
      i32[at + LeafWords.what] = leaf.what;
      i32[at + LeafWords.next] = next;
      if (leaf.isNumber) f64[(at + LeafWords.operand) >> 1] = leaf.operand;
      else i32[at + LeafWords.operand] = leaf.operand;
      if ((leaf.what & 15) === LeafKind.traits) i32[at + LeafWords.operand + 1] = leaves.bitsOf(leaf.operand);
    });
    programs.add(record);
    const id = takeId(record);
    image.i32[record + QueryRecord.id] = id;
    return record;
  }

  function takeId(record: number): number {
    const free = image.i32[Header.freeQueries]!;
    if (listLength(image, free) > 0) {
      const id = listItem(image, free, listLength(image, free) - 1);
      image.i32[Header.freeQueries] = listPop(image, free);
      image.i32[image.i32[Header.queries]! + 2 + id - 1] = record;
      return id;
    }
    const queries = listAdd(image, image.i32[Header.queries]!, record);
    image.i32[Header.queries] = queries;
    return listLength(image, queries);
  }

  function isSame(record: number, program: Program): boolean {
    const { i32, f64 } = image;
    if (i32[record + QueryRecord.leaves] !== program.leaves.length) return false;
    return program.leaves.every(({ leaf, next }, i) => {
      const at = leafAt(record, i);
      if (i32[at + LeafWords.what] !== leaf.what || i32[at + LeafWords.next] !== next) return false;
      const operand = leaf.isNumber ? f64[(at + LeafWords.operand) >> 1] : i32[at + LeafWords.operand];
      return operand === leaf.operand;
    });
  }

  /** Lists a query by the best of its gates, and keeps the others in mind. */
  function list(record: number, held: HeldTree): void {
    const guards = guardsOf(image, leaves, record);
    listByLeaves(record, guards);
    const sets = gateSetsOf(held, dictionary);
    if (sets.length === 0) {
      listUnconditional(record);
      return;
    }
    const words = 2 + sets.reduce((sum, set) => sum + 1 + set.length * 2, 0);
    const block = image.allocate(words);
    const { i32 } = image;
    i32[block] = words;
    i32[block + 1] = sets.length;
    let at = block + 2;
    for (const set of sets) {
      i32[at++] = set.length;
      for (const { trait, leaf } of set) {
        i32[at++] = trait;
        i32[at++] = leaf.at;
      }
    }
    i32[record + QueryRecord.gates] = block;
    i32[record + QueryRecord.gate] = bestSet(block) - block;
    listAtGates(record, guards);
  }

  /** Where in a block of gates the best set begins. */
  function bestSet(block: number): number {
    let best = 0;
    let least = Infinity;
    forEachSet(block, (at) => {
      const chance = chanceAt(at);
      if (chance >= least) return;
      least = chance;
      best = at;
    });
    return best;
  }

  /** How likely one of the gates of a set is open. */
  function chanceAt(set: number): number {
    let chance = 0;
    for (let i = image.i32[set]!; i > 0; i--) chance += chanceOf(dictionary, image.i32[set - 1 + i * 2]!);
    return chance;
  }

  function forEachSet(block: number, callback: (at: number) => void): void {
    let at = block + 2;
    for (let left = image.i32[block + 1]!; left > 0; left--) {
      callback(at);
      at += 1 + image.i32[at]! * 2;
    }
  }

  function releaseSet(set: number): void {
    for (let i = 0; i < image.i32[set]!; i++) {
      const trait = image.i32[set + 1 + i * 2]!;
      if (trait !== 0) dictionary.releaseTrait(trait);
    }
  }

  /** Lists a query at each gate of its set; without guards, takes it out there. */
  function listAtGates(record: number, guards?: readonly Guard[]): void {
    const set = image.i32[record + QueryRecord.gates]! + image.i32[record + QueryRecord.gate]!;
    for (let i = 0; i < image.i32[set]!; i++) {
      const trait = image.i32[set + 1 + i * 2]!;
      const asking = image.i32[set + 2 + i * 2]!;
      const leaf = leafAt(record, asking);
      if (trait === 0) {
        if (guards !== undefined) postings.addGate(record, leaf, guards[asking]!);
        else postings.removeGate(record, leaf);
      } else if (guards !== undefined) postings.addTo(trait + TraitRecord.gated, record, guards[asking]!);
      else postings.removeFrom(trait + TraitRecord.gated, record);
    }
  }

  /** Lists a query by each of its conditions; without guards, takes it out there. */
  function listByLeaves(record: number, guards?: readonly Guard[]): void {
    const count = image.i32[record + QueryRecord.leaves]!;
    for (let i = 0; i < count; i++) {
      if (guards !== undefined) postings.add(record, leafAt(record, i), guards[i]!);
      else postings.remove(record, i);
    }
  }

  function listUnconditional(record: number): void {
    const changed = listAdd(image, image.i32[Header.unconditional]!, record);
    image.i32[Header.unconditional] = changed;
  }

  function removeQuery(record: number): void {
    const block = image.i32[record + QueryRecord.gates]!;
    const count = image.i32[record + QueryRecord.leaves]!;
    listByLeaves(record);
    if (block !== 0) {
      listAtGates(record);
      forEachSet(block, releaseSet);
      image.release(block, image.i32[block]!);
    } else if (count > 0 || image.i32[record + QueryRecord.constant] !== 0) {
      image.i32[Header.unconditional] = listRemove(image, image.i32[Header.unconditional]!, record);
    }
    programs.remove(record);
    for (let i = 0; i < count; i++) {
      const at = leafAt(record, i);
      leaves.release(image.i32[at + LeafWords.what]!, image.i32[at + LeafWords.operand]!);
    }
    const id = image.i32[record + QueryRecord.id]!;
    image.i32[image.i32[Header.queries]! + 2 + id - 1] = 0;
    const free = listAdd(image, image.i32[Header.freeQueries]!, id);
    image.i32[Header.freeQueries] = free;
    image.release(record, QueryRecord.firstLeaf + count * LeafWords.words);
  }

  function reconsider(most: number): void {
    const queries = image.i32[Header.queries]!;
    const count = listLength(image, queries);
    for (let left = Math.min(most, count); left > 0; left--) {
      cursor = cursor + 1 < count ? cursor + 1 : 0;
      const record = listItem(image, queries, cursor);
      if (record === 0) continue;
      const block = image.i32[record + QueryRecord.gates]!;
      if (block === 0 || image.i32[block + 1]! < 2) continue;
      const present = block + image.i32[record + QueryRecord.gate]!;
      const best = bestSet(block);
      if (best === present) continue;
      if (chanceAt(best) > chanceAt(present) * BETTER) continue;
      listAtGates(record);
      image.i32[record + QueryRecord.gate] = best - block;
      listAtGates(record, guardsOf(image, leaves, record));
    }
  }

  return {
    put,
    rename: (number, name) => filters.rename(number, name),
    remove,
    reconsider,
  };
}

/** Whether each leaf either goes on to the next one or ends the query as false. */
function isConjunction({ leaves }: Program): boolean {
  return leaves.every(({ next }, i) => {
    const goesOn = i + 1 === leaves.length ? GO_TRUE : i + 1;
    const [whenTrue, whenFalse] = [next >>> 16, next & 0xffff];
    return (whenTrue === goesOn && whenFalse === GO_FALSE) || (whenFalse === goesOn && whenTrue === GO_FALSE);
  });
}

const FLOAT = new Float64Array(1);
const WORDS = new Int32Array(FLOAT.buffer);

function hashOf({ leaves }: Program): number {
  let hash = leaves.length;
  for (const { leaf, next } of leaves) {
    FLOAT[0] = leaf.operand;
    hash = mix(hash ^ leaf.what) ^ Math.imul(next, 0x9e3779b1) ^ WORDS[0]! ^ Math.imul(WORDS[1]!, 0x85ebca6b);
  }
  return mix(hash);
}
