import { createFilterSet, parseQuery } from '../../../src/filters/index.js';
import { storedQuery } from '../clauses.js';
import type { Engine } from './engine.js';

/** The engine of this service, as its workers use it. */
export function createRegisterEngine(): Engine {
  const set = createFilterSet();
  return {
    add(filterNumber, filter) {
      const result = parseQuery(storedQuery(filter));
      if (!result.ok) throw new Error(JSON.stringify(result.faults));
      set.add(filterNumber, result.query);
    },
    remove: (filterNumber) => set.remove(filterNumber),
    prepareRegistration: (document) => () => set.matchAll(document),
    prepareUpdate:
      ({ before, after, changedKeys }) =>
      () =>
        set.findFlips(before, after, changedKeys),
    forget() {},
  };
}
