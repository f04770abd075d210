import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { parseQuery, type JsonObject, type JsonValue, type Query } from '../../src/filters/index.js';
import { type EmbeddedOptions, openEmbeddedStore } from '../../src/storage/embedded/index.js';
import type { RecordPage, RecordQuery, Store } from '../../src/storage/port.js';

export type Change = Partial<EmbeddedOptions>;

export async function openStore(t: Test, change: Change = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'epr-values-'));
  const open = () => openEmbeddedStore({ url: `file:${folder}`, durability: 'async', ...change });
  let store = await open();
  t.teardown(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const reopen = async () => {
    await store.close();
    return (store = await open());
  };
  return { store, reopen };
}

export function parsed(source: JsonObject): Query {
  const result = parseQuery(source);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.query;
}

export const entry = (key: string, value: JsonValue): JsonObject => ({
  metadata: { $elemMatch: { key, value } },
});

/** Asks until the answer goes along an index; what builds it goes on in the background. */
export async function untilIndexed(
  store: Store,
  query: RecordQuery,
  by: readonly string[],
): Promise<RecordPage> {
  for (let tries = 0; ; tries++) {
    const page = await store.find(query);
    if (by.every((name) => page.read!.by.includes(name))) return page;
    if (tries === 2000) throw new Error(`It still goes along ${page.read!.by.join()}, not ${by.join()}.`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
