import t from 'tap';
import { createCatalogue } from '../../src/model/catalogue.js';
import {
  changesOf,
  fromStoredForm,
  type KnownApplications,
  NONE,
  storedForm,
  takePart,
  takeWhole,
} from '../../src/peers/known-applications.js';
import type { ServiceConfiguration } from '../../src/peers/index.js';

const app = (name: string, ...versions: string[]) => ({
  name,
  tenant: 'kaa',
  versions,
  metadataInheritance: false,
});

function reading(...applications: ReturnType<typeof app>[]): ServiceConfiguration {
  return {
    applications: new Map(applications.map((application) => [application.name, application])),
    faulty: new Set(),
    faultyVersions: new Map(),
    restrictedMetadataKeys: [],
    problems: [],
  };
}

function after(...readings: ServiceConfiguration[]): KnownApplications {
  return readings.reduce((known, read) => takeWhole(known, read).known, NONE);
}

void t.test('what a whole reading has not is deleted, and is known until it comes again', (t) => {
  const known = after(reading(app('a', 'a1', 'a2'), app('b', 'b1')), reading(app('a', 'a2', 'a3')));
  t.same(known.applications, [app('a', 'a2', 'a3')]);
  t.same(known.deleted, [app('a', 'a1'), app('b', 'b1')]);
  const again = takeWhole(known, reading(app('a', 'a1', 'a2'), app('b'))).known;
  t.same(again.applications, [app('a', 'a1', 'a2'), app('b')]);
  t.same(again.deleted, [app('b', 'b1'), app('a', 'a3')]);
  t.same(takeWhole(again, reading()).known.deleted, [app('b', 'b1'), app('a', 'a3', 'a1', 'a2')]);
  t.end();
});

void t.test('an application that can not be read stays as it was', (t) => {
  const before = after(reading(app('a', 'a1'), app('b', 'b1')));
  const read = {
    ...reading(app('b', 'b2')),
    faulty: new Set(['a', 'new']),
    problems: [
      { message: 'why', application: 'a' },
      { message: 'what', application: 'new' },
    ],
  };
  const { known, warnings } = takeWhole(before, read);
  t.same(known.applications, [app('b', 'b2'), app('a', 'a1')]);
  t.same(warnings, [
    'why. The application stays as it was until that is mended.',
    'what. The application is not taken up until that is mended.',
  ]);
  t.end();
});

void t.test(
  'a version belongs to one application: to the one that had it; it is a fault of the other',
  (t) => {
    const { known, faulty, warnings } = takeWhole(NONE, reading(app('a', 'x', 'a1'), app('b', 'x', 'b1')));
    t.same(known.applications, [app('a', 'x', 'a1'), app('b', 'b1')]);
    t.same(faulty, ['b/x']);
    t.same(warnings, [
      'kaa.applications.b.versions.x: found the version in a, too; allowed: each version in one application. It stays with a, and is left out of b, until that is mended.',
    ]);
    const moved = takeWhole(known, reading(app('c', 'a1'), app('a', 'x', 'a1'), app('b', 'x')));
    t.same(moved.known.applications, [app('c'), app('a', 'x', 'a1'), app('b')]);
    t.same(moved.faulty, ['c/a1', 'b/x']);
    const given = takeWhole(known, reading(app('a', 'a1'), app('b', 'x')));
    t.same(given.known.applications, [app('a', 'a1'), app('b', 'x')], 'unless that names it no more');
    t.same(given.warnings, []);
    t.same(given.faulty, []);
    t.end();
  },
);

void t.test('parts: an application, a version, and what they can not say', (t) => {
  const before = after(reading(app('a', 'a1'), { ...app('b', 'b1'), tenant: 'acme' }));
  t.same(takePart(before, { application: 'a' }, reading(app('a', 'a2')))?.known, {
    applications: [app('a', 'a2'), { ...app('b', 'b1'), tenant: 'acme' }],
    deleted: [app('a', 'a1')],
    restrictedMetadataKeys: [],
  });
  t.same(takePart(before, { application: 'c' }, reading(app('c', 'c1')))?.known.applications.length, 3);
  const version = takePart(before, { application: 'b', version: 'b2' }, reading(app('b', 'b2')));
  t.same(
    version?.known.applications[1],
    { ...app('b', 'b1', 'b2'), tenant: 'acme' },
    'the settings of the application are not in the reading of a version',
  );
  t.equal(takePart(before, { application: 'a' }, reading()), undefined);
  t.equal(
    takePart(before, { application: 'a' }, reading(app('a', 'b1'))),
    undefined,
    'b may have given it up meanwhile, which only the whole says',
  );
  const faulty = {
    ...reading(app('a', 'a2')),
    problems: [{ message: 'why', application: 'a', version: 'a3' }],
  };
  t.equal(takePart(before, { application: 'a' }, faulty), undefined);
  t.equal(takePart(before, { application: 'b', version: 'b3' }, reading(app('b', 'b2'))), undefined);
  t.equal(takePart(before, { application: 'c', version: 'c1' }, reading(app('c', 'c1'))), undefined);
  t.end();
});

void t.test('changes in words, and the stored form', (t) => {
  const before = after(reading(app('a', 'a1'), app('b', 'b1')));
  const now = {
    ...takeWhole(before, reading(app('a', 'a1', 'a2'), app('c'))).known,
    restrictedMetadataKeys: ['k'],
  };
  t.same(changesOf(before, now), ['~a (a1, a2)', '+c ()', '-b', 'restricted metadata keys: k']);
  t.same(changesOf(now, now), []);
  t.same(fromStoredForm(storedForm(now, 12)), { known: now, readMs: 12 });
  for (const text of ['', '{}', '[]', storedForm(now, 12).replace('"format":1', '"format":2')])
    t.equal(fromStoredForm(text), undefined);
  t.end();
});

void t.test('a catalogue with what was deleted: named by readers only', (t) => {
  const { applications, deleted } = after(
    reading(app('a', 'a1', 'a2'), app('b', 'b1', 'b2')),
    reading(app('a', 'a2'), app('c', 'b2')),
  );
  const catalogue = createCatalogue(applications, deleted);
  t.equal(catalogue.application('b'), undefined);
  t.equal(catalogue.version('a1'), undefined);
  t.equal(catalogue.version('b1'), undefined);
  t.same(
    catalogue.applications().map(({ name }) => name),
    ['a', 'c'],
  );
  const { known } = catalogue;
  t.same(known.application('b'), app('b', 'b1', 'b2'));
  t.same(known.application('a'), app('a', 'a2', 'a1'));
  t.same(known.version('a1'), { tenant: 'kaa', application: 'a', version: 'a1' });
  t.same(known.version('b1')?.application, 'b');
  t.same(known.version('b2')?.application, 'c', 'it is another one by now');
  t.same(
    known
      .applications()
      .map(({ name }) => name)
      .sort(),
    ['a', 'b', 'c'],
  );
  t.end();
});
