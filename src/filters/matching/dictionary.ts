import { constantCode, gramCode, hashNumberTrait, hashText, hashTextTrait } from './codes.js';
import { Header, type Image, textWords } from './image.js';
import { KeyRecord, OpaqueRecord, PlaceId, PlaceRecord, TraitKind, TraitRecord } from './layout.js';
import { listAdd, listItem, listLength, listPop, listRelease } from './lists.js';
import { RecordTable } from './tables.js';
import type { Place, Trait } from './take-apart.js';

/** The words of the index: keys, places, traits and evaluated conditions, each there once. Found by readers, too. */
export class Dictionary {
  readonly keys: RecordTable;
  readonly traits: RecordTable;
  readonly opaques: RecordTable;

  constructor(readonly image: Image) {
    this.keys = new RecordTable(image, Header.keys);
    this.traits = new RecordTable(image, Header.values);
    this.opaques = new RecordTable(image, Header.opaques);
  }

  /** The key's record, or 0. */
  findKey(key: string): number {
    const { image } = this;
    return this.keys.find(hashText(key), (record) => image.isText(image.i32[record + KeyRecord.text]!, key));
  }

  /** Record of a place by its id. */
  placeOf(id: number): number {
    return listItem(this.image, this.image.i32[Header.slots]!, id - 1);
  }

  /** The trait of a number, or of what a number stands for; 0: nobody asks for it. */
  findNumber(placeId: number, kind: TraitKind, value: number): number {
    const { i32, f64 } = this.image;
    const base = i32[Header.values]!;
    if (base === 0) return 0;
    const mask = i32[Header.values + 1]!;
    const what = kind | (placeId << 4);
    const hash = hashNumberTrait(what, value);
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const record = i32[base + i]!;
      if (record === 0) return 0;
      if (
        i32[record] === hash &&
        i32[record + TraitRecord.what] === what &&
        f64[(record + TraitRecord.operand) >> 1] === value
      )
        return record;
    }
  }

  /** The trait of a text; 0: nobody asks for it. O(length) where there is one, at most 64 units are looked at else. */
  findText(placeId: number, kind: TraitKind, value: string): number {
    const { image } = this;
    const { i32 } = image;
    const base = i32[Header.values]!;
    if (base === 0) return 0;
    const mask = i32[Header.values + 1]!;
    const what = kind | (placeId << 4);
    const hash = hashTextTrait(what, value);
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const record = i32[base + i]!;
      if (record === 0) return 0;
      if (
        i32[record] === hash &&
        i32[record + TraitRecord.what] === what &&
        image.isText(i32[record + TraitRecord.operand]!, value)
      )
        return record;
    }
  }

  // What follows is for the thread that writes. Whoever obtains a thing holds a reference of it until it lets go.

  /** Makes what every image has. */
  begin(): void {
    for (const id of [PlaceId.any, PlaceId.version, PlaceId.id]) {
      const record = this.makePlace(id);
      this.image.i32[record + PlaceRecord.references] = 1;
    }
  }

  private makePlace(wanted?: number): number {
    const { image } = this;
    const record = image.allocate(PlaceRecord.words);
    let id: number;
    const free = image.i32[Header.freeSlots]!;
    if (wanted === undefined && listLength(image, free) > 0) {
      id = listItem(image, free, listLength(image, free) - 1);
      image.i32[Header.freeSlots] = listPop(image, free);
      const slots = image.i32[Header.slots]!;
      image.i32[slots + 2 + id - 1] = record;
    } else {
      id = listLength(image, image.i32[Header.slots]!) + 1;
      const slots = listAdd(image, image.i32[Header.slots]!, record);
      image.i32[Header.slots] = slots;
    }
    image.i32[record + PlaceRecord.id] = id;
    image.i32[record + PlaceRecord.serial] = ++image.i32[Header.serial]!;
    return record;
  }

  /** The id of a place. */
  holdPlace(place: Place): number {
    const { image } = this;
    if (place.root !== 'metadata') {
      const id = PlaceId[place.root];
      image.i32[this.placeOf(id) + PlaceRecord.references]!++;
      return id;
    }
    let key = this.findKey(place.key);
    if (key === 0) {
      key = image.allocate(KeyRecord.words);
      const text = image.storeText(place.key);
      image.i32[key + KeyRecord.hash] = hashText(place.key);
      image.i32[key + KeyRecord.text] = text;
      this.keys.add(key);
    }
    const path = place.path.length === 0 ? '' : JSON.stringify(place.path);
    let record = image.i32[key + KeyRecord.firstPlace]!;
    while (record !== 0 && !this.hasPath(record, path)) record = image.i32[record + PlaceRecord.next]!;
    if (record === 0) {
      record = this.makePlace();
      const text = path === '' ? 0 : image.storeText(path);
      const { i32 } = image;
      i32[record + PlaceRecord.key] = key;
      i32[record + PlaceRecord.path] = text;
      i32[record + PlaceRecord.next] = i32[key + KeyRecord.firstPlace]!;
      i32[key + KeyRecord.firstPlace] = record;
    }
    image.i32[record + PlaceRecord.references]!++;
    return image.i32[record + PlaceRecord.id]!;
  }

  private hasPath(record: number, path: string): boolean {
    const text = this.image.i32[record + PlaceRecord.path]!;
    return text === 0 ? path === '' : this.image.isText(text, path);
  }

  releasePlace(id: number): void {
    const { image } = this;
    const { i32 } = image;
    const record = this.placeOf(id);
    if (--i32[record + PlaceRecord.references]! > 0) return;
    const key = i32[record + PlaceRecord.key]!;
    let link = key + KeyRecord.firstPlace;
    while (i32[link] !== record) link = i32[link]! + PlaceRecord.next;
    i32[link] = i32[record + PlaceRecord.next]!;
    if (i32[key + KeyRecord.firstPlace] === 0) {
      this.keys.remove(key);
      image.releaseText(i32[key + KeyRecord.text]!);
      image.release(key, KeyRecord.words);
    }
    if (i32[record + PlaceRecord.path] !== 0) image.releaseText(i32[record + PlaceRecord.path]!);
    image.release(record, PlaceRecord.words);
    const free = listAdd(image, image.i32[Header.freeSlots]!, id);
    image.i32[Header.freeSlots] = free;
  }

  /** The record of a trait of a place. */
  holdTrait(placeId: number, trait: Trait | { kind: 'bound'; value: string }): number {
    const { image } = this;
    const kind = kindOf(trait);
    const operand = operandOf(trait);
    const found =
      typeof operand === 'number'
        ? this.findNumber(placeId, kind, operand)
        : this.findText(placeId, kind, operand);
    if (found !== 0) {
      image.i32[found + TraitRecord.references]!++;
      return found;
    }
    const what = kind | (placeId << 4);
    const isNumber = typeof operand === 'number';
    const record = image.allocate(TraitRecord.words + (isNumber ? 0 : textWords(operand.length)));
    const { i32, f64 } = image;
    if (isNumber) f64[(record + TraitRecord.operand) >> 1] = operand;
    else {
      i32[record + TraitRecord.operand] = record + TraitRecord.words;
      image.writeText(record + TraitRecord.words, operand);
    }
    i32[record + TraitRecord.hash] = isNumber ? hashNumberTrait(what, operand) : hashTextTrait(what, operand);
    i32[record + TraitRecord.what] = what;
    i32[record + TraitRecord.references] = 1;
    this.traits.add(record);
    this.count(placeId, kind, record, 1);
    image.i32[this.placeOf(placeId) + PlaceRecord.references]!++;
    return record;
  }

  releaseTrait(trait: number): void {
    const { image } = this;
    const { i32 } = image;
    if (--i32[trait + TraitRecord.references]! > 0) return;
    const placeId = i32[trait + TraitRecord.what]! >>> 4;
    const kind = (i32[trait + TraitRecord.what]! & 15) as TraitKind;
    this.traits.remove(trait);
    this.count(placeId, kind, 0, -1);
    const text = kind >= TraitKind.text ? textWords(i32[trait + TraitRecord.words]!) : 0;
    image.release(trait, TraitRecord.words + text);
    this.releasePlace(placeId);
  }

  /** What a place has to look for in a document. */
  private count(placeId: number, kind: TraitKind, exists: number, by: number): void {
    const { i32 } = this.image;
    const record = this.placeOf(placeId);
    switch (kind) {
      case TraitKind.exists:
        i32[record + PlaceRecord.exists] = exists;
        return;
      case TraitKind.gram:
      case TraitKind.anchoredGram:
        i32[record + PlaceRecord.grams]! += by;
        return;
      case TraitKind.lowerGram:
      case TraitKind.anchoredLowerGram:
        i32[record + PlaceRecord.lowerGrams]! += by;
        return;
      case TraitKind.type:
        i32[record + PlaceRecord.types]! += by;
        return;
      case TraitKind.size:
        i32[record + PlaceRecord.sizes]! += by;
        return;
      case TraitKind.bound:
        i32[record + PlaceRecord.bounds]! += by;
        return;
      case TraitKind.json:
        i32[record + PlaceRecord.jsons]! += by;
        break;
      case TraitKind.number:
      case TraitKind.constant:
      case TraitKind.text:
    }
    i32[record + PlaceRecord.values]! += by;
  }

  /**
   * The record of an evaluated condition.
   * @param placeIds on which it depends; given to it to keep
   * @param needs for a new one: traits of which one must be there for it to hold, given to it to keep; none: not known
   */
  holdOpaque(text: string, placeIds: readonly number[], needs: () => readonly number[]): number {
    const { image } = this;
    const hash = hashText(text);
    const found = this.opaques.find(hash, (record) =>
      image.isText(image.i32[record + OpaqueRecord.text]!, text),
    );
    if (found !== 0) {
      image.i32[found + OpaqueRecord.references]!++;
      for (const id of placeIds) this.releasePlace(id);
      return found;
    }
    const record = image.allocate(OpaqueRecord.words);
    const stored = image.storeText(text);
    let places = 0;
    for (const id of placeIds) places = listAdd(image, places, id);
    let needed = 0;
    for (const trait of needs()) needed = listAdd(image, needed, trait);
    const { i32 } = image;
    i32[record + OpaqueRecord.needs] = needed;
    i32[record + OpaqueRecord.hash] = hash;
    i32[record + OpaqueRecord.text] = stored;
    i32[record + OpaqueRecord.references] = 1;
    i32[record + OpaqueRecord.serial] = ++i32[Header.serial]!;
    i32[record + OpaqueRecord.places] = places;
    this.opaques.add(record);
    return record;
  }

  releaseOpaque(record: number): void {
    const { image } = this;
    const { i32 } = image;
    if (--i32[record + OpaqueRecord.references]! > 0) return;
    this.opaques.remove(record);
    const places = i32[record + OpaqueRecord.places]!;
    for (let i = listLength(image, places) - 1; i >= 0; i--) this.releasePlace(listItem(image, places, i));
    listRelease(image, places);
    const needs = i32[record + OpaqueRecord.needs]!;
    for (let i = listLength(image, needs) - 1; i >= 0; i--) this.releaseTrait(listItem(image, needs, i));
    listRelease(image, needs);
    image.releaseText(i32[record + OpaqueRecord.text]!);
    image.release(record, OpaqueRecord.words);
  }
}

function kindOf(trait: Trait | { kind: 'bound' }): TraitKind {
  if (trait.kind !== 'gram') return TraitKind[trait.kind];
  if (trait.lower) return trait.anchored ? TraitKind.anchoredLowerGram : TraitKind.lowerGram;
  return trait.anchored ? TraitKind.anchoredGram : TraitKind.gram;
}

function operandOf(trait: Trait | { kind: 'bound'; value: string }): number | string {
  switch (trait.kind) {
    case 'constant':
      return constantCode(trait.value);
    case 'exists':
      return 0;
    case 'gram':
      return gramCode(trait.value, 0);
    default:
      return trait.value;
  }
}
