import { mix } from '../../model/hash.js';
import { CHANCE_OF_BOUND, chanceOf, chanceOfSet } from './chances.js';
import type { Dictionary } from './dictionary.js';
import { Header, type Image } from './image.js';
import {
  bitOf,
  GO_FALSE,
  GO_TRUE,
  LeafKind,
  LeafWords,
  MOST_LEAVES,
  OpaqueRecord,
  TraitSet,
} from './layout.js';
import { listItem, listLength } from './lists.js';
import { RecordTable } from './tables.js';
import { type Leaf, type Need, needsOfLeaf, type Trait, type Tree } from './take-apart.js';

/** A leaf with all that it names in the image. */
export interface HeldLeaf {
  what: number;
  /** two words, or a double */
  operand: number;
  isNumber: boolean;
  /** it asks for one side of a bound */
  isBound: boolean;
  needs: readonly Need[];
  /** its place in the program */
  at: number;
}

export type HeldTree =
  { kind: 'and' | 'or'; of: HeldTree[] } | { kind: 'not'; of: HeldTree } | { kind: 'leaf'; leaf: HeldLeaf };

/** Leaves in the order in which they are asked, each with where to go on. */
export interface Program {
  leaves: { leaf: HeldLeaf; next: number }[];
}

/** Puts the conditions of queries into the image and takes them out. */
export class Leaves {
  private readonly image: Image;
  private readonly traitSets: RecordTable;

  constructor(private readonly dictionary: Dictionary) {
    this.image = dictionary.image;
    this.traitSets = new RecordTable(this.image, Header.traitSets);
  }

  /** Of a tree that is no constant. Holds what its leaves name until they are released. */
  hold(tree: Exclude<Tree, { kind: 'constant' }>): HeldTree {
    switch (tree.kind) {
      case 'and':
      case 'or':
        return { kind: tree.kind, of: tree.of.map((each) => this.hold(each as typeof tree)) };
      case 'not':
        return { kind: 'not', of: this.hold(tree.of as typeof tree) };
      case 'leaf':
        return { kind: 'leaf', leaf: this.holdLeaf(tree.leaf) };
    }
  }

  private holdLeaf(leaf: Leaf): HeldLeaf {
    const { dictionary } = this;
    const needs = needsOfLeaf(leaf);
    const isBound = leaf.kind === 'from' || leaf.kind === 'below';
    const made = (kind: number, placeId: number, operand: number, isNumber = false): HeldLeaf => ({
      what: kind | (placeId << 4),
      operand,
      isNumber,
      isBound,
      needs,
      at: -1,
    });
    if (leaf.kind === 'evaluated') {
      const ids = leaf.places.map((place) => dictionary.holdPlace(place));
      const opaque = dictionary.holdOpaque(JSON.stringify(leaf.expression), ids, () => this.holdNeeds(needs));
      return made(LeafKind.evaluated, ids[0]!, opaque);
    }
    const placeId = dictionary.holdPlace(leaf.place);
    if (leaf.kind === 'traits') {
      const traits = new Set(leaf.traits.map((trait) => dictionary.holdTrait(placeId, trait)));
      if (traits.size < leaf.traits.length) this.releaseRepeated(placeId, leaf.traits, traits);
      if (traits.size > 1) return made(LeafKind.traits, placeId, this.holdSet([...traits]));
      const [only] = traits;
      const kind = leaf.traits[0]!.kind === 'exists' ? LeafKind.exists : LeafKind.trait;
      return made(kind, placeId, only!);
    }
    const { bound } = leaf;
    if (typeof bound === 'number')
      return made(leaf.kind === 'from' ? LeafKind.fromNumber : LeafKind.belowNumber, placeId, bound, true);
    const trait = dictionary.holdTrait(placeId, { kind: 'bound', value: bound });
    return made(leaf.kind === 'from' ? LeafKind.fromText : LeafKind.belowText, placeId, trait);
  }

  /** Holds the traits of the need that is least likely met; none when nothing but existence is needed. */
  private holdNeeds(needs: readonly Need[]): readonly number[] {
    const { dictionary } = this;
    let best: readonly number[] = [];
    for (const need of needs) {
      if (need.some(({ trait }) => trait.kind === 'exists')) continue;
      const held: number[] = [];
      for (const { place, trait } of need) {
        const placeId = dictionary.holdPlace(place);
        const record = dictionary.holdTrait(placeId, trait);
        dictionary.releasePlace(placeId);
        // a list may name a value twice
        if (held.includes(record)) dictionary.releaseTrait(record);
        else held.push(record);
      }
      const isBetter = best.length === 0 || chanceOfSet(held, dictionary) < chanceOfSet(best, dictionary);
      for (const record of isBetter ? best : held) dictionary.releaseTrait(record);
      if (isBetter) best = held;
    }
    return best;
  }

  /** A list may name a value twice; one reference is kept. */
  private releaseRepeated(placeId: number, traits: readonly Trait[], held: ReadonlySet<number>): void {
    const left = new Set(held);
    for (const trait of traits) {
      const record = this.dictionary.holdTrait(placeId, trait);
      this.dictionary.releaseTrait(record);
      if (!left.delete(record)) this.dictionary.releaseTrait(record);
    }
  }

  private holdSet(traits: number[]): number {
    const { image } = this;
    traits.sort((a, b) => a - b);
    let hash = traits.length;
    for (const trait of traits) hash = mix(hash ^ trait);
    const found = this.traitSets.find(hash, (record) => {
      const { i32 } = image;
      if (i32[record + TraitSet.count] !== traits.length) return false;
      return traits.every((trait, i) => i32[record + TraitSet.firstTrait + i] === trait);
    });
    if (found !== 0) {
      image.i32[found + TraitSet.references]!++;
      for (const trait of traits) this.dictionary.releaseTrait(trait);
      return found;
    }
    const record = image.allocate(TraitSet.firstTrait + traits.length);
    const { i32 } = image;
    i32[record + TraitSet.hash] = hash;
    i32[record + TraitSet.references] = 1;
    i32[record + TraitSet.count] = traits.length;
    i32.set(traits, record + TraitSet.firstTrait);
    this.traitSets.add(record);
    return record;
  }

  /** The bits of all traits of a set. */
  bitsOf(set: number): number {
    const { i32 } = this.image;
    let bits = 0;
    for (let i = i32[set + TraitSet.count]!; i > 0; i--)
      bits |= bitOf(i32[set + TraitSet.firstTrait - 1 + i]!);
    return bits;
  }

  private releaseSet(record: number): void {
    const { i32 } = this.image;
    if (--i32[record + TraitSet.references]! > 0) return;
    this.traitSets.remove(record);
    const count = i32[record + TraitSet.count]!;
    for (let i = 0; i < count; i++) this.dictionary.releaseTrait(i32[record + TraitSet.firstTrait + i]!);
    this.image.release(record, TraitSet.firstTrait + count);
  }

  /** @param leaf its place in the image, or one that is held */
  release(what: number, operand: number): void {
    const kind = what & 15;
    if (kind === LeafKind.evaluated) {
      this.dictionary.releaseOpaque(operand);
      return;
    }
    if (kind === LeafKind.traits) this.releaseSet(operand);
    else if (kind !== LeafKind.fromNumber && kind !== LeafKind.belowNumber)
      this.dictionary.releaseTrait(operand);
    this.dictionary.releasePlace(what >>> 4);
  }

  /** How likely a leaf of the image holds; undefined: to ask it costs more than that may save. */
  chanceOf(leaf: number): number | undefined {
    const { i32 } = this.image;
    const operand = i32[leaf + LeafWords.operand]!;
    switch (i32[leaf + LeafWords.what]! & 15) {
      case LeafKind.evaluated: {
        // a list of one names it as its negative
        const need = i32[operand + OpaqueRecord.needs]!;
        return need < 0 ? chanceOf(this.dictionary, -need) : undefined;
      }
      case LeafKind.trait:
      case LeafKind.exists:
        return chanceOf(this.dictionary, operand);
      case LeafKind.traits: {
        const first = operand + TraitSet.firstTrait;
        return chanceOfSet([...i32.subarray(first, first + i32[operand + TraitSet.count]!)], this.dictionary);
      }
      default:
        return CHANCE_OF_BOUND;
    }
  }

  /** Ids of the places on which a leaf of the image depends. */
  placesOf(leaf: number): number[] {
    const { i32 } = this.image;
    const what = i32[leaf + LeafWords.what]!;
    if ((what & 15) !== LeafKind.evaluated) return [what >>> 4];
    const places = i32[i32[leaf + LeafWords.operand]! + OpaqueRecord.places]!;
    const ids: number[] = [];
    for (let i = 0; i < listLength(this.image, places); i++) ids.push(listItem(this.image, places, i));
    return ids;
  }
}

/**
 * The tree as a program of short-circuit jumps: each leaf is asked at most once, nothing is expanded. Undefined when it
 * has too many leaves. O(leaves).
 */
export function programOf(tree: HeldTree): Program | undefined {
  // from the last leaf to the first, so that each knows where those after it begin
  const reversed: { leaf: HeldLeaf; whenTrue: number; whenFalse: number }[] = [];
  const END_TRUE = -1;
  const END_FALSE = -2;

  function emit(node: HeldTree, whenTrue: number, whenFalse: number): number {
    switch (node.kind) {
      case 'leaf':
        return reversed.push({ leaf: node.leaf, whenTrue, whenFalse }) - 1;
      case 'not':
        return emit(node.of, whenFalse, whenTrue);
      case 'and':
        return node.of.reduceRight((next, each) => emit(each, next, whenFalse), whenTrue);
      case 'or':
        return node.of.reduceRight((next, each) => emit(each, whenTrue, next), whenFalse);
    }
  }

  emit(tree, END_TRUE, END_FALSE);
  if (reversed.length > MOST_LEAVES) return undefined;
  const last = reversed.length - 1;
  const wordOf = (target: number) =>
    target === END_TRUE ? GO_TRUE : target === END_FALSE ? GO_FALSE : last - target;
  const leaves = reversed.reverse().map(({ leaf, whenTrue, whenFalse }, at) => {
    leaf.at = at;
    return { leaf, next: (wordOf(whenTrue) << 16) | wordOf(whenFalse) };
  });
  return { leaves };
}
