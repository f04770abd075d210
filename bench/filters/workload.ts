import type { FilterDocument } from '../../src/filters/index.js';
import type { Filter } from './clauses.js';
import { syntheticWorkloads } from './synthetic.js';
import { weatherWorkload } from './weather.js';

/** One endpoint's change. */
export interface Update {
  /** whose: stays the same along its updates */
  endpoint: number;
  before: FilterDocument;
  after: FilterDocument;
  changedKeys: string[];
}

/** `one`: one key. `ten`: ten keys, or what the workload has for it. */
export type UpdateKind = 'one' | 'ten';

/** Documents that change, the same way in every process. */
export interface UpdateStream {
  /** the next change of the next endpoint; it continues from what the ones before have left */
  next(kind: UpdateKind): Update;
  /** the next endpoint as it stands */
  document(): FilterDocument;
}

export interface Workload {
  id: string;
  title: string;
  /** Endless: the filters of a size are the first so many. */
  filters(): Generator<Filter, never>;
  openStream(seed: number): UpdateStream;
}

export const WORKLOADS: readonly Workload[] = [...syntheticWorkloads, weatherWorkload];
