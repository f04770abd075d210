import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { open } from 'lmdb';
import { openEmbeddedStore } from '../../src/storage/embedded/index.js';
import { idOf, register, unregister, written } from './contract/building.js';
import { storeContract } from './store-contract.js';

t.setTimeout(300_000);

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

void t.test('data of format 1 gets what it lacks when it is opened', async (t) => {
  const folder = emptyFolder(t);
  const options = { url: `file:${folder}`, durability: 'async' } as const;
  let store = await openEmbeddedStore(options);
  const fleet = Array.from({ length: 4500 }, (_, i) =>
    register({ id: idOf(i), version: i % 2 === 0 ? 'v1' : 'v2', metadata: { [`k${i % 3}`]: i } }),
  );
  await written(t, store, fleet);
  await written(t, store, [unregister({ id: idOf(0), revision: 2 })]);
  const expected = await store.metadataKeys('app');
  t.same(expected.get('v2'), ['k0', 'k1', 'k2']);
  await store.close();
  const env = open({ path: folder, encoding: 'binary', noSubdir: false, maxDbs: 32 });
  await env.openDB('keyCounts', { encoding: 'binary' }).clearAsync();
  await env.openDB('meta', { encoding: 'binary' }).put('format', Buffer.from([1, 0, 0, 0]));
  await env.close();
  for (let opened = 0; opened < 2; opened++) {
    store = await openEmbeddedStore(options);
    t.same(await store.metadataKeys('app'), expected);
    await store.close();
  }
});
