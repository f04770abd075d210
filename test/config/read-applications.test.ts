import t from 'tap';
import { readApplications, type ReadApplications, type TextFlaw } from '../../src/config/index.js';

function read(kaa: unknown, flaws: readonly TextFlaw[] = []): ReadApplications {
  const found = readApplications(kaa, flaws);
  if (typeof found === 'string') throw new Error(found);
  return found;
}

const configs = (kaa: unknown) => Object.fromEntries(read(kaa).applications);

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
        none: {},
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
  t.end();
});

void t.test('what is wrong with one is no fault of the others, and is said', (t) => {
  const found = read({
    applications: {
      good: { versions: { v1: {} } },
      'Bad Name': {},
      'bad-tenant': { tenant: 'a b' },
      'bad-version': { versions: { 'V 1': {}, fine: {} } },
      'bad-flag': { 'metadata-inheritance': { enabled: 'perhaps' } },
      'dot.ted': { versions: { v1: {} } },
      ['long'.repeat(65)]: {},
      'bad-shape': [1],
      'bad-versions': { versions: ['v9'] },
      other: { versions: { v2: {} }, dashboards: { a: 1 }, 'auto-provisioning': true },
    },
    elsewhere: 1,
    epr: { 'restricted-metadata-keys': ['serial', 'mac'], 'connectivity-metadata': true },
  });
  t.same([...found.applications.keys()], ['good', 'bad-version', 'other']);
  t.same(
    [...found.faulty],
    ['Bad Name', 'bad-tenant', 'bad-flag', 'dot.ted', 'long'.repeat(65), 'bad-shape', 'bad-versions'],
  );
  t.same([...found.faultyVersions], [['bad-version', new Set(['V 1'])]]);
  t.same(found.applications.get('bad-version')?.versions, ['fine']);
  t.same(
    found.problems.map(({ message }) => message),
    [
      'kaa.applications.Bad Name: found the name "Bad Name"; allowed: a name of a-z, 0-9, _ and -, of at most 256 characters',
      'kaa.applications.bad-tenant.tenant: found "a b"; allowed: letters, digits, _ and -',
      'kaa.applications.bad-version.versions.V 1: found the name "V 1"; allowed: a name of a-z, 0-9, _ and -, of at most 256 characters',
      'kaa.applications.bad-flag.metadata-inheritance.enabled: found "perhaps"; allowed: true or false',
      'kaa.applications.dot.ted: found the name "dot.ted"; allowed: a name of a-z, 0-9, _ and -, of at most 256 characters',
      found.problems.find(({ message }) => message.includes('longlong'))!.message,
      'kaa.applications.bad-shape: found a list; allowed: a mapping of kaa.applications.bad-shape.versions, kaa.applications.bad-shape.tenant, kaa.applications.bad-shape.metadata-inheritance',
      'kaa.applications.bad-versions.versions: found a list; allowed: a mapping of kaa.applications.bad-versions.versions.<version>',
    ],
  );
  t.same(found.ignored, [
    'kaa.applications.other.dashboards',
    'kaa.applications.other.auto-provisioning',
    'kaa.elsewhere',
    'kaa.epr.connectivity-metadata',
  ]);
  t.same(found.restrictedMetadataKeys, ['serial', 'mac']);
  t.end();
});

void t.test('flaws of the text: whose they are', (t) => {
  const kaa = {
    applications: { a: { versions: { a1: {}, a2: {} } }, b: { versions: { b1: {} } }, c: {} },
    epr: { 'restricted-metadata-keys': ['serial'] },
  };
  const flaw = (...path: string[]) => ({ path, found: 'the key a second time', allowed: 'each key once' });
  const found = read(kaa, [
    flaw('applications', 'a', 'versions', 'a2', 'x', 'y'),
    flaw('applications', 'a', 'versions.a3'),
    flaw('applications', 'b', 'tenant'),
    flaw('epr', 'restricted-metadata-keys', '0'),
    flaw('other', 'x'),
  ]);
  t.same([...found.applications.keys()], ['a', 'c']);
  t.same(found.applications.get('a')?.versions, ['a1', 'a2'], 'who takes it sees to the faulty one');
  t.same([...found.faultyVersions], [['a', new Set(['a2', 'a3'])]]);
  t.same([...found.faulty], ['b']);
  t.equal(found.restrictedMetadataKeys, undefined);
  t.same(found.problems, [
    {
      message: 'kaa.applications.a.versions.a2.x.y: found the key a second time; allowed: each key once',
      application: 'a',
      version: 'a2',
    },
    {
      message: 'kaa.applications.a.versions.a3: found the key a second time; allowed: each key once',
      application: 'a',
      version: 'a3',
    },
    {
      message: 'kaa.applications.b.tenant: found the key a second time; allowed: each key once',
      application: 'b',
    },
    { message: 'kaa.epr.restricted-metadata-keys.0: found the key a second time; allowed: each key once' },
  ]);
  t.same(read({ applications: {} }).restrictedMetadataKeys, []);
  const bad = read({ applications: {}, epr: { 'restricted-metadata-keys': { a: 1 } } });
  t.equal(bad.restrictedMetadataKeys, undefined, 'what can not be read is not none');
  t.match(readApplications(kaa, [flaw('applications')]), /^kaa.applications: found the key a second time/);
  t.end();
});

void t.test('null for a group of keys is a fault, not nothing', (t) => {
  const found = read({
    applications: {
      a: { versions: null },
      b: null,
      c: { versions: { c1: null } },
      d: { 'metadata-inheritance': null, versions: {} },
      e: { tenant: null },
    },
  });
  t.same([...found.faulty], ['a', 'b', 'd', 'e']);
  t.same([...found.applications.keys()], ['c']);
  t.match(found.problems, [
    { message: /^kaa\.applications\.a\.versions: found nothing; allowed: a mapping/, application: 'a' },
    { message: /^kaa\.applications\.b: found nothing; allowed: a mapping/, application: 'b' },
    { application: 'd' },
    { application: 'e' },
  ]);
  t.same(found.restrictedMetadataKeys, [], 'nothing is said of them');
  for (const epr of [null, [], { 'restricted-metadata-keys': null }])
    t.equal(read({ applications: {}, epr }).restrictedMetadataKeys, undefined, JSON.stringify(epr));
  const twice = { path: ['epr'], found: 'the key a second time', allowed: 'each key once' };
  t.equal(read({ applications: {}, epr: {} }, [twice]).restrictedMetadataKeys, undefined);
  t.end();
});

void t.test('what is no configuration', (t) => {
  for (const kaa of [undefined, null, 1, 'x', []]) t.match(readApplications(kaa), /^kaa: found /);
  for (const applications of [[], 'x', null, undefined])
    t.match(readApplications({ applications }), /^kaa.applications: found .*; allowed: .*\{\} for none/);
  t.equal(
    readApplications({}),
    'kaa.applications: found no such key; allowed: a mapping of applications; {} for none',
  );
  t.end();
});
