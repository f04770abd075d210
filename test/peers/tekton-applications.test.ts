import type { ServerResponse } from 'node:http';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import t, { type Test } from 'tap';
import { readerOf } from '../../src/applications.js';
import {
  createPeerClient,
  createPeerMetrics,
  createTekton,
  createTektonApplications,
  type TektonTimes,
} from '../../src/peers/index.js';
import { startTekton, type TektonServer } from '../servers/index.js';

/** Nothing is read again by itself, unless a test says so; what failed is tried again at once. */
const TIMES: Partial<TektonTimes> = {
  startMs: 60_000,
  rereadMs: 3_600_000,
  mergeMs: 20,
  retryFirstMs: 20,
  retryMostMs: 50,
};

function createTexts() {
  const texts = new Map<string, string>();
  const faults = { away: false };
  return {
    texts,
    faults,
    getText: async (name: string) => texts.get(name),
    putText: async (name: string, text: string) => {
      if (faults.away) throw new Error('the storage is away');
      texts.set(name, text);
    },
  };
}

async function start(
  t: Test,
  tekton: TektonServer,
  {
    store = createTexts(),
    times = {},
    hasEndpoints = async () => true,
  }: {
    store?: ReturnType<typeof createTexts>;
    times?: Partial<TektonTimes>;
    hasEndpoints?: (scope: { application: string; version?: string }) => Promise<boolean>;
  } = {},
) {
  const metrics = new Registry();
  const lines: { level: number; msg: string; correlationId?: string }[] = [];
  const log = pino(
    { level: 'info', base: null },
    { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[number]) },
  );
  const client = createPeerClient(
    {
      name: 'tekton',
      url: tekton.url,
      limits: {
        attempts: 2,
        retryFirstMs: 2,
        retryMostMs: 5,
        openFirstMs: 20,
        openMostMs: 20,
        attemptMs: 60_000,
        callMs: 60_000,
      },
    },
    { log, metrics: createPeerMetrics(metrics) },
  );
  const followed = createTektonApplications({
    tekton: createTekton(client, { url: tekton.url, instance: 'epr' }, readerOf(log)),
    store,
    hasEndpoints,
    log,
    metrics,
    times: { ...TIMES, ...times },
  });
  await followed.start();
  const stop = async () => {
    await client.close();
    await followed.stop();
  };
  t.teardown(stop);
  const names = () =>
    followed
      .catalogue()
      .applications()
      .map(({ name, versions }) => `${name}: ${versions.join(' ')}`);
  const count = async (name: string, labels: Record<string, string> = {}) =>
    (await metrics.getSingleMetric(name)!.get()).values
      .filter(({ labels: own }) => Object.entries(labels).every(([key, value]) => own[key] === value))
      .reduce((sum, { value }) => sum + value, 0);
  return { followed, names, lines, count, stop, store };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

const V1 = { versions: { v1: {} } };

void t.test('at start: everything is read, kept for the next start, and shown', async (t) => {
  const tekton = await startTekton(t, {
    kettle: { tenant: 'acme', versions: { k1: {}, k2: {} }, 'metadata-inheritance': { enabled: true } },
    lamp: { versions: { l1: {} }, dashboards: { foreign: 1 } },
  });
  tekton.more = { epr: { 'restricted-metadata-keys': ['serial'] } };
  const { followed, names, store, count } = await start(t, tekton);
  t.same(names(), ['kettle: k1 k2', 'lamp: l1']);
  t.match(followed.catalogue().application('kettle'), { tenant: 'acme', metadataInheritance: true });
  t.same(followed.restrictedMetadataKeys(), ['serial']);
  t.match(followed.status(), { status: 'UP', details: { applications: 2, readAt: /^\d{4}-.*Z$/ } });
  t.equal(followed.status().details.error, undefined);
  await until(() => store.texts.size === 1);
  t.equal(await count('epr_tekton_applications'), 2);
  t.equal(await count('epr_tekton_reads_total', { scope: 'all', result: 'ok' }), 1);
  t.equal((await count('epr_tekton_configuration_age_seconds')) >= 0, true);
});

void t.test(
  'announcements: what is narrowed is read narrowed, what is gone is looked for in the whole',
  async (t) => {
    const tekton = await startTekton(t, { a: { tenant: 'acme', ...V1 }, b: { versions: { b1: {} } } });
    const { followed, names, lines } = await start(t, tekton);
    const paths = () => tekton.asked.splice(0).map(({ path }) => path);
    paths();

    tekton.applications['a'] = { tenant: 'acme', versions: { v1: {}, v2: {} } };
    followed.changed({ application: 'a', version: 'v2' }, 'c-1');
    await until(() => names()[0] === 'a: v1 v2');
    t.same(tekton.asked, [{ path: '/applications/a/app-versions/v2', correlationId: 'c-1' }]);
    t.equal(followed.catalogue().version('v2')?.tenant, 'acme');
    t.match(
      lines.find(({ msg }) => msg.includes('has changed') && msg !== ''),
      { correlationId: String },
    );
    paths();

    tekton.applications['c'] = { versions: { c1: {} } };
    followed.changed({ application: 'c' }, 'c-2');
    await until(() => names().length === 3);
    t.same(paths(), ['/applications/c']);

    tekton.applications['a'] = { tenant: 'acme', versions: { v1: {} } };
    followed.changed({ application: 'a', version: 'v2' }, 'c-3');
    await until(() => names()[0] === 'a: v1');
    t.same(paths(), ['/applications/a/app-versions/v2', '']);

    delete tekton.applications['b'];
    followed.changed({ application: 'b' }, 'c-4');
    await until(() => names().length === 2);
    t.same(paths(), ['/applications/b', '']);
    t.same(followed.catalogue().known.application('b')?.versions, ['b1']);

    tekton.applications['b'] = { versions: { b1: {} } };
    followed.changed({}, 'c-5');
    await until(() => names().length === 3);
    t.same(paths(), ['']);

    followed.changed({ application: '../../etc' }, 'c-6');
    await until(() => tekton.asked.length === 2);
    t.same(paths(), ['/applications/..%2F..%2Fetc', '']);
  },
);

void t.test('many in a row are one reading', async (t) => {
  const tekton = await startTekton(t, { a: V1 });
  const { followed, names } = await start(t, tekton);
  tekton.asked.length = 0;
  // the first reading of the row is held until all have come
  let release: (() => void) | undefined;
  tekton.answer = (response) => {
    release = () => response.end(JSON.stringify({ epr: { kaa: { applications: { a: V1 } } } }));
  };
  followed.changed({ application: 'a' }, 'first');
  await until(() => release !== undefined);
  for (let i = 0; i < 1000; i++) followed.changed({ application: 'a', version: `v${i}` }, `c-${i}`);
  tekton.answer = undefined;
  tekton.applications['a'] = { versions: { v1: {}, v2: {} } };
  release!();
  await until(() => names()[0] === 'a: v1 v2');
  t.same(
    tekton.asked.map(({ path }) => path),
    ['/applications/a', '/applications/a'],
  );
  for (let i = 0; i < 1000; i++) followed.changed({ application: `a${i}` }, `c-${i}`);
  await until(() => tekton.asked.length === 3);
  t.equal(tekton.asked[2]?.path, '', 'of several applications: the whole');
});

void t.test('Tekton away at start: the last known configuration, until it is back', async (t) => {
  const tekton = await startTekton(t, { a: V1, gone: { versions: { g1: {} } } });
  const store = createTexts();
  const first = await start(t, tekton, { store });
  delete tekton.applications['gone'];
  first.followed.changed({}, 'c');
  await until(() => (store.texts.get('tekton-applications') ?? '').includes('"deleted":[{'));
  await first.stop();
  await tekton.away();

  const second = await start(t, tekton, { store });
  t.same(second.names(), ['a: v1']);
  t.same(second.followed.catalogue().known.application('gone')?.versions, ['g1'], 'deleted ones, too');
  t.match(second.followed.status(), {
    status: 'UP',
    details: { applications: 1, readAt: String, error: String },
  });
  t.match(
    second.lines.filter(({ level }) => level === 40).at(-1)?.msg,
    /can not be read; trying again, for ever. What it gave at \d{4}-.*Z stays in force. Remedy: /,
  );

  tekton.applications['new'] = { versions: { n1: {} } };
  await tekton.back();
  await until(() => second.names().length === 2);
  t.equal(second.followed.status().details.error, undefined);
});

void t.test('Tekton away at the very first start: not ready, and tried for ever', async (t) => {
  const tekton = await startTekton(t, { a: V1 });
  await tekton.away();
  const { followed, names, count } = await start(t, tekton);
  t.match(followed.status(), { status: 'DOWN', details: { applications: 0, error: String } });
  t.equal(Number.isNaN(await count('epr_tekton_configuration_age_seconds')), true);
  await until(async () => (await count('epr_tekton_reads_total', { result: 'unavailable' })) > 5);
  await tekton.back();
  await until(() => names().length === 1);
  t.match(followed.status(), { status: 'UP' });
});

void t.test('a start does not wait for one that hangs', async (t) => {
  const tekton = await startTekton(t, { a: V1 });
  tekton.answer = () => undefined;
  const { followed } = await start(t, tekton, { times: { startMs: 20 } });
  t.match(followed.status(), { status: 'DOWN' });
});

void t.test(
  'away in the middle: what is known stays in force, and what was announced is caught up',
  async (t) => {
    const tekton = await startTekton(t, { a: V1 });
    const { followed, names, lines } = await start(t, tekton);
    await tekton.away();
    tekton.applications['a'] = { versions: { v1: {}, v2: {} } };
    followed.changed({ application: 'a', version: 'v2' }, 'c');
    await until(() => followed.status().details.error !== undefined);
    t.same(names(), ['a: v1']);
    t.equal(followed.status().status, 'UP');
    await tekton.back();
    await until(() => names()[0] === 'a: v1 v2');
    t.ok(lines.some(({ level, msg }) => level === 40 && /trying again, for ever/.test(msg)));
  },
);

void t.test('garbage changes nothing, and is tried again', async (t) => {
  const tekton = await startTekton(t, { a: V1 });
  const { followed, names, count } = await start(t, tekton);
  const answers = [
    '',
    '<html>',
    '[]',
    '"x"',
    '{"other":{"kaa":{"applications":{}}}}',
    '{"epr":1}',
    '{"epr":{}}',
    '{"epr":{"kaa":{"applications":["a"]}}}',
    '{"epr":{"kaa":{}}}',
    '{"epr":{"kaa":{"applications":null}}}',
    '{"epr":{"kaa":{"applications":{}},"epr":{}},"epr":{}}',
    '{"epr":{"kaa":{"applications":{}},"kaa":{"applications":{}}}}',
    '{"epr":{"kaa":{"applications":{},"applications":{}}}}',
  ];
  for (const body of answers) {
    const before = await count('epr_tekton_reads_total', { result: 'malformed' });
    tekton.answer = (response: ServerResponse) => void response.end(body);
    followed.changed({}, 'c');
    await until(async () => (await count('epr_tekton_reads_total', { result: 'malformed' })) > before);
    t.same(names(), ['a: v1'], body);
  }
  for (const status of [404, 401, 500]) {
    const before = await count('epr_tekton_reads_total');
    tekton.answer = (response: ServerResponse) => void response.writeHead(status).end('{}');
    followed.changed({}, 'c');
    await until(async () => (await count('epr_tekton_reads_total')) > before + 1);
    t.same(names(), ['a: v1'], String(status));
  }
  t.equal(followed.status().status, 'UP');
  // parts of it: what can't be read stays as it was
  tekton.answer = undefined;
  tekton.applications = {
    a: { versions: { v1: {}, v3: {} }, tenant: { no: 1 } },
    b: { versions: { b1: {} } },
  };
  await until(() => names().length === 2);
  t.same(names(), ['b: b1', 'a: v1']);
});

void t.test(
  'a key that is given twice, or is reserved: what it is about stays as it was, the rest is taken',
  async (t) => {
    const tekton = await startTekton(t, {});
    const answerWith = (applications: string) => {
      tekton.answer = (response) => void response.end(`{"epr":{"kaa":{"applications":${applications}}}}`);
    };
    answerWith('{"a":{"versions":{"a1":{}},"versions":{"a2":{}}},"b":{"versions":{"b1":{}}}}');
    const { followed, names, lines } = await start(t, tekton);
    t.same(names(), ['b: b1'], 'one bad application keeps no first start waiting');
    t.equal(followed.catalogue().isAwaited, false);
    t.match(followed.status(), { status: 'UP', details: { applications: 1, faulty: ['a'] } });
    t.ok(
      lines.some(
        ({ level, msg }) =>
          level === 40 &&
          msg ===
            'Configuration from Tekton: kaa.applications.a.versions: found the key a second time; allowed: each key once. The application is not taken up until that is mended.',
      ),
      JSON.stringify(lines),
    );

    answerWith(
      '{"a":{"versions":{"a1":{},"a2":{"__proto__":1}}},"b":{"versions":{"b1":{"x":1,"x":2},"b2":{}}}}',
    );
    followed.changed({}, 'c');
    await until(() => names().length === 2);
    t.same(names(), ['a: a1', 'b: b1 b2'], 'a version that was there stays, one that was not is not taken');
    t.match(followed.status().details.faulty, ['a/a2', 'b/b1']);
    t.ok(
      lines.some(({ msg }) => /a\.versions\.a2\.__proto__: .* The version is not taken up until/.test(msg)),
    );
    t.ok(lines.some(({ msg }) => /b\.versions\.b1\.x: .* The version stays as it was until/.test(msg)));

    answerWith(
      '{"__proto__":{"versions":{"p1":{}}},"a":{"versions":{"a1":{},"a2":{}}},"b":{"tenant":"x","tenant":"y"}}',
    );
    followed.changed({}, 'c');
    await until(() => names()[0] === 'a: a1 a2');
    t.same(names(), ['a: a1 a2', 'b: b1 b2']);
    t.ok(lines.some(({ msg }) => /kaa\.applications\.__proto__/.test(msg)));
  },
);

void t.test('null deletes nothing: it is faulty, and said', async (t) => {
  const tekton = await startTekton(t, { a: { versions: { a1: {} } }, b: { versions: { b1: {} } }, c: V1 });
  const { followed, names, lines, count } = await start(t, tekton);
  const answerWith = (applications: string) => {
    tekton.answer = (response) => void response.end(`{"epr":{"kaa":{"applications":${applications}}}}`);
  };
  answerWith('{"a":{"versions":null},"b":null,"d":{"versions":{"d1":null}}}');
  followed.changed({}, 'c');
  await until(() => names().includes('d: d1'));
  t.same(names(), ['d: d1', 'a: a1', 'b: b1'], 'while c, which it has no more, is deleted');
  t.same(followed.status().details.faulty, ['a', 'b']);
  t.equal(await count('epr_tekton_faulty'), 2);
  t.match(
    lines.filter(({ level }) => level === 40).map(({ msg }) => msg),
    [
      /kaa\.applications\.a\.versions: found nothing; .* The application stays as it was until/,
      /\.b: found nothing/,
    ],
  );

  answerWith('{"a":{"versions":{}},"b":{},"d":{"versions":{"d1":null}}}');
  followed.changed({ application: 'a' }, 'c');
  await until(() => followed.status().details.faulty === undefined);
  t.same(names(), ['a: ', 'b: ', 'd: d1'], 'an empty mapping says that there are none');
  t.equal(tekton.asked.at(-1)?.path, '', 'where something was faulty, the whole is read');
  t.equal(await count('epr_tekton_faulty'), 0);
});

void t.test(
  'a version that two applications name is faulty in the second, until that is mended',
  async (t) => {
    const tekton = await startTekton(t, { a: V1 });
    const { followed, names, lines, count } = await start(t, tekton);
    tekton.applications['b'] = { versions: { v1: {}, b1: {} } };
    followed.changed({ application: 'b' }, 'c');
    await until(() => names().length === 2);
    t.same(names(), ['a: v1', 'b: b1']);
    t.same(followed.status().details.faulty, ['b/v1']);
    t.equal(await count('epr_tekton_faulty'), 1);
    t.ok(
      lines.some(
        ({ level, msg }) => level === 40 && /b\.versions\.v1: found the version in a, too/.test(msg),
      ),
    );
    tekton.applications['a'] = { versions: { a1: {} } };
    followed.changed({ application: 'a' }, 'c');
    await until(() => names()[1] === 'b: v1 b1');
    t.equal(followed.status().details.faulty, undefined);
  },
);

void t.test('what is in force when Tekton could not be read', async (t) => {
  const tekton = await startTekton(t, { a: V1 });
  await tekton.away();
  const { followed, names } = await start(t, tekton);
  const first = await followed.reread('c');
  t.match(first, {
    ok: false,
    error: String,
    inForce: /^Until then no application is known, and .* not ready/,
  });
  await tekton.back();
  await until(() => names().length === 1);
  await tekton.away();
  t.match(await followed.reread('c'), { ok: false, inForce: /^What it gave at \S+ stays in force/ });
});

void t.test('restricted keys that can not be read stay restricted', async (t) => {
  const tekton = await startTekton(t, { a: V1 });
  tekton.more = { epr: { 'restricted-metadata-keys': ['serial'] } };
  const { followed, names, lines } = await start(t, tekton);
  tekton.more = { epr: { 'restricted-metadata-keys': { serial: true } } };
  tekton.applications['b'] = { versions: { b1: {} } };
  followed.changed({}, 'c');
  await until(() => names().length === 2);
  t.same(followed.restrictedMetadataKeys(), ['serial']);
  t.ok(
    lines.some(({ msg }) => /restricted-metadata-keys: found .* What was in force stays in force/.test(msg)),
  );
});

void t.test('an answer that is none: where it went wrong, and what was asked', async (t) => {
  const tekton = await startTekton(t, { a: V1 });
  tekton.answer = (response) => void response.end('{"epr":\n  {"kaa" {}}}');
  const { followed, lines } = await start(t, tekton, {
    times: { retryFirstMs: 60_000, retryMostMs: 60_000 },
  });
  t.equal(
    followed.status().details.error,
    `GET ${tekton.url}/api/v1/app-configs?serviceInstanceName=epr was answered with 200, but that is no configuration: ` +
      'not JSON (line 2, column 10: found "{", where ":" must be); the answer begins {"epr": {"kaa" {}}}',
  );
  t.equal(lines.filter(({ level }) => level >= 40).length, 1, 'said once');
  t.match(
    lines.find(({ level }) => level === 40)?.msg,
    /no application is known, and the service is not ready. Remedy: see that Tekton runs, and that kaa.tekton.url/,
  );
});

void t.test('a pause after a failed reading ends when something is announced, or is asked for', async (t) => {
  const tekton = await startTekton(t, { a: V1 });
  // nobody could wait for one
  const times = { retryFirstMs: 3_600_000, retryMostMs: 3_600_000 };
  const { followed, names } = await start(t, tekton, { times });
  await tekton.away();
  t.match(await followed.reread('c'), { ok: false, error: /ECONNREFUSED/ });
  tekton.applications['b'] = { versions: { b1: {} } };
  await tekton.back();
  followed.changed({ application: 'b' }, 'c');
  await until(() => names().length === 2);

  await tekton.away();
  t.match(await followed.reread('c'), { ok: false });
  tekton.applications['c'] = { versions: { c1: {} } };
  await tekton.back();
  t.same(await followed.reread('c'), { ok: true, applications: 3 });
  t.equal(names().length, 3);
});

void t.test('what is asked for while the service stops is answered', async (t) => {
  const tekton = await startTekton(t, { a: V1 });
  const { followed, stop } = await start(t, tekton);
  tekton.answer = () => undefined;
  const asked = followed.reread('c');
  await stop();
  t.match(await asked, { ok: false, error: 'The service stops.' });
});

void t.test('a thousand faults: taken as far as it goes, and the log is bounded', async (t) => {
  const applications = Object.fromEntries(
    Array.from({ length: 1000 }, (_, i) => [`a${i}`, i % 2 === 0 ? V1 : { tenant: '?' }]),
  );
  const tekton = await startTekton(t, applications);
  const { names, lines, followed } = await start(t, tekton);
  t.equal(names().length, 500);
  t.equal(names()[0], 'a0: v1', 'the others do not get the version that it has');
  t.equal(names()[1], 'a2: ');
  t.ok(lines.length < 30, `${lines.length} lines`);
  t.match(
    lines.map(({ msg }) => msg),
    [...Array.from({ length: 20 }, () => /tenant: found "\?"/), /979 more of this kind/, /has changed/],
  );
  const told = lines.length;
  const before = tekton.asked.length;
  followed.changed({}, 'c');
  await until(() => tekton.asked.length === before + 1);
  followed.changed({}, 'c');
  await until(() => tekton.asked.length === before + 2);
  t.equal(lines.length, told, 'said once');
});

void t.test('nothing for this service: all is deleted', async (t) => {
  const tekton = await startTekton(t, { a: V1 });
  const { followed, names } = await start(t, tekton);
  tekton.answer = (response) => void response.end('{}');
  followed.changed({}, 'c');
  await until(() => names().length === 0);
  t.same(followed.catalogue().known.version('v1'), { tenant: 'kaa', application: 'a', version: 'v1' });
});

void t.test('announcements that were lost: all is read again after a while', async (t) => {
  const tekton = await startTekton(t, { a: V1 });
  const { names } = await start(t, tekton, { times: { rereadMs: 50 } });
  tekton.applications['b'] = { versions: { b1: {} } };
  await until(() => names().length === 2);
  t.pass('read without an announcement');
});

void t.test('what was deleted and has nothing left is forgotten', async (t) => {
  const tekton = await startTekton(t, { a: { versions: { a1: {}, a2: {} } }, b: { versions: { b1: {} } } });
  const used = new Set(['a2']);
  const { followed, store } = await start(t, tekton, {
    hasEndpoints: async ({ version }) => used.has(version ?? ''),
  });
  tekton.applications = {};
  followed.changed({}, 'c');
  await until(() => (store.texts.get('tekton-applications') ?? '').includes('"deleted":[{'));
  const { known } = followed.catalogue();
  t.same(known.applications(), [{ name: 'a', tenant: 'kaa', versions: ['a2'], metadataInheritance: false }]);
  used.clear();
  followed.changed({}, 'c');
  await until(() => followed.catalogue().known.applications().length === 0);
  t.pass('gone');
});

void t.test('a storage that is away keeps nothing out of force', async (t) => {
  const tekton = await startTekton(t, { a: V1 });
  const store = createTexts();
  store.faults.away = true;
  const { names, followed, lines } = await start(t, tekton, { store });
  t.same(names(), ['a: v1']);
  t.ok(lines.some(({ msg }) => /could not be stored/.test(msg)));
  store.faults.away = false;
  followed.changed({}, 'c');
  await until(() => store.texts.size === 1);
  t.pass('it is stored at the next reading');

  store.texts.set('tekton-applications', '{"format":9}');
  const other = await start(t, tekton, { store });
  t.same(other.names(), ['a: v1']);
  t.ok(other.lines.some(({ msg }) => /another version of this service/.test(msg)));
});
