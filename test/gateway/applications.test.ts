/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access -- answers are JSON of any shape */
import t from 'tap';
import { startHarness } from './harness.js';

const KETTLE = { name: 'kettle', versions: [{ name: 'kettle-v1' }, { name: 'kettle-v2' }] };
const OTHER = { name: 'other', versions: [{ name: 'other-v1' }] };

const SMART = {
  name: 'smart_kettle',
  versions: [{ name: 'smart_kettle-v1' }, { name: 'smart_kettle-v2' }],
};

void t.test('applications by name, with their versions', async (t) => {
  const h = await startHarness(t);
  t.same((await h.call('GET', '/applications')).json, {
    totalElements: 3,
    content: [KETTLE, OTHER, SMART],
  });
  t.same((await h.call('GET', '/applications?offset=1&limit=1')).json, {
    totalElements: 3,
    content: [OTHER],
  });
  t.same((await h.call('GET', '/applications?offset=9')).json, { totalElements: 3, content: [] });
  t.equal((await h.call('GET', '/applications?limit=0')).status, 400);
  t.equal((await h.call('GET', '/applications?name=x')).json.code, 'unknown-parameter');
});

void t.test('only those of the tenant that the caller may read', async (t) => {
  for (const [tenant, granted, expected] of [
    ['kaa', 'application-other', [OTHER]],
    ['elsewhere', 'application-other', []],
  ] as const) {
    const h = await startHarness(t, {
      access: {
        authenticates: true,
        authenticate: async () => ({ tenant }),
        decide: async (_caller, _scope, resources) => resources.map((each) => each === granted),
      },
    });
    const { json } = await h.call('GET', '/applications');
    t.same(json, { totalElements: expected.length, content: expected });
  }
});
