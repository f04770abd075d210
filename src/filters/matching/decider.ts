import type { DocumentView } from '../document-view.js';
import { BOUND_WORDS, type GuardRun } from './bounds.js';
import { holdsOfScalar, holdsOfSeveral } from './conditions.js';
import type { Dictionary } from './dictionary.js';
import { DocumentState, Yield } from './document-state.js';
import { compileOpaque, type Evaluator, lengthOf } from './evaluators.js';
import { FIRST_GUARD } from './guards.js';
import { Header, type Image } from './image.js';
import {
  GO_FALSE,
  GO_TRUE,
  LeafKind,
  LeafWords,
  OpaqueRecord,
  Posting,
  QueryRecord,
  SectionedPlace,
  SECTIONS,
} from './layout.js';
import { listItem, listLength } from './lists.js';
import { FIRST_SECTIONED, Sections } from './sections.js';

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

const MOST_SEARCHES = 2 ** 31 - 2;
/** As estimated, with what it takes to find the query. */
const DECISION_NS = 200;

/**
 * Decides queries about the documents of a search: whether one holds, or has flipped. What was found out in a search is
 * marked by its number, so that nothing is cleared for the next one.
 */
export class Decider {
  readonly former: DocumentState;
  readonly latter: DocumentState;
  /** how often a query was decided, and a condition evaluated, since the beginning */
  readonly work: MatchingWork = { decisions: 0, evaluations: 0 };
  budget: MatchingBudget | undefined;
  /** what was decided in this search: numbers of filters */
  matched: number[] = [];
  unmatched: number[] = [];
  private readonly image: Image;
  private readonly sections: Sections;
  private readonly foundSections: number[] = [];
  /** by the place of its record */
  private readonly evaluators = new Map<number, Evaluator>();
  private search = 0;
  /** the search in which a place was found changed, by its id */
  private changed = new Int32Array(64);
  /** the search in which a query was decided, by its id */
  private decided = new Int32Array(64);
  /** whether the present search has a former document */
  private isUpdate = false;
  /** the last query that was false is so before and after: a condition that must hold does not, and has not changed */
  private failedForBoth = false;
  private from = -Infinity;
  private upTo = Infinity;

  constructor(dictionary: Dictionary) {
    this.image = dictionary.image;
    this.sections = new Sections(this.image);
    const routes: ConstructorParameters<typeof DocumentState>[1] = [];
    this.former = new DocumentState(dictionary, routes);
    this.latter = new DocumentState(dictionary, routes);
  }

  /** Another search. Only filters with a number above `from`, and not above `upTo`, are reported. */
  begin(before: DocumentView | undefined, after: DocumentView, from: number, upTo: number): void {
    if (this.search === MOST_SEARCHES) this.forget();
    const search = ++this.search;
    this.isUpdate = before !== undefined;
    this.matched = [];
    this.unmatched = [];
    this.from = from;
    this.upTo = upTo;
    const queries = listLength(this.image, this.image.i32[Header.queries]!);
    if (this.decided.length <= queries) this.decided = new Int32Array(queries * 2);
    const places = listLength(this.image, this.image.i32[Header.slots]!);
    if (this.changed.length <= places) this.changed = new Int32Array(places * 2);
    if (before !== undefined) this.former.begin(before, search, places);
    this.latter.begin(after, search, places);
  }

  /** A place may yield something else than before. Until it is said, it is the same on both sides. */
  markChanged(placeId: number): void {
    this.changed[placeId] = this.search;
  }

  private forget(): void {
    this.search = 0;
    this.changed.fill(0);
    this.decided.fill(0);
    this.former.forget();
    this.latter.forget();
    this.evaluators.clear();
  }

  /** Decides the queries of a list of guards and of its sections. @param at the word that names the list */
  decideListAt(at: number): void {
    this.decideList(this.image.i32[at]!);
    const sections = this.sectionsAt(at);
    for (let i = 0; i < sections.length; i++) this.decideList(sections[i]!);
  }

  /** The sections of a list, or of bounds, in which guards may hold. What is answered is overwritten by the next call. */
  sectionsAt(at: number): readonly number[] {
    const { i32 } = this.image;
    const found = this.foundSections;
    found.length = 0;
    const block = i32[at + SECTIONS]!;
    if (block === 0) return found;
    for (
      let i = 0, place = block + FIRST_SECTIONED;
      i < i32[block + 1]!;
      i++, place += SectionedPlace.words
    ) {
      if (i32[place + SectionedPlace.inSections] === 0) continue;
      const placeId = i32[place + SectionedPlace.place]!;
      this.findSections(at, this.latter, placeId);
      if (this.changed[placeId] === this.search && this.isUpdate) this.findSections(at, this.former, placeId);
    }
    return found;
  }

  private findSections(at: number, state: DocumentState, placeId: number): void {
    state.look(placeId);
    if (state.kind[placeId] !== Yield.several) {
      this.findSection(at, state.trait[placeId]!);
      return;
    }
    const traits = state.traits(placeId);
    for (let i = 0; i < traits.length; i++) this.findSection(at, traits[i]!);
  }

  private findSection(at: number, trait: number): void {
    const word = trait === 0 ? 0 : this.sections.find(at, trait);
    if (word !== 0) this.foundSections.push(this.image.i32[word]!);
  }

  /** Decides the queries of a list of guards. */
  decideList(list: number): void {
    if (list === 0) return;
    const first = list + FIRST_GUARD;
    this.decideGuards(first, first + this.image.i32[list + 1]! * Posting.words, Posting.words);
  }

  /** Decides the queries of bounds that were passed. */
  readonly decideBounds: GuardRun = (first, end) => this.decideGuards(first, end, BOUND_WORDS);

  /** Decides queries, but for those whose guard says that what has flipped changes nothing. */
  private decideGuards(first: number, end: number, words: number): void {
    const { latter, changed, search } = this;
    const { i32, f32 } = this.image;
    for (let guard = first; guard < end; guard += words) {
      const what = i32[guard + Posting.what]!;
      const placeId = what >>> 4;
      if (what !== 0) {
        latter.look(placeId);
        const hasChanged = changed[placeId] === search;
        // nearly all guards end here
        if (!hasChanged && latter.kind[placeId] !== Yield.several) {
          const at = guard + Posting.operand;
          const number = latter.number[placeId]!;
          switch (what & 15) {
            case LeafKind.trait:
              if (latter.trait[placeId] !== i32[at]) continue;
              break;
            case LeafKind.betweenNumbers:
              if (!(number >= f32[at]! && number < f32[at + 1]!)) continue;
              break;
            default:
              if (!this.holds(guard, latter)) continue;
          }
        } else if (!this.holds(guard, latter)) {
          if (!hasChanged || !this.isUpdate || !this.holds(guard, this.former)) continue;
        }
      }
      this.decide(i32[guard + Posting.query]!);
    }
  }

  /** Whether a query holds, or has flipped; once a search. */
  decide(query: number): void {
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
    if ((what & 15) === LeafKind.evaluated) return this.evaluate(i32[leaf + LeafWords.operand]!, state);
    const placeId = what >>> 4;
    // what has not changed is the same on both sides, and looked at once
    const side = state === this.former && this.changed[placeId] !== this.search ? this.latter : state;
    side.look(placeId);
    return side.kind[placeId] === Yield.several
      ? holdsOfSeveral(this.image, leaf, side.several[placeId]!)
      : holdsOfScalar(this.image, leaf, side);
  }

  /** An evaluated condition, once for a document. */
  evaluate(opaque: number, state: DocumentState): boolean {
    let evaluator = this.evaluators.get(opaque);
    if (evaluator === undefined || evaluator.serial !== this.image.i32[opaque + OpaqueRecord.serial])
      this.evaluators.set(opaque, (evaluator = compileOpaque(this.image, opaque)));
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
}
