import { chanceOfSet } from './chances.js';
import type { Dictionary } from './dictionary.js';
import type { HeldLeaf, HeldTree } from './programs.js';

/** What a query can be looked for by, and the leaf that asks for it. */
export interface Gate {
  /** 0: the bound of the leaf */
  trait: number;
  leaf: HeldLeaf;
}

/** Of these gates one is open whenever the query holds. */
export type GateSet = readonly Gate[];

/** Sets that are kept of a query, to choose from as documents show how frequent traits are. */
const MOST_SETS = 4;
const MOST_GATES = 16;

/**
 * Sets of gates of a query: an access predicate (Hanson et al., SIGMOD 1990; Yan & Garcia-Molina, 1994) is any of them.
 * Holds every trait that is in the answer.
 */
export function gateSetsOf(tree: HeldTree, dictionary: Dictionary): GateSet[] {
  switch (tree.kind) {
    case 'not':
      return [];
    case 'leaf':
      if (tree.leaf.isBound) return [[{ trait: 0, leaf: tree.leaf }]];
      return tree.leaf.needs.map((need) =>
        need.map(({ place, trait }) => {
          const placeId = dictionary.holdPlace(place);
          const gate = { trait: dictionary.holdTrait(placeId, trait), leaf: tree.leaf };
          // the trait holds the place
          dictionary.releasePlace(placeId);
          return gate;
        }),
      );
    case 'and': {
      const sets = tree.of.flatMap((each) => gateSetsOf(each, dictionary));
      return keepBest(sets, dictionary);
    }
    case 'or': {
      const best: GateSet[] = [];
      let missing = false;
      for (const each of tree.of) {
        const sets = keepBest(gateSetsOf(each, dictionary), dictionary, 1);
        if (sets.length === 0) missing = true;
        best.push(...sets);
      }
      const union = best.flat();
      if (!missing && union.length <= MOST_GATES) return [union];
      releaseGates(union, dictionary);
      return [];
    }
  }
}

function keepBest(sets: readonly GateSet[], dictionary: Dictionary, most = MOST_SETS): GateSet[] {
  if (sets.length <= most) return [...sets];
  const ranked = sets
    .map((set) => ({
      set,
      chance: chanceOfSet(
        set.map(({ trait }) => trait),
        dictionary,
      ),
    }))
    .sort((a, b) => a.chance - b.chance);
  for (const { set } of ranked.slice(most)) releaseGates(set, dictionary);
  return ranked.slice(0, most).map(({ set }) => set);
}

export function releaseGates(gates: GateSet, dictionary: Dictionary): void {
  for (const { trait } of gates) if (trait !== 0) dictionary.releaseTrait(trait);
}
