import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import {
  describeChanges,
  formatConfig,
  loadConfig,
  settingsMarkdown,
  settingsTable,
} from '../../src/config/index.js';
import { load, messages, yml } from './harness.js';

void t.test('secrets are masked wherever they are shown', async (t) => {
  const secrets = {
    STORAGE_URL: 'mongodb://me:hunter2@a:1,b:2/epr?tls=true&tlsCertificateKeyFilePassword=hunter2',
    MONGODB_USERNAME: 'me',
    MONGODB_PASSWORD: 'hunter2',
    NATS_URLS: 'nats://me:hunt@er2@h:1,me:hunter2@h:2',
    KAA_TENANTS: '{"kaa": {"issuer": "http://i", "client-secret": "hunter2"}}',
  };
  const { entries } = load(t, { env: { ...secrets, NATS_URLS: 'nats://me:hunter2@h:1,me:hunter2@h:2' } });
  for (const json of [false, true]) {
    const printed = formatConfig(entries, { json });
    t.notMatch(printed, /hunter2/);
    t.match(printed, 'mongodb://me:********@a:1,b:2/epr?tls=true&tlsCertificateKeyFilePassword=********');
    t.match(printed, 'nats://me:********@h:1');
  }
  const shown = (url: string): string => load(t, { env: { NATS_URLS: url } }).entry('nats.urls').shown;
  t.equal(shown('nats://s3cret@h:1'), '["nats://********@h:1"]');
  t.equal(shown('s3cret@h'), '["********@h"]');
  t.equal(shown('u:p:@q@h'), '["u:********@h"]');
  t.equal(shown('localhost:4222'), '["localhost:4222"]');
  const wrong = messages(t, {
    env: { ...secrets, NATS_URLS: 'nats://me:hunter2@h/p,x', STORAGE_URL: 'x://me:hunter2@h' },
  });
  t.equal(wrong.length, 2);
  t.notMatch(wrong.join(), /hunter2/);
  t.notMatch(messages(t, yml('nats: {password: [hunter2]}\nkaa.tenants.kaa: hunter2')).join(), /hunter2/);
});

void t.test('credentials in NATS URLs go where the client looks for them', async (t) => {
  const nats = (urls: string): unknown => load(t, { env: { NATS_URLS: urls } }).config.nats;
  t.same(nats('nats://me:p%40ss@a:1,nats://b:2/'), {
    urls: ['nats://a:1', 'nats://b:2'],
    username: 'me',
    password: 'p@ss',
    jetstream: { syncAlways: false },
  });
  t.same(nats('tls://tok@a'), {
    urls: ['tls://a'],
    token: 'tok',
    tls: { enabled: true },
    jetstream: { syncAlways: false },
  });
});

void t.test('epr config', async (t) => {
  const { entries } = load(t, yml('server:\n  port: 9000\nkaa.applications.a.versions.v1:'));
  const plain = formatConfig(entries);
  t.match(plain, /^server\.port +9000 +# file, config\/epr\.yml:2$/m);
  t.match(plain, /^server\.max-body +8MiB +# default$/m);
  t.match(plain, /^nats\.token +\(not set\) +# default$/m);
  t.match(plain, /^kaa\.applications\.a\.versions\.v1 +# file, config\/epr\.yml:3$/m);
  const rows = JSON.parse(formatConfig(entries, { json: true })) as { key: string }[];
  t.equal(rows.length, entries.length);
  const row = (key: string): unknown => rows.find((each) => each.key === key);
  t.same(row('server.port'), { key: 'server.port', value: 9000, source: 'file', where: 'config/epr.yml:2' });
  t.same(row('server.max-body'), { key: 'server.max-body', value: '8MiB', source: 'default' });
  t.same(row('server.path-prefixes'), {
    key: 'server.path-prefixes',
    value: ['', '/epr'],
    source: 'default',
  });
  t.same(row('kaa.tekton.enabled'), { key: 'kaa.tekton.enabled', value: false, source: 'default' });
  t.same(row('nats.token'), { key: 'nats.token', value: null, source: 'default' });
});

void t.test('what a reload can take up', async (t) => {
  const before = load(t, yml('kaa.applications.a.versions: {v1: }\nkaa.tenants.kaa.issuer: http://i')).config;
  const { replicaId } = before.service;
  const again = (text: string): ReturnType<typeof describeChanges> =>
    describeChanges(before, load(t, { ...yml(text), replicaId }).config);
  t.same(again('kaa.applications.a.versions: {v1: }\nkaa.tenants.kaa.issuer: http://i'), {
    live: [],
    restart: [],
  });
  t.same(
    again(
      [
        'kaa.applications: {a: {versions: {v1: , v2: }}, b: {versions: {b1: }}}',
        'kaa.tenants.kaa.issuer: http://j',
        'kaa.security.role-grants.reader: [endpoint:read]',
        'limits.queue: 10',
        'logging: {level: debug, format: pretty}',
        'server.port: 1',
        'nats: {urls: [tls://u:p@h]}',
      ].join('\n'),
    ),
    {
      live: [
        'logging.level',
        'limits.queue',
        'kaa.applications.a',
        'kaa.applications.b',
        'kaa.security.role-grants.reader',
        'kaa.tenants.kaa',
      ],
      restart: [
        'server.port',
        'nats.urls',
        'nats.username',
        'nats.password',
        'nats.tls.enabled',
        'logging.format',
      ],
    },
  );
});

void t.test('a password that changes in its file needs no restart', async (t) => {
  const withPassword = (password: string, file = 'pw') => {
    const env = { NATS_USERNAME: 'u', NATS_PASSWORD_FILE: join(folder, file), NATS_URLS: 'n' };
    writeFileSync(join(folder, file), password);
    return load(t, { env, replicaId: 'r' }).config;
  };
  const folder = mkdtempSync(join(tmpdir(), 'epr-show-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const before = withPassword('one');
  t.same(describeChanges(before, withPassword('two')), { live: [], restart: [] });
  t.same(describeChanges(before, withPassword('two', 'elsewhere')).restart, ['nats.password']);
});

void t.test('TLS first is TLS', async (t) => {
  const { config } = load(t, yml('nats: {urls: [n], tls.handshake-first: true}'));
  t.same(config.nats.tls, { enabled: true, handshakeFirst: true });
  t.match(
    messages(t, yml('nats: {urls: [n], tls: {handshake-first: true, enabled: false}}'))[0],
    /nats.tls.enabled/,
  );
});

void t.test('the example loads without problems or notes', async (t) => {
  const loaded = loadConfig({
    argv: { config: 'config/epr.example.yml' },
    env: {},
    cwd: process.cwd(),
    isTty: false,
  });
  t.same(loaded.ok ? loaded.notes : loaded.problems, []);
  t.same(loaded.ok && Object.keys(loaded.config.applications), ['smart_kettle', 'weather_station']);
});

void t.test('the documentation is in step with the table', async (t) => {
  const docs = readFileSync('docs/configuration.md', 'utf8');
  t.ok(docs.includes(`\n${settingsMarkdown()}\n`), 'renew it with: node build/src/config/write-docs.js');
  const sample = /```text\n([^]*?)```/.exec(docs)?.[1]?.trimEnd().split('\n');
  const text = 'server:\n  port: http\n  hots: 0.0.0.0\nlimits:\n  endpoint-size: 8MB\n';
  t.same(messages(t, { ...yml(text), env: { SERVICE_GRACEFUL_SHUTDOWN: '30' } }).sort(), sample?.sort());
  for (const { key, meaning, allowed } of settingsTable()) t.ok(meaning.endsWith('.') && allowed !== '', key);
});
