/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access -- answers are JSON of any shape */
import t from 'tap';
import { createCatalogue } from '../../src/model/catalogue.js';
import { openAccess } from '../../src/security/index.js';
import { startHarness } from './harness.js';

const KETTLE = { name: 'kettle', versions: [{ name: 'kettle-v1' }, { name: 'kettle-v2' }] };
const OTHER = { name: 'other', versions: [{ name: 'other-v1' }] };

void t.test('applications by name, with their versions', async (t) => {
  const h = await startHarness(t);
  const { totalElements, content } = (await h.call('GET', '/applications')).json as {
    totalElements: number;
    content: (typeof KETTLE)[];
  };
  const names = h.register
    .catalogue()
    .applications()
    .map(({ name }) => name);
  t.same(
    content.map(({ name }) => name),
    names.sort(),
  );
  t.equal(totalElements, names.length);
  t.same(
    content.find(({ name }) => name === 'kettle'),
    KETTLE,
  );
  t.same((await h.call('GET', '/applications?offset=1&limit=1')).json, {
    totalElements,
    content: [content[1]],
  });
  t.same((await h.call('GET', '/applications?offset=99')).json, { totalElements, content: [] });
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
        ...openAccess(),
        authenticates: true,
        authenticate: async () => ({ tenant }),
        decide: async (_caller, _scope, resources) => resources.map((each) => each === granted),
        granted: () => 'all',
      },
    });
    const { json } = await h.call('GET', '/applications');
    t.same(json, { totalElements: expected.length, content: expected });
  }
});

void t.test('what was deleted is shown as such', async (t) => {
  const kept = { tenant: 'kaa', metadataInheritance: false };
  const h = await startHarness(t, {
    catalogue: createCatalogue(
      [{ ...kept, name: 'kettle', versions: ['kettle-v2'] }],
      [
        { ...kept, name: 'kettle', versions: ['kettle-v1'] },
        { ...kept, name: 'gone', versions: ['gone-v1'] },
      ],
    ),
  });
  t.same((await h.call('GET', '/applications')).json, {
    totalElements: 2,
    content: [
      { name: 'gone', versions: [{ name: 'gone-v1', deleted: true }], deleted: true },
      { name: 'kettle', versions: [{ name: 'kettle-v2' }, { name: 'kettle-v1', deleted: true }] },
    ],
  });
  const body = { appVersion: { name: 'kettle-v1' } };
  t.equal((await h.call('POST', '/endpoints', body)).status, 404);
  t.equal((await h.call('GET', '/endpoints?applicationVersionName=kettle-v1')).status, 200);
});
