import { StorageUnavailable, type Store } from '../storage/index.js';
import type { Replicas } from './replicas.js';

/** A store that refuses to write while this process may not: nothing is sent then. */
export function fenceStore(store: Store, replicas: Pick<Replicas, 'whyNot'>): Store {
  const check = (): void => {
    const why = replicas.whyNot();
    if (why !== undefined) throw new StorageUnavailable(why);
  };
  return {
    ...store,
    async commit(writes) {
      check();
      return store.commit(writes);
    },
    async commitRelations(write) {
      check();
      return store.commitRelations(write);
    },
    async putTask(task) {
      check();
      return store.putTask(task);
    },
    async commitFilters(writes, after) {
      check();
      return store.commitFilters(writes, after);
    },
  };
}
