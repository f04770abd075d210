import { availableParallelism } from 'node:os';
import t from 'tap';
import { settingsTable } from '../../src/config/index.js';
import { environmentNames } from '../../src/config/setting.js';
import { settings } from '../../src/config/settings.js';
import { folder, load, messages, yml } from './harness.js';
import { loadConfig } from '../../src/config/index.js';

void t.test('with nothing at all, the defaults run, with a demo application', async (t) => {
  const { config, notes, entry } = load(t, {});
  t.same(config.server, { port: 8080, host: '127.0.0.1', pathPrefixes: ['', '/epr'], maxBodyBytes: 8388608 });
  t.same(config.management, { port: 8081, host: '127.0.0.1' });
  t.same(config.storage, { url: 'file:./data', durability: 'sync' });
  t.same(config.nats, { urls: [], jetstream: { syncAlways: false } });
  t.equal(config.service.instanceName, 'epr');
  t.equal(config.service.gracefulShutdownMs, 30_000);
  t.match(config.service.replicaId, /^[0-9a-f-]{36}$/);
  t.equal(config.workers.threads, Math.max(1, availableParallelism() - 1));
  t.same(config.limits, {
    metadataKeys: 1000,
    endpointBytes: 262144,
    metadataKeyPattern: '^[a-zA-Z0-9_]+$',
    nesting: 32,
    filterDepth: 32,
    filterConditions: 1000,
    filterPatternBytes: 1024,
    filterPatterns: 100,
    pageDefault: 1000,
    pageMax: 10000,
    batchItems: 1000,
    metadataBatchItems: 10000,
    ndjsonLineBytes: 1048576,
    filtersPerApplication: 100000,
    queue: 20000,
    batchTaskRetentionMs: 86400000,
  });
  t.same(config.logging, { level: 'info', format: 'json' });
  t.equal(load(t, { isTty: true }).config.logging.format, 'pretty');
  t.same(Object.entries(config.applications), [
    ['demo', { tenant: 'kaa', versions: ['demo-v1', 'demo-v2'], metadataInheritance: false }],
  ]);
  t.equal(entry('kaa.applications.demo.versions.demo-v1').source, 'default');
  t.match(notes, [/application demo, versions demo-v1 and demo-v2/]);
  t.same(Object.keys(config.kaa.tenants), []);
});

void t.test('flag, then environment, then file, then default', async (t) => {
  const files = { 'config/epr.yml': 'server:\n  port: 1\n' };
  const env = { SERVER_PORT: '2' };
  const set = { 'server.port': '3' };
  const of = (given: object): unknown => {
    const { key: _key, shown: _shown, ...rest } = load(t, given).entry('server.port');
    return rest;
  };
  t.same(of({}), { value: 8080, source: 'default' });
  t.same(of({ files }), { value: 1, source: 'file', where: 'config/epr.yml:2' });
  t.same(of({ files, env }), { value: 2, source: 'environment', where: 'SERVER_PORT' });
  t.same(of({ files, env, set }), { value: 3, source: 'flag', where: '--set server.port' });
  t.same(of({ files, env: { SERVER_PORT: '' } }), { value: 1, source: 'file', where: 'config/epr.yml:2' });
});

void t.test('the file: default, APP_CONFIG_PATH, --config', async (t) => {
  const files = { 'config/epr.yml': 'server.port: 1', 'b.yml': 'server.port: 2', 'c.yml': 'server.port: 3' };
  const env = { APP_CONFIG_PATH: 'b.yml' };
  t.equal(load(t, { files }).config.server.port, 1);
  t.equal(load(t, { files, env }).config.server.port, 2);
  t.equal(load(t, { files, env, config: 'c.yml' }).config.server.port, 3);
  const allowed = 'allowed: a YAML file that can be read';
  t.same(messages(t, { config: 'gone.yml' }), [`--config: gone.yml: no such file; ${allowed}`]);
  t.same(messages(t, { env: { APP_CONFIG_PATH: 'gone.yml' } }), [
    `APP_CONFIG_PATH: gone.yml: no such file; ${allowed}`,
  ]);
  t.same(messages(t, { files: { 'x/y': '' }, config: 'x' }), [`--config: x: it is a folder; ${allowed}`]);
  t.same(messages(t, { files: { x: Buffer.from([0x61, 0xff]) }, config: 'x' }), [
    `--config: x: it is not UTF-8 text; ${allowed}`,
  ]);
});

void t.test('every key has its variable and its flag, and no two keys share a variable', async (t) => {
  const files = { secret: 'text' };
  const seen = new Set<string>();
  for (const row of settings) {
    if (row.key.includes('<')) continue;
    for (const name of environmentNames(row)) {
      t.notOk(seen.has(name), `${name} is for one key`);
      seen.add(name);
    }
    const rule = row.key.toUpperCase().replaceAll('.', '_').replaceAll('-', '_');
    t.equal(environmentNames(row)[0], rule);
    // Read by itself, for some settings are refused without others.
    const cwd = folder(t, files);
    const text = row.type.name === 'file' ? 'secret' : row.type.example;
    for (const name of environmentNames(row)) {
      const loaded = loadConfig({ env: { [name]: text }, cwd, isTty: false });
      if (loaded.ok) {
        const entry = loaded.entries.find(({ key }) => key === row.key);
        t.same([entry?.source, entry?.where], ['environment', name], name);
        t.notSame(entry?.value, undefined);
      } else
        t.ok(
          loaded.problems.every(({ key, where }) => key === row.key && where === name),
          name,
        );
      const wrong = loadConfig({ env: { [name]: '\u0000[' }, cwd, isTty: false });
      if (!row.secret && !/^(text|file)$/.test(row.type.name))
        t.equal(wrong.ok ? '' : wrong.problems[0]?.where, name, `${name} is checked`);
    }
    const flagged = loadConfig({ argv: { set: { [row.key]: text } }, env: {}, cwd, isTty: false });
    const where = flagged.ok
      ? flagged.entries.find(({ key }) => key === row.key)?.where
      : flagged.problems[0]?.where;
    t.equal(where, `--set ${row.key}`);
  }
  t.equal(settingsTable().length, settings.length);
});

void t.test('the variables that the interface fixes', async (t) => {
  const { config } = load(t, {
    env: {
      INSTANCE_NAME: 'epr-2',
      NATS_URLS: 'nats://a:4222, nats://b:4222',
      NATS_USERNAME: 'me',
      NATS_PASSWORD: '007',
      MONGODB_USERNAME: 'mu',
      MONGODB_PASSWORD: 'mp',
      STORAGE_URL: 'mongodb://a:1,b:2/epr',
      SERVER_PATH_PREFIXES: '["/x", ""]',
    },
  });
  t.equal(config.service.instanceName, 'epr-2');
  t.same(config.nats, {
    urls: ['nats://a:4222', 'nats://b:4222'],
    username: 'me',
    password: '007',
    jetstream: { syncAlways: false },
  });
  t.same(config.storage, {
    url: 'mongodb://a:1,b:2/epr',
    durability: 'sync',
    username: 'mu',
    password: 'mp',
  });
  t.same(config.server.pathPrefixes, ['/x', '']);
  t.same(messages(t, { env: { INSTANCE_NAME: 'a', SERVICE_INSTANCE_NAME: 'b' } }), [
    'INSTANCE_NAME: service.instance.name: given twice, first at SERVICE_INSTANCE_NAME; allowed: each key once',
  ]);
});

void t.test('secrets from files', async (t) => {
  const files = { pw: 'p w\n' };
  const { config, entry } = load(t, { files, env: { NATS_USERNAME: 'u', NATS_PASSWORD_FILE: 'pw' } });
  t.equal(config.nats.password, 'p w');
  t.equal(entry('nats.password').where, 'NATS_PASSWORD_FILE');
  t.match(config.nats.passwordFile, /^\/.*\/pw$/, 'for who connects again, when it may hold another');
  t.notOk('usernameFile' in config.nats);
  t.same(messages(t, { env: { NATS_USERNAME: 'u', NATS_PASSWORD: 'x', NATS_PASSWORD_FILE: 'none' } }), [
    'NATS_PASSWORD_FILE: nats.password: found "none" (no such file); allowed: the path of a file that can be read',
  ]);
});

void t.test('nested, dotted and mixed keys; anchors; text as it was written', async (t) => {
  const { config } = load(t, {
    files: {
      'config/epr.yml': [
        'server: {port: &p 9000}',
        '"kaa.tekton.url": http://one/',
        'kaa:',
        '  epr.restricted-metadata-keys: [a, 007]',
        'management.port: 0',
        'nats: {username: &u 0x10, password: 010, urls: [localhost]}',
        'limits: {page-max: "500", page-default: 500}',
        'workers:',
      ].join('\n'),
    },
  });
  t.equal(config.server.port, 9000);
  t.equal(config.kaa.tekton.url, 'http://one');
  t.same(config.kaa.epr.restrictedMetadataKeys, ['a', '007']);
  t.equal(config.nats.username, '0x10');
  t.equal(config.nats.password, '010');
  t.equal(config.limits.pageMax, 500);
  t.equal(
    load(t, yml('server.port: &p 9000\nmanagement: {port: 1}\nlimits.queue: *p')).config.limits.queue,
    9000,
  );
  t.equal(load(t, yml('')).config.server.port, 8080);
  t.same(load(t, yml('# nothing')).notes, [
    'No applications are configured in config/epr.yml: no endpoint can register.',
  ]);
});

void t.test('durations and sizes', async (t) => {
  const ms = (text: string): number =>
    load(t, { env: { SERVICE_GRACEFUL_SHUTDOWN: text } }).config.service.gracefulShutdownMs;
  t.same(['100ms', '2s', '3 m', '1h', '0s'].map(ms), [100, 2000, 180_000, 3_600_000, 0]);
  const retention = load(t, { env: { LIMITS_BATCH_TASK_RETENTION: '7d' } });
  t.equal(retention.config.limits.batchTaskRetentionMs, 604_800_000);
  t.equal(retention.entry('limits.batch-task-retention').shown, '168h');
  const bytes = (text: string): number =>
    load(t, { env: { SERVER_MAX_BODY: text } }).config.server.maxBodyBytes;
  t.same(['2048', '2048B', '2KiB', '1GiB'].map(bytes), [2048, 2048, 2048, 1073741824]);
});
