import t from 'tap';
import { readApplications } from '../../src/config/index.js';

const configs = (kaa: unknown) => Object.fromEntries(readApplications(kaa, 'here')?.applications ?? []);

void t.test('applications as in the file: nested and dotted keys, defaults', (t) => {
  t.same(
    configs({
      applications: {
        kettle: {
          tenant: 'acme',
          'metadata-inheritance.enabled': true,
          versions: { 'kettle-v1': {}, 'kettle-v2': null },
        },
        lamp: { 'metadata-inheritance': { enabled: 'true' }, versions: { 'lamp-v1': { anything: [1] } } },
        none: null,
        constructor: { versions: {} },
      },
    }),
    {
      kettle: { tenant: 'acme', versions: ['kettle-v1', 'kettle-v2'], metadataInheritance: true },
      lamp: { tenant: 'kaa', versions: ['lamp-v1'], metadataInheritance: true },
      none: { tenant: 'kaa', versions: [], metadataInheritance: false },
      constructor: { tenant: 'kaa', versions: [], metadataInheritance: false },
    },
  );
  t.same(configs({ applications: {} }), {});
  t.same(configs({ applications: null }), {});
  t.same(configs({}), {});
  t.end();
});

void t.test('what is wrong with one is no fault of the others, and is said', (t) => {
  const read = readApplications(
    {
      applications: {
        good: { versions: { v1: {} } },
        'Bad Name': {},
        'bad-tenant': { tenant: 'a b' },
        'bad-version': { versions: { 'V 1': {} } },
        'bad-flag': { 'metadata-inheritance': { enabled: 'perhaps' } },
        'dot.ted': { versions: { v1: {} } },
        ['long'.repeat(65)]: {},
        'bad-shape': [1],
        'bad-versions': { versions: ['v9'] },
        other: { versions: { v2: {} }, dashboards: { a: 1 }, 'auto-provisioning': true },
      },
      elsewhere: 1,
      epr: { 'restricted-metadata-keys': ['serial', 'mac'], 'connectivity-metadata': true },
    },
    'here',
  )!;
  t.same([...read.applications.keys()], ['good', 'other']);
  t.same(
    [...read.faulty],
    [
      'Bad Name',
      'bad-tenant',
      'bad-version',
      'bad-flag',
      'dot.ted',
      'long'.repeat(65),
      'bad-shape',
      'bad-versions',
    ],
  );
  t.same(read.problems, [
    'here: kaa.applications.Bad Name: found the name "Bad Name"; allowed: a name of a-z, 0-9, _ and -, of at most 256 characters',
    'here: kaa.applications.bad-tenant.tenant: found "a b"; allowed: letters, digits, _ and -',
    'here: kaa.applications.bad-version.versions.V 1: found the name "V 1"; allowed: a name of a-z, 0-9, _ and -, of at most 256 characters',
    'here: kaa.applications.bad-flag.metadata-inheritance.enabled: found "perhaps"; allowed: true or false',
    'here: kaa.applications.dot.ted: found the name "dot.ted"; allowed: a name of a-z, 0-9, _ and -, of at most 256 characters',
    read.problems.find((problem) => problem.includes('longlong'))!,
    'here: kaa.applications.bad-shape: found a list; allowed: a mapping of kaa.applications.bad-shape.versions, kaa.applications.bad-shape.tenant, kaa.applications.bad-shape.metadata-inheritance',
    'here: kaa.applications.bad-versions.versions: found a list; allowed: a mapping of kaa.applications.bad-versions.versions.<version>',
  ]);
  t.same(read.ignored, [
    'kaa.applications.other.dashboards',
    'kaa.applications.other.auto-provisioning',
    'kaa.elsewhere',
    'kaa.epr.connectivity-metadata',
  ]);
  t.same(read.restrictedMetadataKeys, ['serial', 'mac']);
  t.end();
});

void t.test('what is no configuration', (t) => {
  for (const kaa of [undefined, null, 1, 'x', [], { applications: [] }, { applications: 'x' }])
    t.equal(readApplications(kaa, 'here'), undefined);
  t.end();
});
