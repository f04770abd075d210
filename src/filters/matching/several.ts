import type { JsonValue } from '../../model/json.js';
import { compareStrings } from '../values.js';
import { gramCode, gramOf } from './codes.js';
import type { Dictionary } from './dictionary.js';
import { TraitKind, TraitRecord } from './layout.js';
import { GRAM_UNITS } from './take-apart.js';

/** So many traits are compared one by one. */
const MOST_COMPARED = 16;

/**
 * What a place yields, when that is more values than one, or one of which more is asked than its value. Its grams are looked
 * up when all traits are wanted; whether it has one of them costs a look at its texts.
 */
export class Several {
  /** something that is not missing */
  exists = false;
  /** least and greatest number; infinities the wrong way round when there is none */
  least = Infinity;
  greatest = -Infinity;
  leastText: string | undefined;
  greatestText: string | undefined;
  /** traits that are no grams, each once */
  readonly plain: number[] = [];
  /** the same, when they are many */
  private known: Set<number> | undefined;
  /** whether grams are wanted, of texts as they are, and of lower-case ones */
  private exact = false;
  private lower = false;
  private readonly texts: string[] = [];
  private lowered: readonly string[] | undefined;
  private all: Set<number> | undefined;
  private list: readonly number[] | undefined;

  constructor(
    private readonly dictionary: Dictionary,
    private readonly placeId: number,
  ) {}

  /** Begins with another document. */
  reset(grams: { exact: boolean; lower: boolean }): void {
    this.exists = false;
    this.least = Infinity;
    this.greatest = -Infinity;
    this.leastText = this.greatestText = undefined;
    this.plain.length = this.texts.length = 0;
    this.known = this.lowered = this.all = this.list = undefined;
    this.exact = grams.exact;
    this.lower = grams.lower;
  }

  /** Whether `traits` are known without another look at texts. */
  get isComplete(): boolean {
    return this.all !== undefined || this.texts.length === 0;
  }

  /** All of its traits. O(length of the texts) at the first time, if grams are wanted. */
  get traits(): readonly number[] {
    if (this.texts.length === 0) return this.plain;
    return (this.list ??= [...(this.all ??= this.withGrams())]);
  }

  add(element: JsonValue | undefined, wantsTexts: boolean): void {
    if (element !== undefined) this.exists = true;
    if (typeof element === 'number') {
      if (element < this.least) this.least = element;
      if (element > this.greatest) this.greatest = element;
    } else if (typeof element === 'string') {
      if (this.exact || this.lower) this.texts.push(element);
      if (wantsTexts) this.addText(element);
    }
  }

  /** @param trait 0: none */
  addTrait(trait: number): void {
    if (trait === 0 || this.hasPlain(trait)) return;
    this.plain.push(trait);
    if (this.known !== undefined) this.known.add(trait);
    else if (this.plain.length > MOST_COMPARED) this.known = new Set(this.plain);
  }

  private hasPlain(trait: number): boolean {
    return this.known === undefined ? this.plain.includes(trait) : this.known.has(trait);
  }

  private addText(text: string): void {
    const { leastText, greatestText } = this;
    if (leastText === undefined || compareStrings(text, leastText) < 0) this.leastText = text;
    if (greatestText === undefined || compareStrings(text, greatestText) > 0) this.greatestText = text;
  }

  has(trait: number): boolean {
    if (this.all !== undefined) return this.all.has(trait);
    if (this.hasPlain(trait)) return true;
    if (this.texts.length === 0) return false;
    const { i32, f64 } = this.dictionary.image;
    const kind = i32[trait + TraitRecord.what]! & 15;
    if (kind < TraitKind.anchoredGram || kind > TraitKind.lowerGram) return false;
    const gram = gramOf(f64[(trait + TraitRecord.operand) >> 1]!);
    const isLower = kind === TraitKind.anchoredLowerGram || kind === TraitKind.lowerGram;
    const isAnchored = kind === TraitKind.anchoredGram || kind === TraitKind.anchoredLowerGram;
    const texts = isLower ? this.lowerTexts() : this.texts;
    return texts.some((text) => (isAnchored ? text.startsWith(gram) : text.includes(gram)));
  }

  private lowerTexts(): readonly string[] {
    return (this.lowered ??= this.texts.map((text) => text.toLowerCase()));
  }

  private withGrams(): Set<number> {
    const traits = new Set(this.plain);
    if (this.exact)
      for (const text of this.texts) this.addGrams(text, traits, TraitKind.anchoredGram, TraitKind.gram);
    if (this.lower)
      for (const text of this.lowerTexts())
        this.addGrams(text, traits, TraitKind.anchoredLowerGram, TraitKind.lowerGram);
    traits.delete(0);
    return traits;
  }

  private addGrams(text: string, traits: Set<number>, first: TraitKind, anywhere: TraitKind): void {
    const { dictionary, placeId } = this;
    if (text.length < GRAM_UNITS) return;
    traits.add(dictionary.findNumber(placeId, first, gramCode(text, 0)));
    for (let i = 0; i <= text.length - GRAM_UNITS; i++)
      traits.add(dictionary.findNumber(placeId, anywhere, gramCode(text, i)));
  }
}
