import t from 'tap';
import { openMongoStore } from '../../src/storage/mongodb/index.js';
import { startMongo } from '../servers/index.js';
import { storeContract } from './store-contract.js';

const mongo = await startMongo(t);
if (mongo !== undefined) {
  void t.test('the contract', (t) => {
    storeContract(t, async (t) => {
      const url = mongo.freshUrl();
      const open = () => openMongoStore({ url, durability: 'sync' });
      let store = await open();
      t.teardown(() => store.close());
      return {
        store,
        reopen: async () => {
          await store.close();
          return (store = await open());
        },
      };
    });
    t.end();
  });
}
