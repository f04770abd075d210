import { compileQuery, type Predicate } from '../compile.js';
import { type DocumentView, viewOf } from '../document-view.js';
import { dependenciesOf } from '../dependencies.js';
import type { Expression } from '../expression.js';
import { compilePattern } from '../pattern/pattern.js';
import type { FilterDocument } from '../query.js';
import { compareStrings } from '../values.js';
import { compareTexts, eachNumberBetween, eachTextBetween } from './bounds.js';
import { Dictionary } from './dictionary.js';
import { DocumentState, type Several, Yield } from './document-state.js';
import { FilterTable } from './filter-table.js';
import { FIRST_GUARD } from './guards.js';
import { Header, type Image } from './image.js';
import {
  bitOf,
  FilterRecord,
  GO_FALSE,
  GO_TRUE,
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

/** What may be done yet, in nanoseconds as estimated. */
export interface MatchingBudget {
  left: number;
}

/** A question was given up, since it would cost more than was allowed. Nothing is known of the answer. */
export class TooMuchWork extends Error {
  override readonly name = 'TooMuchWork';
}

/** An evaluated condition as this thread has compiled it, and what it came to last. */
interface Evaluator {
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
  budget: MatchingBudget | undefined;
  private search = 0;
  /** the search in which a place was found changed, by its id */
  private changed = new Int32Array(64);
  /** the search in which a query was decided, by its id */
  private decided = new Int32Array(64);
  /** whether the present search has a former document */
  private isUpdate = false;
  private matched: number[] = [];
  private unmatched: number[] = [];
  /** the last query that was false is so before and after: a condition that must hold does not, and has not changed */
  private failedForBoth = false;
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
    this.matched = [];
    this.unmatched = [];
    this.from = -Infinity;
    this.upTo = Infinity;
    const queries = listLength(this.image, this.image.i32[Header.queries]!);
    if (this.decided.length <= queries) this.decided = new Int32Array(queries * 2);
    const places = listLength(this.image, this.image.i32[Header.slots]!);
    if (this.changed.length <= places) this.changed = new Int32Array(places * 2);
    if (before !== undefined) this.former.begin(before, search, places);
    this.latter.begin(after, search, places);
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

  // An update: what is listed by the conditions that flip at a changed place.

  private searchPlace(placeId: number): void {
    const { image, former, latter } = this;
    const place = this.dictionary.placeOf(placeId);
    if (placeId !== PlaceId.any) {
      former.look(placeId);
      latter.look(placeId);
      // what needs one of its traits may look at more than this place
      if (image.i32[place + PlaceRecord.needed] !== 0) {
        this.searchNeeded(traitsOf(former, placeId));
        this.searchNeeded(traitsOf(latter, placeId));
      }
      if (this.isSame(placeId)) return;
      this.searchTraits(placeId, place);
      this.searchNumbers(placeId, place);
      this.searchTexts(placeId, place);
    }
    this.searchEvaluated(image.i32[place + PlaceRecord.evaluated]!);
  }

  private searchNeeded(traits: readonly number[]): void {
    for (const trait of traits) this.searchEvaluated(this.image.i32[trait + TraitRecord.evaluated]!);
  }

  /** Evaluated conditions, each once a search whatever lists it. */
  private searchEvaluated(list: number): void {
    const { image, former, latter } = this;
    for (let i = 0; i < listLength(image, list); i++) {
      const opaque = listItem(image, list, i);
      if (this.evaluate(opaque, former) !== this.evaluate(opaque, latter))
        this.decideList(image.i32[opaque + OpaqueRecord.queries]!);
    }
  }

  /** A value that stays what it is, as when a part of an object changes and a path leads to another part. */
  private isSame(placeId: number): boolean {
    const { former, latter } = this;
    const kind = former.kind[placeId];
    if (kind !== latter.kind[placeId]) return false;
    if (kind === Yield.scalar) return Object.is(former.value[placeId], latter.value[placeId]);
    return kind === Yield.none || kind === Yield.missing;
  }

  /** Conditions that a trait is there, of traits that came or went. */
  private searchTraits(placeId: number, place: number): void {
    const { former, latter } = this;
    const { i32 } = this.image;
    if (former.exists(placeId) !== latter.exists(placeId)) {
      const exists = i32[place + PlaceRecord.exists]!;
      if (exists !== 0) this.decideList(i32[exists + TraitRecord.queries]!);
    }
    if (former.kind[placeId] !== Yield.several && latter.kind[placeId] !== Yield.several) {
      const before = former.trait[placeId]!;
      const after = latter.trait[placeId]!;
      if (before === after) return;
      if (before !== 0) this.decideList(i32[before + TraitRecord.queries]!);
      if (after !== 0) this.decideList(i32[after + TraitRecord.queries]!);
      return;
    }
    const before = traitsOf(former, placeId);
    const after = traitsOf(latter, placeId);
    for (const trait of before)
      if (!after.includes(trait)) this.decideList(i32[trait + TraitRecord.queries]!);
    for (const trait of after)
      if (!before.includes(trait)) this.decideList(i32[trait + TraitRecord.queries]!);
  }

  /** Conditions on the order of numbers: what holds from a bound on is of the greatest, what holds below of the least. */
  private searchNumbers(placeId: number, place: number): void {
    const { image, former, latter } = this;
    const from = image.i32[place + PlaceRecord.fromNumbers]!;
    if (from !== 0) {
      const before = greatestOf(former, placeId);
      const after = greatestOf(latter, placeId);
      eachNumberBetween(image, from, Math.min(before, after), Math.max(before, after), this.decideGuard);
    }
    const below = image.i32[place + PlaceRecord.belowNumbers]!;
    if (below !== 0) {
      const before = leastOf(former, placeId);
      const after = leastOf(latter, placeId);
      eachNumberBetween(image, below, Math.min(before, after), Math.max(before, after), this.decideGuard);
    }
  }

  private searchTexts(placeId: number, place: number): void {
    const { image, former, latter } = this;
    const from = image.i32[place + PlaceRecord.fromTexts]!;
    if (from !== 0) {
      const before = textsOf(former, placeId)[1];
      const after = textsOf(latter, placeId)[1];
      // none is less than any
      if (before !== after) {
        const [low, high] = isBefore(before, after) ? [before, after] : [after, before];
        eachTextBetween(image, from, low, high, this.decideGuard);
      }
    }
    const below = image.i32[place + PlaceRecord.belowTexts]!;
    if (below !== 0) {
      const before = textsOf(former, placeId)[0];
      const after = textsOf(latter, placeId)[0];
      // none is greater than any
      if (before !== after) {
        const swapped = before === undefined || (after !== undefined && compareStrings(after, before) < 0);
        const [low, high] = swapped ? [after, before] : [before, after];
        eachTextBetween(image, below, low, high, this.decideGuard);
      }
    }
  }

  // A document by itself: what is listed at the gates that it opens, and what has no gate.

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
    const { latter, image, decideGuard } = this;
    const { i32 } = image;
    latter.look(placeId);
    if (latter.kind[placeId] === Yield.none) return;
    const place = this.dictionary.placeOf(placeId);
    for (const trait of traitsOf(latter, placeId)) this.decideList(i32[trait + TraitRecord.gated]!);
    const exists = i32[place + PlaceRecord.exists]!;
    if (exists !== 0 && latter.exists(placeId)) this.decideList(i32[exists + TraitRecord.gated]!);
    const gated = place + PlaceRecord.gated;
    const [from, below, fromTexts, belowTexts] = [
      i32[gated]!,
      i32[gated + 1]!,
      i32[gated + 2]!,
      i32[gated + 3]!,
    ];
    if (from !== 0) eachNumberBetween(image, from, -Infinity, greatestOf(latter, placeId), decideGuard);
    if (below !== 0) eachNumberBetween(image, below, leastOf(latter, placeId), Infinity, decideGuard);
    if ((fromTexts | belowTexts) === 0) return;
    const [least, greatest] = textsOf(latter, placeId);
    if (greatest !== undefined) eachTextBetween(image, fromTexts, undefined, greatest, decideGuard);
    if (least !== undefined) eachTextBetween(image, belowTexts, least, undefined, decideGuard);
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
    for (let at = list + FIRST_GUARD; at < end; at += Posting.words) this.decideGuard(at);
  }

  /** Decides a query, unless its guard says that what has flipped changes nothing. */
  private readonly decideGuard = (guard: number): void => {
    const { i32 } = this.image;
    const what = i32[guard + Posting.what]!;
    if (what !== 0) {
      const placeId = what >>> 4;
      const { latter } = this;
      if ((what & 15) === LeafKind.trait) {
        latter.look(placeId);
        // nearly all guards end here
        if (
          latter.trait[placeId] !== i32[guard + Posting.operand] &&
          latter.kind[placeId] !== Yield.several &&
          this.changed[placeId] !== this.search
        )
          return;
      }
      if (
        !this.holds(guard, latter) &&
        !(this.changed[placeId] === this.search && this.isUpdate && this.holds(guard, this.former))
      )
        return;
    }
    this.decide(i32[guard + Posting.query]!);
  };

  /** Whether a query holds, or has flipped; once a search. */
  private decide(query: number): void {
    const id = this.image.i32[query + QueryRecord.id]!;
    if (this.decided[id] === this.search) return;
    this.decided[id] = this.search;
    this.work.decisions++;
    if (this.budget !== undefined) this.spend(DECISION_NS);
    const isMatch = this.matches(query, this.latter);
    if (this.isUpdate) {
      if (!isMatch && this.failedForBoth) return;
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
    this.failedForBoth = false;
    if (i32[query + QueryRecord.leaves] === 0) return i32[query + QueryRecord.constant] !== 0;
    for (let leaf = first; ;) {
      const next = i32[leaf + LeafWords.next]!;
      const target = this.holds(leaf, state) ? next >>> 16 : next & 0xffff;
      if (target >= GO_FALSE) {
        this.failedForBoth =
          i32[query + QueryRecord.conjunction] === 1 &&
          this.changed[i32[leaf + LeafWords.what]! >>> 4] !== this.search &&
          (i32[leaf + LeafWords.what]! & 15) !== LeafKind.evaluated;
        return target === GO_TRUE;
      }
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
        return (
          (i32[leaf + LeafWords.operand + 1]! & bitOf(side.trait[placeId]!)) !== 0 &&
          this.isIn(operand, side.trait[placeId]!)
        );
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
        evaluator.latter = this.run(evaluator, this.latter.view!);
      }
      return evaluator.latter;
    }
    if (evaluator.formerAt !== search) {
      evaluator.formerAt = search;
      evaluator.former = this.run(evaluator, state.view!);
    }
    return evaluator.former;
  }

  private run(evaluator: Evaluator, view: DocumentView): boolean {
    this.work.evaluations++;
    if (this.budget !== undefined)
      this.spend(DECISION_NS + evaluator.characterNs * lengthOf(evaluator.key, view));
    return evaluator.holds(view);
  }

  private spend(nanoseconds: number): void {
    const budget = this.budget!;
    budget.left -= nanoseconds;
    if (budget.left < 0) throw new TooMuchWork('Matching would take too long here.');
  }

  private dependsOnChange(opaque: number): boolean {
    const places = this.image.i32[opaque + OpaqueRecord.places]!;
    for (let i = 0; i < listLength(this.image, places); i++)
      if (this.changed[listItem(this.image, places, i)] === this.search) return true;
    return false;
  }

  private compile(opaque: number): Evaluator {
    const { image } = this;
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
}

const NONE: readonly number[] = [];

function traitsOf(state: DocumentState, placeId: number): readonly number[] {
  if (state.kind[placeId] === Yield.several) return state.several[placeId]!.traits;
  const trait = state.trait[placeId]!;
  return trait === 0 || state.kind[placeId] === Yield.none ? NONE : [trait];
}

/** Characters that a condition may look at: of a text those that it has, of anything else all of the document's. */
function lengthOf(key: string | undefined, view: DocumentView): number {
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

const DECISION_NS = 200;
const PLAIN_CHARACTER_NS = 5;
const PATTERN_CHARACTER_NS = 10;

/** The greatest number; less than any when there is none. */
function greatestOf(state: DocumentState, placeId: number): number {
  if (state.kind[placeId] === Yield.several) return state.several[placeId]!.greatest;
  const number = state.number[placeId]!;
  return Number.isNaN(number) ? -Infinity : number;
}

/** The least number; greater than any when there is none. */
function leastOf(state: DocumentState, placeId: number): number {
  if (state.kind[placeId] === Yield.several) return state.several[placeId]!.least;
  const number = state.number[placeId]!;
  return Number.isNaN(number) ? Infinity : number;
}

function textsOf(
  state: DocumentState,
  placeId: number,
): [least: string | undefined, greatest: string | undefined] {
  if (state.kind[placeId] === Yield.several) {
    const { leastText, greatestText } = state.several[placeId]!;
    return [leastText, greatestText];
  }
  const value = state.value[placeId];
  return typeof value === 'string' ? [value, value] : [undefined, undefined];
}

function isBefore(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || (other !== undefined && compareStrings(one, other) < 0);
}

function ascending(a: number, b: number): number {
  return a - b;
}
