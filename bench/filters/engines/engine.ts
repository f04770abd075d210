import type { FilterDocument } from '../../../src/filters/index.js';
import type { Filter } from '../clauses.js';
import type { Update } from '../workload.js';

export interface Flips {
  matched: number[];
  unmatched: number[];
}

/** An update in the form that an engine takes: made before the clock starts. */
export type Prepared = () => Flips;

/** A contestant. Filters have numbers, which ascend as they are added. */
export interface Engine {
  /** parses and adds: all that it takes until the filter counts */
  add(filterNumber: number, filter: Filter): void;
  remove(filterNumber: number): void;
  /** to be called for the filters that a new document matches; order does not matter */
  prepareRegistration(document: FilterDocument): () => number[];
  /**
   * To be called for what an update flips. Those that know no updates evaluate the new document and compare with what they
   * remember of the endpoint; what they would remember of its former updates is set up here.
   */
  prepareUpdate(update: Update): Prepared;
  /** Forgets what was remembered of endpoints: the filters have changed. */
  forget(): void;
}
