import { compareTexts } from '../../src/filters/matching/bounds.js';
import { capacityOf, Header, type Image, textWords } from '../../src/filters/matching/image.js';
import {
  FilterRecord,
  KeyRecord,
  LeafKind,
  LeafWords,
  OpaqueRecord,
  PlaceId,
  PlaceRecord,
  Posting,
  QueryRecord,
  SectionedPlace,
  SectionRecord,
  SECTIONS,
  TraitKind,
  TraitRecord,
  TraitSet,
} from '../../src/filters/matching/layout.js';
import { listItem, listLength, type ListRef } from '../../src/filters/matching/lists.js';

type Table = 'keys' | 'values' | 'opaques' | 'programs' | 'traitSets' | 'sections';

/** What an image is made of, after all of it was walked. */
export interface Audit {
  counts: Record<Table | 'places' | 'filters', number>;
  /** words of blocks in use */
  used: number;
  /** what is not as docs/matching.md promises */
  faults: string[];
}

const FIRST_BLOCK = Header.free + 16 + 4 * 24;
const BOUNDS = [
  [LeafKind.fromNumber, PlaceRecord.fromNumbers],
  [LeafKind.belowNumber, PlaceRecord.belowNumbers],
  [LeafKind.fromText, PlaceRecord.fromTexts],
  [LeafKind.belowText, PlaceRecord.belowTexts],
] as const;
const GATED = PlaceRecord.gated - PlaceRecord.fromNumbers;

/** How often each name was met; two of them are compared. */
class Tally {
  readonly counts = new Map<string, number>();

  add(name: string, by = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + by);
  }

  differences(other: Tally): string[] {
    const names = new Set([...this.counts.keys(), ...other.counts.keys()]);
    return [...names]
      .map((name) => ({ name, is: this.counts.get(name) ?? 0, wanted: other.counts.get(name) ?? 0 }))
      .filter(({ is, wanted }) => is !== wanted)
      .map(({ name, is, wanted }) => `${name}: ${is}, not ${wanted}`);
  }
}

/**
 * Walks all that an image has: each block is in use once or free once and none is lost, references are as many as there
 * are referrers, and each condition and gate lists the queries that have it, and no others.
 */
export function auditImage(image: Image): Audit {
  const { i32, f64 } = image;
  const faults: string[] = [];
  const owners = new Map<number, { words: number; owner: string }>();
  const references = { is: new Tally(), wanted: new Tally() };
  const listings = { is: new Tally(), wanted: new Tally() };
  let used = 0;

  const own = (place: number, words: number, owner: string): void => {
    const other = owners.get(place);
    if (other !== undefined) faults.push(`block ${place} is both ${other.owner} and ${owner}`);
    owners.set(place, { words: capacityOf(words), owner });
    if (owner !== 'free') used += capacityOf(words);
  };
  const ownText = (place: number, owner: string): void => own(place, textWords(i32[place]!), owner);
  const itemsOf = (list: ListRef): number[] =>
    Array.from({ length: listLength(image, list) }, (_, i) => listItem(image, list, i));
  const ownList = (list: ListRef, owner: string): number[] => {
    if (list > 0) own(list, i32[list]! + 2, owner);
    return itemsOf(list);
  };
  const recordsOf = (table: Table): number[] => {
    const base = i32[Header[table]]!;
    if (base === 0) return [];
    const places = i32[Header[table] + 1]! + 1;
    own(base, places, `table ${table}`);
    const records = [...i32.subarray(base, base + places)].filter((record) => record !== 0);
    if (records.length !== i32[Header[table] + 2]) faults.push(`table ${table} counts wrongly`);
    return records;
  };
  /** Lists and bounds that may have sections, by the words that name them. */
  const divided = new Map<number, { name: string; isText?: boolean }>();
  const sectioned = { is: new Tally(), wanted: new Tally() };
  const checkGuard = (at: number, trait?: number): void => {
    if (
      trait !== undefined &&
      (i32[at] !== (LeafKind.trait | (i32[trait + TraitRecord.what]! & ~15)) ||
        i32[at + Posting.operand] !== trait)
    )
      faults.push(`a section has a query with another guard`);
    if (i32[at + Posting.what] === 0) return;
    if ((i32[at + Posting.what]! & 15) === LeafKind.betweenNumbers) {
      checkRange(at);
      return;
    }
    const query = i32[at + Posting.query]!;
    const isGuard = leavesOf(query).some((leaf) => {
      // of an evaluated condition it is the one trait that it needs
      if ((i32[leaf + LeafWords.what]! & 15) === LeafKind.evaluated)
        return i32[i32[leaf + LeafWords.operand]! + OpaqueRecord.needs] === -i32[at + Posting.operand]!;
      return (
        i32[leaf + LeafWords.what] === i32[at + Posting.what] &&
        i32[leaf + LeafWords.operand] === i32[at + Posting.operand] &&
        i32[leaf + LeafWords.operand + 1] === i32[at + Posting.operand + 1]
      );
    });
    if (!isGuard) faults.push(`query ${query} has a guard that is no leaf of it`);
  };
  /** Two leaves as one, what they allow rounded outward to floats. */
  const checkRange = (at: number): void => {
    const query = i32[at + Posting.query]!;
    const place = i32[at + Posting.what]! & ~15;
    const boundsOf = (kind: number): number[] =>
      leavesOf(query)
        .filter((leaf) => i32[leaf + LeafWords.what] === place + kind)
        .map((leaf) => f64[(leaf + LeafWords.operand) >> 1]!);
    const [low, high] = [image.f32[at + Posting.operand]!, image.f32[at + Posting.operand + 1]!];
    const isClose = (float: number, bound: number): boolean =>
      float === bound ||
      Math.abs(float - bound) <= Math.abs(bound) * 2 ** -22 + 2 ** -149 ||
      !Number.isFinite(Math.fround(bound));
    if (!boundsOf(LeafKind.fromNumber).some((bound) => low <= bound && isClose(low, bound)))
      faults.push(`query ${query} has a range as guard that begins elsewhere`);
    if (!boundsOf(LeafKind.belowNumber).some((bound) => high >= bound && isClose(high, bound)))
      faults.push(`query ${query} has a range as guard that ends elsewhere`);
  };
  const leavesOf = (query: number): number[] =>
    Array.from(
      { length: i32[query + QueryRecord.leaves]! },
      (_, i) => query + QueryRecord.firstLeaf + i * LeafWords.words,
    );
  const ownGuards = (list: number, name: string, trait?: number): void => {
    if (list === 0) return;
    own(list, 4 + i32[list]! * Posting.words, `guards of ${name}`);
    if (i32[list + 1] === 0) faults.push(`${name} has an empty list`);
    for (let i = 0; i < i32[list + 1]!; i++) {
      const at = list + 4 + i * Posting.words;
      listings.is.add(`${name} -> query ${i32[at + Posting.query]}`);
      checkGuard(at, trait);
      if (trait !== undefined) countSectioned(name, trait);
    }
  };
  const countSectioned = (name: string, trait: number): void =>
    sectioned.wanted.add(`${name} by place ${i32[trait + TraitRecord.what]! >>> 4}`);
  const boundText = (trait: number): string => image.readText(i32[trait + TraitRecord.operand]!);
  const ownBounds = (bounds: number, name: string, isText: boolean, trait?: number): void => {
    if (bounds === 0) return;
    own(bounds, 4 + i32[bounds]! * 4, `bounds of ${name}`);
    let former: number | undefined;
    for (let page = 0; page < i32[bounds + 1]!; page++) {
      const [base, entries, room] = i32.subarray(bounds + 4 + page * 4) as unknown as [
        number,
        number,
        number,
      ];
      own(base, room * 6, `page of ${name}`);
      if (entries === 0 || entries > room) faults.push(`${name} has a page of ${entries} in ${room}`);
      for (let at = base; at < base + entries * 6; at += 6) {
        const bound = isText ? i32[at]! : f64[at >> 1]!;
        if (former !== undefined) {
          const ascends = isText
            ? compareTexts(image, boundText(former), i32[bound + TraitRecord.operand]!) <= 0
            : former <= bound;
          if (!ascends) faults.push(`${name} does not ascend`);
        }
        former = bound;
        listings.is.add(`${name} ${bound} -> query ${i32[at + 2 + Posting.query]}`);
        checkGuard(at + 2, trait);
        if (trait !== undefined) countSectioned(name, trait);
      }
    }
  };

  /** A list or bounds that may have sections. */
  const ownDivided = (word: number, name: string, isText?: boolean): void => {
    if (isText === undefined) ownGuards(i32[word]!, name);
    else ownBounds(i32[word]!, name, isText);
    divided.set(word, isText === undefined ? { name } : { name, isText });
    const block = i32[word + SECTIONS]!;
    if (block === 0) return;
    own(block, 4 + i32[block]! * SectionedPlace.words, `sections of ${name}`);
    let inSections = 0;
    for (let i = 0; i < i32[block + 1]!; i++) {
      const at = block + 4 + i * SectionedPlace.words;
      inSections += i32[at + SectionedPlace.inSections]!;
      sectioned.is.add(
        `${name} by place ${i32[at + SectionedPlace.place]}`,
        i32[at + SectionedPlace.inSections],
      );
    }
    if (i32[word] === 0 && inSections === 0) faults.push(`${name} counts sections and has none`);
  };

  // the lists of the header
  const slots = ownList(i32[Header.slots]!, 'slots');
  const freeSlots = new Set(ownList(i32[Header.freeSlots]!, 'free slots'));
  ownList(i32[Header.queries]!, 'queries');
  ownList(i32[Header.freeQueries]!, 'free queries');
  for (const query of ownList(i32[Header.unconditional]!, 'unconditional'))
    listings.is.add(`unconditional -> query ${query}`);

  const filterCount = i32[Header.filters + 2]!;
  const filters = i32[Header.filters]!;
  if (filters !== 0) own(filters, i32[Header.filters + 1]! * FilterRecord.words, 'filters');
  for (let i = 0; i < filterCount; i++) {
    const record = filters + i * FilterRecord.words;
    ownText(i32[record + FilterRecord.id]! & ~1, 'id of a filter');
    ownText(i32[record + FilterRecord.name]!, 'name of a filter');
    listings.wanted.add(`query ${i32[record + FilterRecord.query]} -> filter ${i32[record]}`);
    if (i > 0 && i32[record]! <= i32[record - FilterRecord.words]!) faults.push('filters do not ascend');
  }

  for (const key of recordsOf('keys')) {
    own(key, KeyRecord.words, 'key');
    ownText(i32[key + KeyRecord.text]!, 'text of a key');
    let place = i32[key + KeyRecord.firstPlace]!;
    if (place === 0) faults.push(`key ${key} has no place`);
    for (; place !== 0; place = i32[place + PlaceRecord.next]!)
      references.is.add(`chained place ${i32[place + PlaceRecord.id]}`);
  }

  let places = 0;
  slots.forEach((place, i) => {
    const id = i + 1;
    if (freeSlots.has(id)) return;
    places++;
    const name = `place ${id}`;
    own(place, PlaceRecord.words, name);
    references.is.add(name, i32[place + PlaceRecord.references]);
    references.is.add(`needed at ${name}`, i32[place + PlaceRecord.needed]);
    if (id <= PlaceId.id) references.wanted.add(name);
    else references.wanted.add(`chained place ${id}`);
    if (i32[place + PlaceRecord.path] !== 0) ownText(i32[place + PlaceRecord.path]!, 'path');
    for (const opaque of ownList(i32[place + PlaceRecord.evaluated]!, `evaluated of ${name}`))
      listings.is.add(`${name} -> opaque ${opaque}`);
    for (const [kind, word] of BOUNDS) {
      const isText = kind === LeafKind.fromText || kind === LeafKind.belowText;
      ownDivided(place + word, `${name} kind ${kind}`, isText);
      ownBounds(i32[place + word + GATED]!, `gates of ${name} kind ${kind}`, isText);
    }
  });

  for (const trait of recordsOf('values')) {
    const kind = i32[trait + TraitRecord.what]! & 15;
    const text = kind >= TraitKind.text ? textWords(i32[trait + TraitRecord.words]!) : 0;
    own(trait, TraitRecord.words + text, `trait ${trait}`);
    references.is.add(`trait ${trait}`, i32[trait + TraitRecord.references]);
    references.wanted.add(`place ${i32[trait + TraitRecord.what]! >>> 4}`);
    ownDivided(trait + TraitRecord.queries, `trait ${trait}`);
    ownGuards(i32[trait + TraitRecord.gated]!, `gate ${trait}`);
    for (const opaque of ownList(i32[trait + TraitRecord.evaluated]!, `evaluated of trait ${trait}`))
      listings.is.add(`trait ${trait} -> opaque ${opaque}`);
  }

  for (const set of recordsOf('traitSets')) {
    const count = i32[set + TraitSet.count]!;
    own(set, TraitSet.firstTrait + count, `set ${set}`);
    references.is.add(`set ${set}`, i32[set + TraitSet.references]);
    for (let i = 0; i < count; i++) references.wanted.add(`trait ${i32[set + TraitSet.firstTrait + i]}`);
  }

  for (const opaque of recordsOf('opaques')) {
    own(opaque, OpaqueRecord.words, `opaque ${opaque}`);
    ownText(i32[opaque + OpaqueRecord.text]!, 'text of an opaque');
    references.is.add(`opaque ${opaque}`, i32[opaque + OpaqueRecord.references]);
    ownDivided(opaque + OpaqueRecord.queries, `opaque ${opaque}`);
    const needs = ownList(i32[opaque + OpaqueRecord.needs]!, 'needs of an opaque');
    for (const trait of needs) {
      references.wanted.add(`trait ${trait}`);
      references.wanted.add(`needed at place ${i32[trait + TraitRecord.what]! >>> 4}`);
      listings.wanted.add(`trait ${trait} -> opaque ${opaque}`);
    }
    for (const id of ownList(i32[opaque + OpaqueRecord.places]!, 'places of an opaque')) {
      references.wanted.add(`place ${id}`);
      if (needs.length === 0) listings.wanted.add(`place ${id} -> opaque ${opaque}`);
    }
  }

  for (const section of recordsOf('sections')) {
    own(section, SectionRecord.words, 'section');
    const owner = divided.get(i32[section + SectionRecord.owner]!);
    const list = i32[section + SectionRecord.list]!;
    const trait = i32[section + SectionRecord.trait]!;
    if (owner === undefined || list === 0) faults.push(`section ${section} is empty, or of no list`);
    else if (owner.isText === undefined) ownGuards(list, owner.name, trait);
    else ownBounds(list, owner.name, owner.isText, trait);
  }

  const wantBound = (leaf: number, query: number, prefix: string): void => {
    const what = i32[leaf + LeafWords.what]!;
    const kind = what & 15;
    const isText = kind === LeafKind.fromText || kind === LeafKind.belowText;
    const bound = isText ? i32[leaf + LeafWords.operand]! : f64[(leaf + LeafWords.operand) >> 1]!;
    listings.wanted.add(`${prefix}place ${what >>> 4} kind ${kind} ${bound} -> query ${query}`);
  };
  const programs = recordsOf('programs');
  for (const query of programs) {
    const leaves = leavesOf(query);
    own(query, QueryRecord.firstLeaf + leaves.length * LeafWords.words, `query ${query}`);
    for (const number of ownList(i32[query + QueryRecord.numbers]!, 'numbers'))
      listings.is.add(`query ${query} -> filter ${number - 1}`);
    for (const leaf of leaves) {
      const what = i32[leaf + LeafWords.what]!;
      const operand = i32[leaf + LeafWords.operand]!;
      const kind = what & 15;
      if (kind === LeafKind.evaluated) {
        references.wanted.add(`opaque ${operand}`);
        listings.wanted.add(`opaque ${operand} -> query ${query}`);
        continue;
      }
      references.wanted.add(`place ${what >>> 4}`);
      switch (kind) {
        case LeafKind.traits:
          references.wanted.add(`set ${operand}`);
          for (let i = 0; i < i32[operand + TraitSet.count]!; i++)
            listings.wanted.add(`trait ${i32[operand + TraitSet.firstTrait + i]} -> query ${query}`);
          break;
        case LeafKind.trait:
        case LeafKind.exists:
          references.wanted.add(`trait ${operand}`);
          listings.wanted.add(`trait ${operand} -> query ${query}`);
          break;
        default:
          if (kind === LeafKind.fromText || kind === LeafKind.belowText)
            references.wanted.add(`trait ${operand}`);
          wantBound(leaf, query, '');
      }
    }
    const block = i32[query + QueryRecord.gates]!;
    if (block === 0) {
      if (leaves.length > 0 || i32[query + QueryRecord.constant] === 1)
        listings.wanted.add(`unconditional -> query ${query}`);
      continue;
    }
    own(block, i32[block]!, 'gates');
    let at = block + 2;
    for (let left = i32[block + 1]!; left > 0; left--) {
      const isPresent = at - block === i32[query + QueryRecord.gate];
      for (let i = 0; i < i32[at]!; i++) {
        const trait = i32[at + 1 + i * 2]!;
        if (trait !== 0) references.wanted.add(`trait ${trait}`);
        if (!isPresent) continue;
        if (trait !== 0) listings.wanted.add(`gate ${trait} -> query ${query}`);
        else wantBound(leaves[i32[at + 2 + i * 2]!]!, query, 'gates of ');
      }
      at += 1 + i32[at]! * 2;
    }
  }

  // every word behind the header belongs to one block, in use or free
  for (let head = Header.free, words = 1; head < FIRST_BLOCK; head++) {
    // 64 words are the last of the even steps, and would be the first of the growing ones
    if (head === Header.free + 16) {
      if (i32[head] !== 0) faults.push('a class of blocks is used that has no size of its own');
      continue;
    }
    const size = capacityOf(words);
    for (let free = i32[head]!; free !== 0; free = i32[free]!) {
      if (owners.has(free)) {
        own(free, size, 'free');
        break;
      }
      own(free, size, 'free');
    }
    words = size + 1;
  }
  let end: number = FIRST_BLOCK;
  let before = 'the header';
  for (const [place, { words, owner }] of [...owners].sort(([a], [b]) => a - b)) {
    if (place > end) faults.push(`${place - end} words at ${end} are lost`);
    if (place < end) faults.push(`${owner} at ${place} is in the block of ${before}`);
    end = place + words;
    before = owner;
  }
  if (end !== i32[Header.top]) faults.push(`blocks end at ${end}, not at ${i32[Header.top]}`);
  faults.push(...references.is.differences(references.wanted), ...listings.is.differences(listings.wanted));
  faults.push(...sectioned.is.differences(sectioned.wanted));

  const countOf = (table: Table): number => i32[Header[table] + 2]!;
  return {
    counts: {
      keys: countOf('keys'),
      values: countOf('values'),
      opaques: countOf('opaques'),
      programs: countOf('programs'),
      traitSets: countOf('traitSets'),
      sections: countOf('sections'),
      places,
      filters: filterCount,
    },
    used,
    faults: faults.slice(0, 10),
  };
}
