import { viewOf } from '../document-view.js';
import type { FilterDocument } from '../query.js';
import { eachNumberBetween, eachTextBetween } from './bounds.js';
import { Decider } from './decider.js';
import { Dictionary } from './dictionary.js';
import { type DocumentState, Yield } from './document-state.js';
import { FilterTable } from './filter-table.js';
import { Header, type Image } from './image.js';
import {
  FilterRecord,
  KeyRecord,
  OpaqueRecord,
  PlaceId,
  PlaceRecord,
  SECTIONS,
  TraitRecord,
} from './layout.js';
import { listItem, listLength } from './lists.js';
import { greatestOf, isBefore, leastOf, textsOf } from './readings.js';

/** Numbers of filters, ascending. */
export type Flips = Record<'matched' | 'unmatched', number[]>;

/** So many filters or fewer are decided one by one rather than looked for. */
const FEW = 32;

/** Asks an image which filters match and which flip. One a thread and image; while the image is written, nobody may ask. */
export class Matcher {
  readonly decider: Decider;
  private readonly image: Image;
  private readonly dictionary: Dictionary;
  private readonly filters: FilterTable;
  private readonly former: DocumentState;
  private readonly latter: DocumentState;

  constructor(image: Image) {
    this.image = image;
    this.dictionary = new Dictionary(image);
    this.filters = new FilterTable(image);
    this.decider = new Decider(this.dictionary);
    ({ former: this.former, latter: this.latter } = this.decider);
  }

  /** Numbers of all filters above `since` that match, ascending. */
  matchAll(document: FilterDocument, since: number): number[] {
    if (this.filters.size === 0) return [];
    const { decider } = this;
    decider.begin(undefined, viewOf(document), since, Infinity);
    const first = since === -Infinity ? 0 : this.filters.countUpTo(since);
    if (this.filters.size - first <= FEW) this.decideFrom(first);
    else this.searchDocument(document);
    return decider.matched.sort(ascending);
  }

  findFlips(
    before: FilterDocument,
    after: FilterDocument,
    changedKeys: readonly string[],
    upTo: number,
  ): Flips {
    if (this.filters.size === 0) return { matched: [], unmatched: [] };
    const { decider } = this;
    decider.begin(viewOf(before), viewOf(after), -Infinity, upTo);
    for (const placeId of this.changedPlaces(before, after, changedKeys)) this.searchPlace(placeId);
    return { matched: decider.matched.sort(ascending), unmatched: decider.unmatched.sort(ascending) };
  }

  /** Ids of the places that may yield something else than before; marked so. */
  private changedPlaces(
    before: FilterDocument,
    after: FilterDocument,
    changedKeys: readonly string[],
  ): number[] {
    const places: number[] = [];
    const mark = (placeId: number): void => {
      this.decider.markChanged(placeId);
      places.push(placeId);
    };
    for (const key of changedKeys) this.eachPlaceOf(key, mark);
    if (changedKeys.length > 0) mark(PlaceId.any);
    if (before.applicationVersion !== after.applicationVersion) mark(PlaceId.version);
    if (before.endpointId !== after.endpointId) mark(PlaceId.id);
    return places;
  }

  /** Calls back with the id of each place of a metadata key. */
  private eachPlaceOf(key: string, callback: (placeId: number) => void): void {
    const { i32 } = this.image;
    const record = this.dictionary.findKey(key);
    if (record === 0) return;
    for (let place = i32[record + KeyRecord.firstPlace]!; place !== 0; place = i32[place + PlaceRecord.next]!)
      callback(i32[place + PlaceRecord.id]!);
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
        this.searchNeeded(former.traits(placeId));
        this.searchNeeded(latter.traits(placeId));
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
      if (this.decider.evaluate(opaque, former) !== this.decider.evaluate(opaque, latter))
        this.decider.decideListAt(opaque + OpaqueRecord.queries);
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
      if (exists !== 0) this.decider.decideListAt(exists + TraitRecord.queries);
    }
    if (former.kind[placeId] !== Yield.several && latter.kind[placeId] !== Yield.several) {
      const before = former.trait[placeId]!;
      const after = latter.trait[placeId]!;
      if (before === after) return;
      if (before !== 0) this.decider.decideListAt(before + TraitRecord.queries);
      if (after !== 0) this.decider.decideListAt(after + TraitRecord.queries);
      return;
    }
    const before = former.traits(placeId);
    const after = latter.traits(placeId);
    for (const trait of before)
      if (!latter.hasTrait(placeId, trait)) this.decider.decideListAt(trait + TraitRecord.queries);
    for (const trait of after)
      if (!former.hasTrait(placeId, trait)) this.decider.decideListAt(trait + TraitRecord.queries);
  }

  /** Conditions on the order of numbers: what holds from a bound on is of the greatest, what holds below of the least. */
  private searchNumbers(placeId: number, place: number): void {
    const { former, latter } = this;
    this.passNumbers(
      place + PlaceRecord.fromNumbers,
      greatestOf(former, placeId),
      greatestOf(latter, placeId),
    );
    this.passNumbers(place + PlaceRecord.belowNumbers, leastOf(former, placeId), leastOf(latter, placeId));
  }

  /** Bounds that a number passes, in either direction. */
  private passNumbers(at: number, one: number, other: number): void {
    if (one === other) return;
    const { image, decider } = this;
    const low = Math.min(one, other);
    const high = Math.max(one, other);
    eachNumberBetween(image, image.i32[at]!, low, high, decider.decideBounds);
    const sections = decider.sectionsAt(at);
    for (let i = 0; i < sections.length; i++)
      eachNumberBetween(image, sections[i]!, low, high, decider.decideBounds);
  }

  private searchTexts(placeId: number, place: number): void {
    const { former, latter } = this;
    const { i32 } = this.image;
    const isEmpty = (at: number): boolean => (i32[at]! | i32[at + SECTIONS]!) === 0;
    if (isEmpty(place + PlaceRecord.fromTexts) && isEmpty(place + PlaceRecord.belowTexts)) return;
    const [leastBefore, greatestBefore] = textsOf(former, placeId);
    const [leastAfter, greatestAfter] = textsOf(latter, placeId);
    // none is less than any of the greatest, and greater than any of the least
    if (greatestBefore !== greatestAfter) {
      const ascends = isBefore(greatestBefore, greatestAfter);
      const [low, high] = ascends ? [greatestBefore, greatestAfter] : [greatestAfter, greatestBefore];
      this.passTexts(place + PlaceRecord.fromTexts, low, high);
    }
    if (leastBefore !== leastAfter) {
      const ascends =
        leastBefore !== undefined && (leastAfter === undefined || isBefore(leastBefore, leastAfter));
      const [low, high] = ascends ? [leastBefore, leastAfter] : [leastAfter, leastBefore];
      this.passTexts(place + PlaceRecord.belowTexts, low, high);
    }
  }

  private passTexts(at: number, low: string | undefined, high: string | undefined): void {
    const { image, decider } = this;
    eachTextBetween(image, image.i32[at]!, low, high, decider.decideBounds);
    const sections = decider.sectionsAt(at);
    for (let i = 0; i < sections.length; i++)
      eachTextBetween(image, sections[i]!, low, high, decider.decideBounds);
  }

  // A document by itself: what is listed at the gates that it opens, and what has no gate.

  private searchDocument(document: FilterDocument): void {
    const { image } = this;
    const { i32 } = image;
    const unconditional = i32[Header.unconditional]!;
    for (let i = 0; i < listLength(image, unconditional); i++)
      this.decider.decide(listItem(image, unconditional, i));
    this.searchGates(PlaceId.version);
    this.searchGates(PlaceId.id);
    const search = (placeId: number): void => this.searchGates(placeId);
    for (const key of Object.keys(document.metadata)) this.eachPlaceOf(key, search);
  }

  private searchGates(placeId: number): void {
    const { latter, image } = this;
    const { decideBounds } = this.decider;
    const { i32 } = image;
    latter.look(placeId);
    if (latter.kind[placeId] === Yield.none) return;
    const place = this.dictionary.placeOf(placeId);
    for (const trait of latter.traits(placeId)) this.decider.decideList(i32[trait + TraitRecord.gated]!);
    const exists = i32[place + PlaceRecord.exists]!;
    if (exists !== 0 && latter.exists(placeId)) this.decider.decideList(i32[exists + TraitRecord.gated]!);
    const gated = place + PlaceRecord.gated;
    const [from, below, fromTexts, belowTexts] = [
      i32[gated]!,
      i32[gated + 1]!,
      i32[gated + 2]!,
      i32[gated + 3]!,
    ];
    if (from !== 0) eachNumberBetween(image, from, -Infinity, greatestOf(latter, placeId), decideBounds);
    if (below !== 0) eachNumberBetween(image, below, leastOf(latter, placeId), Infinity, decideBounds);
    if ((fromTexts | belowTexts) === 0) return;
    const [least, greatest] = textsOf(latter, placeId);
    if (greatest !== undefined) eachTextBetween(image, fromTexts, undefined, greatest, decideBounds);
    if (least !== undefined) eachTextBetween(image, belowTexts, least, undefined, decideBounds);
  }

  private decideFrom(first: number): void {
    for (let i = first; i < this.filters.size; i++)
      this.decider.decide(this.image.i32[this.filters.at(i) + FilterRecord.query]!);
  }
}

function ascending(a: number, b: number): number {
  return a - b;
}
