import { addAtNumber, addAtText, BELOW, FROM, removeAtNumber, removeAtText, type Side } from './bounds.js';
import type { Dictionary } from './dictionary.js';
import { addGuarded, removeGuarded, writeGuard } from './guards.js';
import { capacityOf, type Image } from './image.js';
import {
  Block,
  BlockKind,
  IndexedBlock,
  LeafKind,
  LeafWords,
  MOST_SHORT,
  PlaceRecord,
  Posting,
  TraitRecord,
  TraitSet,
} from './layout.js';
import { listAdd, listRemove } from './lists.js';

/**
 * Where conditions are listed. A condition of a query is in the block of (its place, a gate of the query): a change of the
 * place looks into the blocks whose gate is open, that is, whose trait the document has. Conditions of queries without a
 * gate are in the place's block for those.
 */
export class Blocks {
  private readonly image: Image;

  constructor(private readonly dictionary: Dictionary) {
    this.image = dictionary.image;
  }

  /**
   * @param gate a trait; 0: none
   * @param guard another leaf of the query without which it does not hold; 0: none
   */
  add(placeId: number, gate: number, query: number, leaf: number, guard: number): void {
    const block = this.blockOf(placeId, gate);
    const place = block === 0 ? this.begin(placeId, gate) : block;
    const changed =
      this.image.i32[place] === BlockKind.short ? this.addToShort(place, query, leaf, guard) : place;
    if (changed !== block) this.setBlock(placeId, gate, changed);
    if (this.image.i32[changed] === BlockKind.indexed) this.addToIndexed(changed, query, leaf, guard);
  }

  /** Removes a condition of a query that was added with the same gate. */
  remove(placeId: number, gate: number, query: number, leaf: number): void {
    const block = this.blockOf(placeId, gate);
    if (block === 0) return;
    const { i32 } = this.image;
    if (i32[block] === BlockKind.short) this.removeFromShort(block, query, leaf);
    else this.removeFromIndexed(block, query, leaf);
    if (i32[block + Block.count]! > 0) return;
    if (i32[block] === BlockKind.short) this.image.release(block, shortWords(i32[block + Block.capacity]!));
    else this.image.release(block, IndexedBlock.words);
    this.setBlock(placeId, gate, 0);
    if (gate !== 0) this.countGate(placeId, gate, -1);
  }

  /** How many conditions are listed there. */
  sizeOf(placeId: number, gate: number): number {
    const block = this.blockOf(placeId, gate);
    return block === 0 ? 0 : this.image.i32[block + Block.count]!;
  }

  private blockOf(placeId: number, gate: number): number {
    if (gate === 0) return this.image.i32[this.dictionary.placeOf(placeId) + PlaceRecord.ungated]!;
    return this.dictionary.pairs.get(placeKey(placeId), gate);
  }

  private setBlock(placeId: number, gate: number, block: number): void {
    if (gate === 0) this.image.i32[this.dictionary.placeOf(placeId) + PlaceRecord.ungated] = block;
    else this.dictionary.pairs.set(placeKey(placeId), gate, block);
  }

  private begin(placeId: number, gate: number): number {
    const capacity = 1;
    const block = this.image.allocate(shortWords(capacity));
    this.image.i32[block] = BlockKind.short;
    this.image.i32[block + Block.capacity] = capacity;
    if (gate !== 0) {
      this.image.i32[gate + TraitRecord.leads]! |= 1 << (placeId & 31);
      this.countGate(placeId, gate, 1);
    }
    return block;
  }

  /** Keeps the list of places whose traits are gates to conditions on this one. */
  private countGate(placeId: number, gate: number, by: 1 | -1): void {
    const { image } = this;
    const gateId = image.i32[gate + TraitRecord.what]! >>> 4;
    const record = this.dictionary.placeOf(placeId);
    let list = image.i32[record + PlaceRecord.gates]!;
    const count = list === 0 ? 0 : image.i32[list + 1]!;
    for (let i = 0; i < count; i++) {
      const at = list + 2 + i * 2;
      if (image.i32[at] !== gateId) continue;
      image.i32[at + 1]! += by;
      if (image.i32[at + 1]! > 0) return;
      image.i32[at] = image.i32[list + 2 * count]!;
      image.i32[at + 1] = image.i32[list + 2 * count + 1]!;
      image.i32[list + 1] = count - 1;
      if (count > 1) return;
      image.release(list, 2 + image.i32[list]! * 2);
      image.i32[record + PlaceRecord.gates] = 0;
      return;
    }
    if (list === 0 || count === image.i32[list]!) {
      const capacity = (capacityOf(2 + (count + (count >> 1) + 1) * 2) - 2) >> 1;
      const larger = image.allocate(2 + capacity * 2);
      image.i32[larger] = capacity;
      if (list !== 0) {
        image.i32.copyWithin(larger + 2, list + 2, list + 2 + count * 2);
        image.release(list, 2 + image.i32[list]! * 2);
      }
      list = larger;
      image.i32[record + PlaceRecord.gates] = list;
    }
    image.i32[list + 2 + count * 2] = gateId;
    image.i32[list + 2 + count * 2 + 1] = 1;
    image.i32[list + 1] = count + 1;
  }

  private addToShort(block: number, query: number, leaf: number, guard: number): number {
    const { image } = this;
    const count = image.i32[block + Block.count]!;
    if (count === MOST_SHORT) return this.makeIndexed(block);
    let place = block;
    const capacity = image.i32[block + Block.capacity]!;
    if (count === capacity) {
      const more = shortCapacity(Math.min(capacity * 2, MOST_SHORT));
      place = image.allocate(shortWords(more));
      const { i32 } = image;
      i32.copyWithin(place, block, block + shortWords(count));
      i32[place + Block.capacity] = more;
      image.release(block, shortWords(capacity));
    }
    const at = place + shortWords(count);
    writeGuard(image, at, query, leaf);
    writeGuard(image, at + Posting.words, query, guard);
    image.i32[place + Block.count] = count + 1;
    return place;
  }

  private removeFromShort(block: number, query: number, leaf: number): void {
    const { i32 } = this.image;
    const count = i32[block + Block.count]!;
    const last = block + shortWords(count - 1);
    for (let at = block + Block.firstPosting; at <= last; at += Block.postingWords) {
      if (
        i32[at + Posting.query] !== query ||
        i32[at + Posting.what] !== i32[leaf + LeafWords.what] ||
        i32[at + Posting.operand] !== i32[leaf + LeafWords.operand] ||
        i32[at + Posting.operand + 1] !== i32[leaf + LeafWords.operand + 1]
      )
        continue;
      i32.copyWithin(at, last, last + Block.postingWords);
      i32[block + Block.count] = count - 1;
      return;
    }
  }

  private makeIndexed(block: number): number {
    const { image } = this;
    const indexed = image.allocate(IndexedBlock.words);
    image.i32[indexed] = BlockKind.indexed;
    const count = image.i32[block + Block.count]!;
    for (let i = 0; i < count; i++) {
      const at = block + shortWords(i);
      const guard = at + Posting.words;
      this.addToIndexed(indexed, image.i32[at + Posting.query]!, at, image.i32[guard] === 0 ? 0 : guard);
    }
    image.release(block, shortWords(image.i32[block + Block.capacity]!));
    return indexed;
  }

  private addToIndexed(block: number, query: number, leaf: number, guard: number): void {
    this.image.i32[block + Block.count]!++;
    this.changeIndexed(block, query, leaf, guard);
  }

  private removeFromIndexed(block: number, query: number, leaf: number): void {
    this.image.i32[block + Block.count]!--;
    this.changeIndexed(block, query, leaf, undefined);
  }

  /** @param guard undefined: the condition is taken out */
  private changeIndexed(block: number, query: number, leaf: number, guard: number | undefined): void {
    const { image } = this;
    const { i32, f64 } = image;
    const operand = i32[leaf + LeafWords.operand]!;
    const kind = i32[leaf + LeafWords.what]! & 15;
    switch (kind) {
      case LeafKind.trait:
      case LeafKind.exists:
        this.changeList(block, operand, query, guard);
        return;
      case LeafKind.traits:
        for (let i = 0; i < this.image.i32[operand + TraitSet.count]!; i++)
          this.changeList(block, this.image.i32[operand + TraitSet.firstTrait + i]!, query, guard);
        return;
      case LeafKind.fromNumber:
      case LeafKind.belowNumber: {
        const side: Side = kind === LeafKind.fromNumber ? FROM : BELOW;
        const bound = f64[(leaf + LeafWords.operand) >> 1]!;
        const former = i32[block + IndexedBlock.numbers]!;
        const numbers =
          guard === undefined
            ? removeAtNumber(image, former, bound, side, query)
            : addAtNumber(image, former, bound, side, query, guard);
        image.i32[block + IndexedBlock.numbers] = numbers;
        return;
      }
      case LeafKind.fromText:
      case LeafKind.belowText: {
        const side: Side = kind === LeafKind.fromText ? FROM : BELOW;
        const former = i32[block + IndexedBlock.texts]!;
        const texts =
          guard === undefined
            ? removeAtText(image, former, operand, side, query)
            : addAtText(image, former, operand, side, query, guard);
        image.i32[block + IndexedBlock.texts] = texts;
        return;
      }
      default: {
        const { pairs } = this.dictionary;
        const had = pairs.get(block, operand);
        this.changeList(block, operand, query, guard);
        const has = pairs.get(block, operand);
        const list = image.i32[block + IndexedBlock.evaluated]!;
        if ((had === 0) === (has === 0)) return;
        const changed = has === 0 ? listRemove(image, list, operand) : listAdd(image, list, operand);
        image.i32[block + IndexedBlock.evaluated] = changed;
      }
    }
  }

  private changeList(block: number, key: number, query: number, guard: number | undefined): void {
    const { pairs } = this.dictionary;
    const list = pairs.get(block, key);
    const changed =
      guard === undefined
        ? removeGuarded(this.image, list, query)
        : addGuarded(this.image, list, query, guard);
    if (changed !== list) pairs.set(block, key, changed);
  }
}

/** Key of a place in the table of pairs, apart from those of blocks, which are multiples of four. */
export function placeKey(placeId: number): number {
  return placeId * 4 + 1;
}

function shortWords(postings: number): number {
  return Block.firstPosting + postings * Block.postingWords;
}

function shortCapacity(postings: number): number {
  return Math.min(
    MOST_SHORT,
    Math.floor((capacityOf(shortWords(postings)) - Block.firstPosting) / Block.postingWords),
  );
}
