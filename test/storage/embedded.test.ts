import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openEmbeddedStore } from '../../src/storage/embedded/index.js';
import { storeContract } from './store-contract.js';

function emptyFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'epr-store-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

for (const durability of ['sync', 'async'] as const) {
  void t.test(`the contract, ${durability}`, async (t) => {
    storeContract(t, async (t) => {
      const url = `file:${emptyFolder(t)}`;
      let store = await openEmbeddedStore({ url, durability });
      t.teardown(() => store.close());
      const reopen = async () => {
        await store.close();
        store = await openEmbeddedStore({ url, durability });
        return store;
      };
      return { store, reopen };
    });
  });
}
