import type { Test } from 'tap';
import { answerContract } from './contract/answers.js';
import { filterContract } from './contract/filters-and-tasks.js';
import { listContract } from './contract/lists.js';
import { metadataKeyContract } from './contract/metadata-keys.js';
import { membershipContract } from './contract/memberships.js';
import { outboxContract } from './contract/outbox.js';
import { randomContract } from './contract/random.js';
import { recordContract } from './contract/records.js';
import { relationContract } from './contract/relations.js';
import { scanContract } from './contract/scans.js';
import type { OpenStore } from './contract/building.js';

export type { OpenedStore, OpenStore } from './contract/building.js';

/**
 * What every keeper of the storage port must do. `open` gives a store that is empty, each time another one, and takes
 * care that it is closed and removed at the end of the test that it is given.
 */
export function storeContract(t: Test, open: OpenStore): void {
  void t.test('records', async (t) => recordContract(t, open));
  void t.test('lists', async (t) => listContract(t, open));
  void t.test('scans', async (t) => scanContract(t, open));
  void t.test('metadata keys', async (t) => metadataKeyContract(t, open));
  void t.test('memberships', async (t) => membershipContract(t, open));
  void t.test('outbox', async (t) => outboxContract(t, open));
  void t.test('relations', async (t) => relationContract(t, open));
  void t.test('filters, tasks, secrets', async (t) => filterContract(t, open));
  void t.test('answers', async (t) => answerContract(t, open));
  void t.test('any sequence of writes', async (t) => randomContract(t, open));
}
