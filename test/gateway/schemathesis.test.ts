import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { findSchemathesis, type Schemathesis } from '../servers/index.js';
import { type Harness, startHarness } from './harness.js';
import { configText, type Fleet } from './schemathesis-config.js';

/** A long run gives more, and takes a seed of its own: `npm run test:walk`. */
const EXAMPLES = Number(process.env['EPR_WALK_EXAMPLES'] ?? 6);
const SEED = process.env['EPR_WALK_EXAMPLES'] === undefined ? 1 : undefined;
const LIMIT_MS = 6 * 60 * 60 * 1000;

// from build/test/gateway/ back to the sources, which the compiler does not copy
const hooks = {
  folder: fileURLToPath(new URL('../../../test/gateway/schemathesis/', import.meta.url)),
  module: 'hooks',
};

async function startFleet(h: Harness): Promise<Fleet> {
  const endpointIds = ['kettle-1', 'kettle-2', 'kettle-3', 'kettle-4'];
  for (const [i, endpointId] of endpointIds.entries()) {
    const appVersion = { name: `demo-v${(i % 2) + 1}` };
    const body = { appVersion, endpointId, metadata: { city: 'Kyiv', temp: i, nested: { a: [1, null] } } };
    const answer = await h.call('POST', '/endpoints', body);
    if (answer.status !== 201) throw new Error(answer.text);
  }
  const filterIds: string[] = [];
  for (const $gt of [0, 2]) {
    const mongoQuery = { metadata: { $elemMatch: { key: 'temp', value: { $gt } } } };
    const answer = await h.call('POST', '/applications/demo/filters', {
      name: `above ${$gt}`,
      mongoQuery,
    });
    filterIds.push((answer.json as { id: string }).id);
  }
  return {
    applications: ['demo', 'other'],
    versions: ['demo-v1', 'demo-v2', 'other-v1'],
    endpointIds: [...endpointIds, 'kettle-5'],
    keys: ['city', 'temp', 'nested', 'more'],
    filterIds,
  };
}

function walk(
  tester: Schemathesis,
  folder: string,
  document: string,
  h: Harness,
  more: readonly string[] = [],
) {
  const args = ['--config-file', join(folder, 'schemathesis.toml'), 'run', document];
  return tester.run([...args, '--url', `${h.origin}/api/v1`, '--no-color', ...more], { cwd: folder, hooks });
}

void t.test('a walk over the document: whatever is asked, every answer is as it says', async (t) => {
  t.setTimeout(LIMIT_MS);
  const tester = findSchemathesis(t);
  if (tester === undefined) return;
  const h = await startHarness(t);
  const folder = t.testdir({ 'schemathesis.toml': configText(await startFleet(h), EXAMPLES, SEED) });
  const { code, output } = await walk(tester, folder, `${h.origin}/api/v1/openapi.json`, h);
  t.equal(code, 0, 'no check failed');
  if (code !== 0 || SEED === undefined) t.comment(output);
  t.match(output, /Tested: \d\d/);
  t.same(h.logged, [], 'and nothing went wrong that was logged');
});

void t.test('the walk sees what is not as the document says', async (t) => {
  const tester = findSchemathesis(t);
  if (tester === undefined) return;
  const h = await startHarness(t);
  const folder = t.testdir({ 'schemathesis.toml': configText(await startFleet(h), 1, 1) });
  const document = (await h.call('GET', '/openapi.json')).text;
  writeFileSync(
    join(folder, 'damaged.json'),
    document.replaceAll('"totalElements":{"minimum":0,', '"totalElements":{"minimum":1000000,'),
  );
  const only = ['--include-operation-id', 'listEndpoints', '--phases', 'coverage'];
  const { code, output } = await walk(tester, folder, 'damaged.json', h, only);
  t.equal(code, 1);
  t.match(output, /totalElements|1000000/);
});
