import { compileQuery, type Predicate } from '../compile.js';
import { type DocumentView, viewOf } from '../document-view.js';
import type { Expression } from '../expression.js';
import type { FilterDocument } from '../query.js';
import { placeKey } from './blocks.js';
import {
  BELOW,
  boundCount,
  compareTexts,
  FROM,
  listAtBound,
  numbersUpTo,
  type Side,
  textsUpTo,
} from './bounds.js';
import { Dictionary } from './dictionary.js';
import { DocumentState, type Several, Yield } from './document-state.js';
import { FilterTable } from './filter-table.js';
import { FIRST_GUARD } from './guards.js';
import { Header, type Image } from './image.js';
import {
  Block,
  BlockKind,
  FilterRecord,
  GO_FALSE,
  GO_TRUE,
  IndexedBlock,
  KeyRecord,
  LeafKind,
  LeafWords,
  OpaqueRecord,
  PlaceId,
  PlaceRecord,
  Posting,
  QueryRecord,
  TraitRecord,
  TraitSet,
} from './layout.js';
import { listItem, listLength } from './lists.js';

/** Numbers of filters, ascending. */
export type Flips = Record<'matched' | 'unmatched', number[]>;

/** What was done to find answers; whatever else there is was not touched. */
export interface MatchingWork {
  decisions: number;
  evaluations: number;
}

/** An evaluated condition as this thread has compiled it, and what it came to last. */
interface Evaluator {
  serial: number;
  holds: Predicate<DocumentView>;
  /** searches in which the answers were found */
  formerAt: number;
  former: boolean;
  latterAt: number;
  latter: boolean;
}

/** So many filters or fewer are evaluated one by one rather than looked for. */
const FEW = 32;
const MOST_SEARCHES = 2 ** 31 - 2;

/** Asks an image which filters match and which flip. One a thread and image; while the image is written, nobody may ask. */
export class Matcher {
  private readonly image: Image;
  private readonly dictionary: Dictionary;
  private readonly filters: FilterTable;
  private readonly former: DocumentState;
  private readonly latter: DocumentState;
  /** by the place of its record */
  private readonly evaluators = new Map<number, Evaluator>();
  /** how often a query was decided, and a condition evaluated, since the beginning */
  readonly work: MatchingWork = { decisions: 0, evaluations: 0 };
  private search = 0;
  /** the search in which a place was found changed, by its id */
  private changed = new Int32Array(64);
  /** the search in which a query was decided, by its id */
  private decided = new Int32Array(64);
  /** whether the present search has a former document */
  private isUpdate = false;
  private matched: number[] = [];
  private unmatched: number[] = [];
  private from = -Infinity;
  private upTo = Infinity;

  constructor(image: Image) {
    this.image = image;
    this.dictionary = new Dictionary(image);
    this.filters = new FilterTable(image);
    const routes: ConstructorParameters<typeof DocumentState>[1] = [];
    this.former = new DocumentState(this.dictionary, routes);
    this.latter = new DocumentState(this.dictionary, routes);
  }

  /** Numbers of all filters above `since` that match, ascending. */
  matchAll(document: FilterDocument, since: number): number[] {
    if (this.filters.size === 0) return [];
    this.begin(undefined, viewOf(document));
    this.from = since;
    const first = since === -Infinity ? 0 : this.filters.countUpTo(since);
    if (this.filters.size - first <= FEW) this.decideFrom(first);
    else this.searchDocument(document);
    return this.matched.sort(ascending);
  }

  findFlips(
    before: FilterDocument,
    after: FilterDocument,
    changedKeys: readonly string[],
    upTo: number,
  ): Flips {
    if (this.filters.size === 0) return { matched: [], unmatched: [] };
    this.begin(viewOf(before), viewOf(after));
    this.upTo = upTo;
    const places = this.changedPlaces(before, after, changedKeys);
    for (const placeId of places) this.searchPlace(placeId);
    return { matched: this.matched.sort(ascending), unmatched: this.unmatched.sort(ascending) };
  }

  private begin(before: DocumentView | undefined, after: DocumentView): void {
    if (this.search === MOST_SEARCHES) this.forget();
    const search = ++this.search;
    this.isUpdate = before !== undefined;
    if (before !== undefined) this.former.begin(before, search);
    this.latter.begin(after, search);
    this.matched = [];
    this.unmatched = [];
    this.from = -Infinity;
    this.upTo = Infinity;
    const queries = listLength(this.image, this.image.i32[Header.queries]!);
    if (this.decided.length <= queries) this.decided = new Int32Array(queries * 2);
    const places = listLength(this.image, this.image.i32[Header.slots]!);
    if (this.changed.length <= places) this.changed = new Int32Array(places * 2);
  }

  private forget(): void {
    this.search = 0;
    this.changed.fill(0);
    this.decided.fill(0);
    this.former.forget();
    this.latter.forget();
    this.evaluators.clear();
  }

  /** Ids of the places that may yield something else than before; marked so. */
  private changedPlaces(
    before: FilterDocument,
    after: FilterDocument,
    changedKeys: readonly string[],
  ): number[] {
    const { i32 } = this.image;
    const places: number[] = [];
    const mark = (placeId: number): void => {
      this.changed[placeId] = this.search;
      places.push(placeId);
    };
    for (const key of changedKeys) {
      const record = this.dictionary.findKey(key);
      if (record === 0) continue;
      for (
        let place = i32[record + KeyRecord.firstPlace]!;
        place !== 0;
        place = i32[place + PlaceRecord.next]!
      )
        mark(i32[place + PlaceRecord.id]!);
    }
    if (changedKeys.length > 0) mark(PlaceId.any);
    if (before.applicationVersion !== after.applicationVersion) mark(PlaceId.version);
    if (before.endpointId !== after.endpointId) mark(PlaceId.id);
    return places;
  }

  // An update: what is listed at a changed place, under the gates that are open before or after.

  private searchPlace(placeId: number): void {
    const { i32 } = this.image;
    const place = this.dictionary.placeOf(placeId);
    const ungated = i32[place + PlaceRecord.ungated]!;
    const gates = i32[place + PlaceRecord.gates]!;
    if (ungated === 0 && gates === 0) return;
    this.former.look(placeId);
    this.latter.look(placeId);
    if (this.isSameScalar(placeId)) return;
    if (ungated !== 0) this.searchBlock(ungated, placeId);
    if (gates === 0) return;
    const key = placeKey(placeId);
    const count = i32[gates + 1]!;
    for (let i = 0; i < count; i++) {
      const gateId = i32[gates + 2 + i * 2]!;
      this.latter.look(gateId);
      this.openGates(this.latter, gateId, key, placeId);
      if (this.changed[gateId] !== this.search) continue;
      this.former.look(gateId);
      this.openGates(this.former, gateId, key, placeId);
    }
  }

  /** A value that stays what it is, as when a part of an object changes and a path leads to another part. */
  private isSameScalar(placeId: number): boolean {
    const { former, latter } = this;
    const kind = former.kind[placeId];
    if (placeId === PlaceId.any || kind !== latter.kind[placeId]) return false;
    if (kind === Yield.scalar) return Object.is(former.value[placeId], latter.value[placeId]);
    return kind === Yield.none || kind === Yield.missing;
  }

  /** Looks into the blocks of a place whose gates are open: traits that another place has in a document. */
  private openGates(state: DocumentState, gateId: number, key: number, placeId: number): void {
    const kind = state.kind[gateId];
    if (kind === Yield.none) return;
    if (kind === Yield.several) {
      for (const trait of state.several[gateId]!.traits) this.openGate(key, trait, placeId);
    } else if (state.trait[gateId] !== 0) this.openGate(key, state.trait[gateId]!, placeId);
    if (!state.exists(gateId)) return;
    const exists = this.image.i32[this.dictionary.placeOf(gateId) + PlaceRecord.exists]!;
    if (exists !== 0) this.openGate(key, exists, placeId);
  }

  private openGate(key: number, trait: number, placeId: number): void {
    if ((this.image.i32[trait + TraitRecord.leads]! & (1 << (placeId & 31))) === 0) return;
    const block = this.dictionary.pairs.get(key, trait);
    if (block !== 0) this.searchBlock(block, placeId);
  }

  /** Decides the queries in a block of whose conditions one has flipped. */
  private searchBlock(block: number, placeId: number): void {
    const { i32 } = this.image;
    if (i32[block] === BlockKind.indexed) return this.searchIndexed(block, placeId);
    const { former, latter } = this;
    const end = block + Block.firstPosting + i32[block + Block.count]! * Block.postingWords;
    const isPlain = former.kind[placeId]! <= Yield.missing && latter.kind[placeId]! <= Yield.missing;
    for (let at = block + Block.firstPosting; at < end; at += Block.postingWords) {
      const flips = isPlain
        ? this.flipsPlainly(at, placeId)
        : this.holds(at, former) !== this.holds(at, latter);
      if (flips) this.decideGuarded(at + Posting.words);
    }
  }

  /** Whether a condition flips at a place that yields one value or none before, and so after. */
  private flipsPlainly(posting: number, placeId: number): boolean {
    const { image, former, latter } = this;
    const { i32 } = image;
    const operand = i32[posting + Posting.operand]!;
    switch (i32[posting + Posting.what]! & 15) {
      case LeafKind.trait:
        return (former.trait[placeId] === operand) !== (latter.trait[placeId] === operand);
      case LeafKind.traits:
        return this.isIn(operand, former.trait[placeId]!) !== this.isIn(operand, latter.trait[placeId]!);
      case LeafKind.fromNumber: {
        const bound = image.f64[(posting + Posting.operand) >> 1]!;
        return former.number[placeId]! >= bound !== latter.number[placeId]! >= bound;
      }
      case LeafKind.belowNumber: {
        const bound = image.f64[(posting + Posting.operand) >> 1]!;
        return former.number[placeId]! < bound !== latter.number[placeId]! < bound;
      }
      default:
        return this.holds(posting, former) !== this.holds(posting, latter);
    }
  }

  private searchIndexed(block: number, placeId: number): void {
    const { image, former, latter } = this;
    const { i32 } = image;
    this.searchTraits(block, placeId);
    const numbers = i32[block + IndexedBlock.numbers]!;
    if (numbers !== 0) {
      const count = boundCount(image, numbers);
      const above = (value: number): number =>
        value === Infinity ? count : numbersUpTo(image, numbers, value);
      const [leastBefore, greatestBefore] = rangeOf(former, placeId);
      const [leastAfter, greatestAfter] = rangeOf(latter, placeId);
      this.decideBetween(numbers, above(greatestBefore), above(greatestAfter), FROM, 2);
      this.decideBetween(numbers, above(leastBefore), above(leastAfter), BELOW, 2);
    }
    const texts = i32[block + IndexedBlock.texts]!;
    if (texts !== 0) {
      const count = boundCount(image, texts);
      const above = (value: string | undefined, none: number): number =>
        value === undefined ? none : textsUpTo(image, texts, value);
      const [leastBefore, greatestBefore] = textRangeOf(former, placeId);
      const [leastAfter, greatestAfter] = textRangeOf(latter, placeId);
      this.decideBetween(texts, above(greatestBefore, 0), above(greatestAfter, 0), FROM, 1);
      this.decideBetween(texts, above(leastBefore, count), above(leastAfter, count), BELOW, 1);
    }
    const evaluated = i32[block + IndexedBlock.evaluated]!;
    for (let i = 0; i < listLength(image, evaluated); i++) {
      const opaque = listItem(image, evaluated, i);
      if (this.evaluate(opaque, former) !== this.evaluate(opaque, latter))
        this.decideList(this.dictionary.pairs.get(block, opaque));
    }
  }

  /** Of an indexed block: queries that ask for a trait which came or went. */
  private searchTraits(block: number, placeId: number): void {
    const { former, latter } = this;
    const { pairs } = this.dictionary;
    if (former.exists(placeId) !== latter.exists(placeId)) {
      const exists = this.image.i32[this.dictionary.placeOf(placeId) + PlaceRecord.exists]!;
      if (exists !== 0) this.decideList(pairs.get(block, exists));
    }
    const before = traitsOf(former, placeId);
    const after = traitsOf(latter, placeId);
    for (const trait of before) if (!after.includes(trait)) this.decideList(pairs.get(block, trait));
    for (const trait of after) if (!before.includes(trait)) this.decideList(pairs.get(block, trait));
  }

  private decideBetween(block: number, one: number, other: number, side: Side, words: 1 | 2): void {
    const end = Math.max(one, other);
    for (let i = Math.min(one, other); i < end; i++)
      this.decideList(listAtBound(this.image, block, i, side, words));
  }

  // A document by itself: what is listed at the place of each gate that it opens, and what needs no gate.

  private searchDocument(document: FilterDocument): void {
    const { image } = this;
    const { i32 } = image;
    const unconditional = i32[Header.unconditional]!;
    for (let i = 0; i < listLength(image, unconditional); i++) this.decide(listItem(image, unconditional, i));
    this.searchGates(PlaceId.version);
    this.searchGates(PlaceId.id);
    for (const key of Object.keys(document.metadata)) {
      const record = this.dictionary.findKey(key);
      if (record === 0) continue;
      for (
        let place = i32[record + KeyRecord.firstPlace]!;
        place !== 0;
        place = i32[place + PlaceRecord.next]!
      )
        this.searchGates(i32[place + PlaceRecord.id]!);
    }
  }

  private searchGates(placeId: number): void {
    const { latter } = this;
    latter.look(placeId);
    const key = placeKey(placeId);
    for (const trait of traitsOf(latter, placeId)) this.searchOpen(key, trait, placeId);
    if (!latter.exists(placeId)) return;
    const exists = this.image.i32[this.dictionary.placeOf(placeId) + PlaceRecord.exists]!;
    if (exists !== 0) this.searchOpen(key, exists, placeId);
  }

  /** Decides the queries in a block of whose conditions one holds. */
  private searchOpen(key: number, trait: number, placeId: number): void {
    const { image, latter } = this;
    const { i32 } = image;
    const { pairs } = this.dictionary;
    const block = pairs.get(key, trait);
    if (block === 0) return;
    if (i32[block] === BlockKind.short) {
      const end = block + Block.firstPosting + i32[block + Block.count]! * Block.postingWords;
      for (let at = block + Block.firstPosting; at < end; at += Block.postingWords)
        this.decideGuarded(at + Posting.words);
      return;
    }
    for (const each of traitsOf(latter, placeId)) this.decideList(pairs.get(block, each));
    const exists = i32[this.dictionary.placeOf(placeId) + PlaceRecord.exists]!;
    if (exists !== 0 && latter.exists(placeId)) this.decideList(pairs.get(block, exists));
    const numbers = i32[block + IndexedBlock.numbers]!;
    if (numbers !== 0) {
      const [least, greatest] = rangeOf(latter, placeId);
      this.decideBetween(numbers, 0, numbersUpTo(image, numbers, greatest), FROM, 2);
      const count = boundCount(image, numbers);
      this.decideBetween(
        numbers,
        least === Infinity ? count : numbersUpTo(image, numbers, least),
        count,
        BELOW,
        2,
      );
    }
    const texts = i32[block + IndexedBlock.texts]!;
    if (texts !== 0) {
      const [least, greatest] = textRangeOf(latter, placeId);
      if (greatest !== undefined) this.decideBetween(texts, 0, textsUpTo(image, texts, greatest), FROM, 1);
      if (least !== undefined)
        this.decideBetween(texts, textsUpTo(image, texts, least), boundCount(image, texts), BELOW, 1);
    }
    const evaluated = i32[block + IndexedBlock.evaluated]!;
    for (let i = 0; i < listLength(image, evaluated); i++) {
      const opaque = listItem(image, evaluated, i);
      if (this.evaluate(opaque, latter)) this.decideList(pairs.get(block, opaque));
    }
  }

  private decideFrom(first: number): void {
    for (let i = first; i < this.filters.size; i++)
      this.decide(this.image.i32[this.filters.at(i) + FilterRecord.query]!);
  }

  // Decisions.

  private decideList(list: number): void {
    if (list === 0) return;
    const { i32 } = this.image;
    const end = list + FIRST_GUARD + i32[list + 1]! * Posting.words;
    for (let at = list + FIRST_GUARD; at < end; at += Posting.words) this.decideGuarded(at);
  }

  /** Decides a query, unless its guard says that it holds neither before nor after. */
  private decideGuarded(guard: number): void {
    const { i32 } = this.image;
    const what = i32[guard + Posting.what]!;
    if (
      what !== 0 &&
      !this.holds(guard, this.latter) &&
      !(this.changed[what >>> 4] === this.search && this.isUpdate && this.holds(guard, this.former))
    )
      return;
    this.decide(i32[guard + Posting.query]!);
  }

  /** Whether a query holds, or has flipped; once a search. */
  private decide(query: number): void {
    const id = this.image.i32[query + QueryRecord.id]!;
    if (this.decided[id] === this.search) return;
    this.decided[id] = this.search;
    this.work.decisions++;
    const isMatch = this.matches(query, this.latter);
    if (this.isUpdate) {
      if (this.matches(query, this.former) !== isMatch)
        this.report(query, isMatch ? this.matched : this.unmatched);
    } else if (isMatch) this.report(query, this.matched);
  }

  private report(query: number, into: number[]): void {
    const { image, from, upTo } = this;
    const numbers = image.i32[query + QueryRecord.numbers]!;
    for (let i = 0; i < listLength(image, numbers); i++) {
      const number = listItem(image, numbers, i) - 1;
      if (number > from && number <= upTo) into.push(number);
    }
  }

  private matches(query: number, state: DocumentState): boolean {
    const { i32 } = this.image;
    const first = query + QueryRecord.firstLeaf;
    if (i32[query + QueryRecord.leaves] === 0) return i32[query + QueryRecord.constant] !== 0;
    for (let leaf = first; ;) {
      const next = i32[leaf + LeafWords.next]!;
      const target = this.holds(leaf, state) ? next >>> 16 : next & 0xffff;
      if (target >= GO_FALSE) return target === GO_TRUE;
      leaf = first + target * LeafWords.words;
    }
  }

  /** Whether a condition holds; at `leaf` a leaf or a posting. */
  private holds(leaf: number, state: DocumentState): boolean {
    const { i32 } = this.image;
    const what = i32[leaf + LeafWords.what]!;
    const kind = what & 15;
    const operand = i32[leaf + LeafWords.operand]!;
    if (kind === LeafKind.evaluated) return this.evaluate(operand, state);
    const placeId = what >>> 4;
    // what has not changed is the same on both sides, and looked at once
    const side = state === this.former && this.changed[placeId] !== this.search ? this.latter : state;
    side.look(placeId);
    if (side.kind[placeId] === Yield.several) return this.holdsOfSeveral(leaf, side.several[placeId]!);
    switch (kind) {
      case LeafKind.trait:
        return side.trait[placeId] === operand;
      case LeafKind.traits:
        return this.isIn(operand, side.trait[placeId]!);
      case LeafKind.exists:
        return side.kind[placeId] === Yield.scalar;
      case LeafKind.fromNumber:
        return side.number[placeId]! >= this.image.f64[(leaf + LeafWords.operand) >> 1]!;
      case LeafKind.belowNumber:
        return side.number[placeId]! < this.image.f64[(leaf + LeafWords.operand) >> 1]!;
      default: {
        const value = side.value[placeId];
        if (typeof value !== 'string') return false;
        const order = this.compare(value, operand);
        return kind === LeafKind.fromText ? order >= 0 : order < 0;
      }
    }
  }

  private holdsOfSeveral(leaf: number, several: Several): boolean {
    const { image } = this;
    const operand = image.i32[leaf + LeafWords.operand]!;
    const bound = image.f64[(leaf + LeafWords.operand) >> 1]!;
    switch (image.i32[leaf + LeafWords.what]! & 15) {
      case LeafKind.trait:
        return several.traits.includes(operand);
      case LeafKind.traits:
        return several.traits.some((trait) => this.isIn(operand, trait));
      case LeafKind.exists:
        return several.exists;
      case LeafKind.fromNumber:
        return several.greatest >= bound;
      case LeafKind.belowNumber:
        return several.least < bound;
      case LeafKind.fromText: {
        const { greatestText } = several;
        return greatestText !== undefined && this.compare(greatestText, operand) >= 0;
      }
      default: {
        const { leastText } = several;
        return leastText !== undefined && this.compare(leastText, operand) < 0;
      }
    }
  }

  private compare(value: string, bound: number): number {
    return compareTexts(this.image, value, this.image.i32[bound + TraitRecord.operand]!);
  }

  private isIn(set: number, trait: number): boolean {
    if (trait === 0) return false;
    const { i32 } = this.image;
    let low = set + TraitSet.firstTrait;
    let high = low + i32[set + TraitSet.count]! - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = i32[middle]!;
      if (found === trait) return true;
      if (found < trait) low = middle + 1;
      else high = middle - 1;
    }
    return false;
  }

  /** An evaluated condition, once for a document. */
  private evaluate(opaque: number, state: DocumentState): boolean {
    let evaluator = this.evaluators.get(opaque);
    if (evaluator === undefined || evaluator.serial !== this.image.i32[opaque + OpaqueRecord.serial])
      this.evaluators.set(opaque, (evaluator = this.compile(opaque)));
    const { search } = this;
    if (state === this.latter || !this.dependsOnChange(opaque)) {
      if (evaluator.latterAt !== search) {
        evaluator.latterAt = search;
        this.work.evaluations++;
        evaluator.latter = evaluator.holds(this.latter.view!);
      }
      return evaluator.latter;
    }
    if (evaluator.formerAt !== search) {
      evaluator.formerAt = search;
      this.work.evaluations++;
      evaluator.former = evaluator.holds(state.view!);
    }
    return evaluator.former;
  }

  private dependsOnChange(opaque: number): boolean {
    const places = this.image.i32[opaque + OpaqueRecord.places]!;
    for (let i = 0; i < listLength(this.image, places); i++)
      if (this.changed[listItem(this.image, places, i)] === this.search) return true;
    return false;
  }

  private compile(opaque: number): Evaluator {
    const { image } = this;
    const text = image.readText(image.i32[opaque + OpaqueRecord.text]!);
    return {
      serial: image.i32[opaque + OpaqueRecord.serial]!,
      holds: compileQuery(JSON.parse(text) as Expression),
      formerAt: 0,
      former: false,
      latterAt: 0,
      latter: false,
    };
  }
}

const NONE: readonly number[] = [];

function traitsOf(state: DocumentState, placeId: number): readonly number[] {
  if (state.kind[placeId] === Yield.several) return state.several[placeId]!.traits;
  const trait = state.trait[placeId]!;
  return trait === 0 || state.kind[placeId] === Yield.none ? NONE : [trait];
}

function rangeOf(state: DocumentState, placeId: number): [least: number, greatest: number] {
  if (state.kind[placeId] === Yield.several) {
    const { least, greatest } = state.several[placeId]!;
    return [least, greatest];
  }
  const number = state.number[placeId]!;
  return state.kind[placeId] !== Yield.scalar || Number.isNaN(number)
    ? [Infinity, -Infinity]
    : [number, number];
}

function textRangeOf(
  state: DocumentState,
  placeId: number,
): [least: string | undefined, greatest: string | undefined] {
  if (state.kind[placeId] === Yield.several) {
    const { leastText, greatestText } = state.several[placeId]!;
    return [leastText, greatestText];
  }
  const value = state.kind[placeId] === Yield.scalar ? state.value[placeId] : undefined;
  return typeof value === 'string' ? [value, value] : [undefined, undefined];
}

function ascending(a: number, b: number): number {
  return a - b;
}
