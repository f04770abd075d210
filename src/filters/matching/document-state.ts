import type { JsonValue } from '../../model/json.js';
import type { DocumentView } from '../document-view.js';
import { routeOf, someElement, type Route } from '../path.js';
import { typeCodeOf } from '../values.js';
import { constantCode } from './codes.js';
import type { Dictionary } from './dictionary.js';
import { KeyRecord, PlaceId, PlaceRecord, TraitKind, TraitRecord } from './layout.js';
import { Several } from './several.js';

/** What a place yields of a document. */
export const Yield = {
  /** nothing at all: the key is not there */
  none: 0,
  /** one value, neither object nor array */
  scalar: 1,
  /** one missing field */
  missing: 2,
  /** anything else, see {@link Several} */
  several: 3,
} as const;

const NONE: readonly number[] = [];

/** Counts end there. */
const MOST_SEEN = 2 ** 30;

/** How a place is found in a document; kept by each thread for itself. */
interface PlaceRoute {
  serial: number;
  key: string;
  /** undefined: the whole value */
  route: Route | undefined;
  /** as `route`, for `$size`: arrays are not entered */
  outer: Route | undefined;
}

/**
 * One document as the index sees it: for each place that is asked about, what it yields and which traits of the image
 * it has. Computed at the first question, once for each `search`.
 */
export class DocumentState {
  private computed = new Int32Array(64);
  kind = new Uint8Array(64);
  /** of a scalar, its trait; 0: nobody asks for that value */
  trait = new Int32Array(64);
  /** of a scalar number; NaN else */
  number = new Float64Array(64);
  value: (JsonValue | undefined)[] = [];
  several: (Several | undefined)[] = [];
  view: DocumentView | undefined;
  private search = 0;

  constructor(
    private readonly dictionary: Dictionary,
    private readonly routes: (PlaceRoute | undefined)[],
  ) {}

  /**
   * Another document.
   * @param search is greater than before, or everything was forgotten
   * @param places the greatest id of a place that will be asked about
   */
  begin(view: DocumentView, search: number, places: number): void {
    this.view = view;
    this.search = search;
    if (places >= this.computed.length) this.makeRoom(places);
  }

  forget(): void {
    this.computed.fill(0);
  }

  /** Computes what a place yields, if that is not known yet. */
  look(placeId: number): void {
    if (this.computed[placeId] !== this.search) this.compute(placeId);
  }

  private compute(placeId: number): void {
    this.computed[placeId] = this.search;
    const place = this.dictionary.placeOf(placeId);
    this.value[placeId] = this.read(placeId, place);
    // of one that has grams, when those are asked for
    if (this.kind[placeId] !== Yield.several || this.several[placeId]!.isComplete) this.count(placeId, place);
  }

  /** Shares of traits among documents: threads may lose each other's counts, which is no harm. */
  private count(placeId: number, place: number): void {
    const { i32 } = this.dictionary.image;
    if (i32[place + PlaceRecord.seen]! >= MOST_SEEN) return;
    i32[place + PlaceRecord.seen]!++;
    const trait = this.trait[placeId]!;
    if (trait !== 0) i32[trait + TraitRecord.seen]!++;
    else if (this.kind[placeId] === Yield.several)
      for (const each of this.several[placeId]!.traits) i32[each + TraitRecord.seen]!++;
    const exists = i32[place + PlaceRecord.exists]!;
    if (exists !== 0 && this.exists(placeId)) i32[exists + TraitRecord.seen]!++;
  }

  /** All traits of a place that was looked at. */
  traits(placeId: number): readonly number[] {
    if (this.kind[placeId] === Yield.several) {
      const several = this.several[placeId]!;
      if (several.isComplete) return several.traits;
      const { traits } = several;
      this.count(placeId, this.dictionary.placeOf(placeId));
      return traits;
    }
    const trait = this.trait[placeId]!;
    return trait === 0 ? NONE : [trait];
  }

  /** Whether a place that was looked at has a trait. */
  hasTrait(placeId: number, trait: number): boolean {
    return this.kind[placeId] === Yield.several
      ? this.several[placeId]!.has(trait)
      : this.trait[placeId] === trait;
  }

  /** Of a place that was looked at. */
  exists(placeId: number): boolean {
    const kind = this.kind[placeId];
    return kind === Yield.scalar || (kind === Yield.several && this.several[placeId]!.exists);
  }

  private read(placeId: number, place: number): JsonValue | undefined {
    const view = this.view!;
    if (placeId === PlaceId.version) return this.scalar(placeId, place, view.applicationVersion);
    if (placeId === PlaceId.id) return this.scalar(placeId, place, view.endpointId);
    if (placeId === PlaceId.any) return this.nothing(placeId, Yield.none);
    const known = this.routes[placeId];
    const { i32 } = this.dictionary.image;
    const how =
      known !== undefined && known.serial === i32[place + PlaceRecord.serial]
        ? known
        : this.routeOf(placeId, place);
    const value = view.value(how.key);
    if (value === undefined) return this.nothing(placeId, Yield.none);
    if (how.route === undefined && (typeof value !== 'object' || value === null))
      return this.scalar(placeId, place, value);
    return this.walk(placeId, place, value, how);
  }

  private nothing(placeId: number, kind: number): undefined {
    this.kind[placeId] = kind;
    this.trait[placeId] =
      kind === Yield.missing ? this.dictionary.findNumber(placeId, TraitKind.constant, 0) : 0;
    this.number[placeId] = NaN;
    return undefined;
  }

  /** A value that is neither object nor array. */
  private scalar(placeId: number, place: number, value: JsonValue): JsonValue {
    const { i32 } = this.dictionary.image;
    const wantsMore =
      i32[place + PlaceRecord.grams]! |
      i32[place + PlaceRecord.lowerGrams]! |
      i32[place + PlaceRecord.types]!;
    if (wantsMore !== 0) return this.many(placeId, place, [value], value);
    this.kind[placeId] = Yield.scalar;
    this.number[placeId] = typeof value === 'number' ? value : NaN;
    this.trait[placeId] = i32[place + PlaceRecord.values] === 0 ? 0 : this.traitOf(placeId, place, value);
    return value;
  }

  private traitOf(placeId: number, place: number, value: JsonValue | undefined): number {
    const { dictionary } = this;
    switch (typeof value) {
      case 'number':
        return dictionary.findNumber(placeId, TraitKind.number, value);
      case 'string':
        return dictionary.findText(placeId, TraitKind.text, value);
      case 'boolean':
        return dictionary.findNumber(placeId, TraitKind.constant, constantCode(value));
      default:
        // what is missing is null, too
        if (value === undefined || value === null)
          return dictionary.findNumber(placeId, TraitKind.constant, 0);
        return dictionary.image.i32[place + PlaceRecord.jsons] === 0
          ? 0
          : dictionary.findText(placeId, TraitKind.json, JSON.stringify(value));
    }
  }

  private walk(placeId: number, place: number, value: JsonValue, how: PlaceRoute): JsonValue | undefined {
    const elements: (JsonValue | undefined)[] = [];
    const collect = (element: JsonValue | undefined): boolean => {
      elements.push(element);
      return false;
    };
    if (how.route !== undefined) someElement(value, how.route, 1, collect);
    else {
      if (Array.isArray(value)) for (const element of value) elements.push(element);
      elements.push(value);
    }
    if (elements.length === 0) return this.nothing(placeId, Yield.none);
    const [only] = elements;
    if (elements.length === 1) {
      if (only === undefined) return this.nothing(placeId, Yield.missing);
      if (typeof only !== 'object' || only === null) return this.scalar(placeId, place, only);
    }
    return this.many(placeId, place, elements, value);
  }

  private many(
    placeId: number,
    place: number,
    elements: readonly (JsonValue | undefined)[],
    value: JsonValue,
  ): JsonValue {
    const { i32 } = this.dictionary.image;
    const several = (this.several[placeId] ??= new Several(this.dictionary, placeId));
    several.reset({
      exact: i32[place + PlaceRecord.grams]! !== 0,
      lower: i32[place + PlaceRecord.lowerGrams]! !== 0,
    });
    const wantsTypes = i32[place + PlaceRecord.types]! !== 0;
    const wantsTexts = i32[place + PlaceRecord.bounds]! !== 0;
    const wantsValues = i32[place + PlaceRecord.values]! !== 0;
    for (const element of elements) {
      several.add(element, wantsTexts);
      if (wantsValues) several.addTrait(this.traitOf(placeId, place, element));
      if (wantsTypes)
        several.addTrait(this.dictionary.findNumber(placeId, TraitKind.type, typeCodeOf(element)));
    }
    if (i32[place + PlaceRecord.sizes]! !== 0) this.addSizes(placeId, value, several);
    this.kind[placeId] = Yield.several;
    this.trait[placeId] = 0;
    this.number[placeId] = NaN;
    return value;
  }

  private addSizes(placeId: number, value: JsonValue, several: Several): void {
    const add = (element: JsonValue | undefined): boolean => {
      if (Array.isArray(element))
        several.addTrait(this.dictionary.findNumber(placeId, TraitKind.size, element.length));
      return false;
    };
    const outer = this.routes[placeId]?.outer;
    if (outer === undefined) add(value);
    else someElement(value, outer, 1, add);
  }

  private routeOf(placeId: number, place: number): PlaceRoute {
    const { image } = this.dictionary;
    const { i32 } = image;
    const path = i32[place + PlaceRecord.path]!;
    const parts = path === 0 ? [] : (JSON.parse(image.readText(path)) as string[]);
    const whole = ['value', ...parts];
    const how: PlaceRoute = {
      serial: i32[place + PlaceRecord.serial]!,
      key: asName(image.readText(i32[i32[place + PlaceRecord.key]! + KeyRecord.text]!)),
      route: path === 0 ? undefined : routeOf(whole, true),
      outer: path === 0 ? undefined : routeOf(whole, false),
    };
    this.routes[placeId] = how;
    return how;
  }

  private makeRoom(placeId: number): void {
    const length = Math.max(placeId + 1, this.computed.length * 2);
    this.computed = grown(this.computed, new Int32Array(length));
    this.kind = grown(this.kind, new Uint8Array(length));
    this.trait = grown(this.trait, new Int32Array(length));
    this.number = grown(this.number, new Float64Array(length));
  }
}

/** The same text as V8 keeps names of properties: it finds a property by it several times as fast. */
function asName(text: string): string {
  return Object.keys({ [text]: 0 })[0]!;
}

function grown<T extends Int32Array | Uint8Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
