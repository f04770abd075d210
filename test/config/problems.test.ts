import t from 'tap';
import { fail, load, messages, yml } from './harness.js';

void t.test('all problems at once, each with its place', async (t) => {
  const text = [
    'server:',
    '  port: http',
    '  hots: 0.0.0.0',
    'limits:',
    '  endpoint-size: 8MB',
    'logging.level: loud',
    '',
  ].join('\n');
  const problems = fail(t, {
    ...yml(text),
    env: { SERVICE_GRACEFUL_SHUTDOWN: '30' },
    set: { 'storage.uri': 'x' },
  });
  t.same(
    problems.map(({ message }) => message).sort(),
    [
      'config/epr.yml:2:9: server.port: found "http"; allowed: a port, 0 to 65535 (0: any free one)',
      'config/epr.yml:3:3: server.hots: unknown key; did you mean server.host?',
      'config/epr.yml:5:18: limits.endpoint-size: found "8MB"; allowed: a size in KiB, MiB, GiB or bytes such as ' +
        '256KiB or 8MiB, from 1KiB to 8MiB',
      'config/epr.yml:6:16: logging.level: found "loud"; allowed: one of info, trace, debug, warn, error, fatal, silent',
      'SERVICE_GRACEFUL_SHUTDOWN: service.graceful-shutdown: found "30"; allowed: a duration with its unit ' +
        '(ms, s, m, h, d) such as 30s or 5m, from 0ms to 1h',
      '--set storage.uri: storage.uri: unknown key; did you mean storage.url?',
    ].sort(),
  );
  t.same(
    problems.find(({ key }) => key === 'server.port'),
    {
      key: 'server.port',
      where: 'config/epr.yml:2:9',
      found: '"http"',
      allowed: 'a port, 0 to 65535 (0: any free one)',
      message: problems.find(({ key }) => key === 'server.port')?.message,
    },
  );
});

void t.test('unknown keys name the nearest known one', async (t) => {
  const hint = (key: string): string =>
    messages(t, yml(`"${key}": 1`))[0]?.replace(/^.*unknown key; /, '') ?? '';
  t.equal(hint('sever'), 'did you mean server?');
  t.equal(hint('kaa.tekton.uri'), 'did you mean kaa.tekton.url?');
  t.equal(hint('tekton.url'), 'did you mean kaa.tekton.url?');
  t.equal(hint('kaa.tenantManager.enabled'), 'did you mean kaa.tenant-manager.enabled?');
  t.equal(hint('kaa.applications.a.version'), 'did you mean kaa.applications.a.versions?');
  t.equal(hint('limits.pagemax'), 'did you mean limits.page-max?');
  t.equal(hint('workers.affinity'), 'allowed here: workers.threads');
  t.match(hint('zzzzzzzzzz'), /^allowed here: .*kaa.*, server/);
});

void t.test('wrong types', async (t) => {
  const one = (text: string): string | undefined =>
    messages(t, yml(text))[0]?.replace(/^config\/epr.yml:/, '');
  const allowedPort = 'a port, 0 to 65535 (0: any free one)';
  t.equal(one('server: {port: [1]}'), `1:16: server.port: found a list; allowed: ${allowedPort}`);
  t.equal(one('server: {port: {a: 1}}'), `1:16: server.port: found a mapping; allowed: ${allowedPort}`);
  t.equal(one('server:\n  port:\n'), `2:3: server.port: found nothing; allowed: ${allowedPort}`);
  t.equal(one('server.port: 65536'), `1:14: server.port: found "65536"; allowed: ${allowedPort}`);
  t.equal(one('server.port: -1'), `1:14: server.port: found "-1"; allowed: ${allowedPort}`);
  t.equal(one('server.port: 80.5'), `1:14: server.port: found "80.5"; allowed: ${allowedPort}`);
  t.match(
    one('server: 8080'),
    /^1:9: server: found a number; allowed: a mapping of server.port, server.host/,
  );
  t.equal(one('kaa.tekton.enabled: yes'), '1:21: kaa.tekton.enabled: found "yes"; allowed: true or false');
  t.equal(
    one('workers.threads: 0'),
    '1:18: workers.threads: found "0"; allowed: a whole number from 1 to 256',
  );
  t.equal(
    one("limits.metadata-key-pattern: '[a'"),
    '1:30: limits.metadata-key-pattern: found "[a" (Invalid regular expression: /[a/u: Unterminated character class); ' +
      'allowed: a regular expression',
  );
  t.equal(
    one('server.public-url: example.org'),
    '1:20: server.public-url: found "example.org"; allowed: an http:// or https:// URL without a query',
  );
  t.equal(
    one('storage.url: mysql://u:hunter2@db'),
    '1:14: storage.url: found "mysql://u:********@db"; allowed: file:<folder>, mongodb://... or mongodb+srv://...',
  );
  t.match(
    one('nats.urls: [{a: b}]'),
    /^1:12: nats.urls: found a list whose items are not all text; allowed: a list/,
  );
  t.match(one('server.path-prefixes: [/epr/]'), /found "\/epr\/"; .*"" or a path such as \/epr/);
  t.match(messages(t, { env: { NATS_URLS: '["a"' } })[0], /begins like a JSON array of text and is none/);
});

void t.test('YAML that is none', async (t) => {
  const allowed = 'allowed: valid YAML (text with special characters needs quotes)';
  t.same(messages(t, yml('server:\n\tport: 1')), [
    `config/epr.yml:2:1: Tabs are not allowed as indentation; ${allowed}`,
  ]);
  t.match(messages(t, yml('a: 1\n---\nb: 2'))[0], /^config\/epr.yml:2:1: .*multiple documents/);
  t.same(messages(t, yml('nats.password: !hunter2 x')), [
    `config/epr.yml:1:16: a value with an unknown tag (!...); ${allowed}`,
  ]);
  t.same(messages(t, yml('nats.password: *hunter2')), [
    'config/epr.yml:1:16: nats.password: found an alias (*) to no anchor; allowed: text that begins with * in quotes',
  ]);
  t.same(messages(t, yml('- a')), ['config/epr.yml:1:1: a list; allowed: a mapping of settings']);
  t.same(messages(t, yml('[a]: 1')), ['config/epr.yml:1:1: a key that is not text; allowed: text as a key']);
  t.same(messages(t, yml('? [a]\n: 1\n? \n: 2')).length, 2);
  t.match(messages(t, yml('server: &s {a: *s}'))[0], /server.a: unknown key/);
});

void t.test('keys given twice', async (t) => {
  t.same(messages(t, yml('server:\n  port: 1\n  port: 2\n')), [
    'config/epr.yml:3:3: server.port: given twice, first at config/epr.yml:2:3; allowed: each key once',
  ]);
  t.same(messages(t, yml('server:\n  port: 1\n"server.port": 2\n')), [
    'config/epr.yml:3:1: server.port: given twice, first at config/epr.yml:2:9; allowed: each key once',
  ]);
  t.same(messages(t, yml('server: {port: 1}\nserver: {host: a}\n')), [
    'config/epr.yml:2:1: server: given twice, first at config/epr.yml:1:1; allowed: each key once',
  ]);
});

void t.test('security that could not work is refused, not ignored', async (t) => {
  const refused = (key: string, value: string): string | undefined => messages(t, yml(`${key}: ${value}`))[0];
  t.match(
    refused('kaa.security.authentication.enabled', 'true'),
    'config/epr.yml:1:38: kaa.security.authentication.enabled: found true, and no tenant whose tokens could be verified; ' +
      'allowed: true with a tenant: kaa.tenants.kaa.issuer (docs/security.md)',
  );
  t.ok(load(t, yml('kaa: {security.authentication.enabled: true, tenants.kaa.issuer: "http://i"}')));
  t.match(
    messages(t, yml('kaa.security.authorization.enabled: true'))[0],
    'config/epr.yml:1:37: kaa.security.authorization.enabled: found true without authentication; ' +
      'allowed: true only with kaa.security.authentication.enabled',
  );
});

void t.test('the tenant manager is asked by a client of the system tenant', async (t) => {
  const system = 'issuer: "http://i", client-id: register';
  const found = (kaa: string) => messages(t, yml(`kaa: {tenant-manager.enabled: true${kaa}}`));
  const on = ', security.authentication.enabled: true';
  t.same(found(''), [
    'config/epr.yml:1:31: kaa.tenant-manager.enabled: found true without authentication; ' +
      'allowed: true only with kaa.security.authentication.enabled: tenants are known by their tokens',
  ]);
  const allowed =
    'allowed: true with kaa.tenants.kaa.issuer, .client-id and .client-secret: the client of the system tenant that the tenant manager is asked with';
  const key = 'config/epr.yml:1:31: kaa.tenant-manager.enabled';
  t.same(found(on), [`${key}: found true, and no system tenant; ${allowed}`]);
  t.same(found(`${on}, tenants.acme.issuer: "http://a"`), [
    `${key}: found true, and no system tenant; ${allowed}`,
  ]);
  t.same(found(`${on}, tenants.kaa: {${system}}`), [
    `${key}: found true, and no client secret of system tenant; ${allowed}`,
  ]);
  const { notes } = load(
    t,
    yml(
      `kaa: {tenant-manager.enabled: true${on}, tenants: {kaa: {${system}, client-secret: x}, acme.issuer: "http://a"}}`,
    ),
  );
  t.match(notes.join(), /kaa.tenants.acme has no effect while kaa.tenant-manager.enabled is true/);
});

void t.test('what this service does in its own name needs a secret', async (t) => {
  const on = 'authentication.enabled: true, security.authorization.enabled: true';
  const secured = (more: string) => yml(`kaa: {security.${on}, tenants.kaa: {issuer: "http://i"}${more}}`);
  const [problem, ...others] = messages(t, secured(''));
  t.same(others, []);
  t.match(
    problem,
    'kaa.tenants.kaa.client-secret: found nothing, and each endpoint is to have a resource at the auth server ' +
      '(kaa.security.endpoint-resources); allowed: the secret of the client, here or in kaa.tenants.kaa.client-secret-file, ' +
      'or kaa.security.endpoint-resources: false where roles alone grant',
  );
  t.ok(load(t, secured(', security.endpoint-resources: false')));
  t.ok(load(t, secured(', tenants.kaa.client-secret: x')));
  t.match(
    messages(
      t,
      secured(', security.endpoint-resources: false, epr.credential-management.base-url: "http://c"'),
    ),
    [/kaa.tenants.kaa.client-secret: found nothing, and credential management is asked with a token/],
  );
});

void t.test('settings that contradict each other', async (t) => {
  t.same(messages(t, yml('limits: {page-default: 50, page-max: 20}')), [
    'config/epr.yml:1:24: limits.page-default: found 50; allowed: limits.page-default (50) up to limits.page-max (20)',
  ]);
  t.same(messages(t, yml('management.port: 8080')), [
    'config/epr.yml:1:18: management.port: found 8080; allowed: different ports for server.port and management.port',
  ]);
  t.ok(load(t, { env: { SERVER_PORT: '0', MANAGEMENT_PORT: '0' } }));
  t.ok(load(t, { env: { MANAGEMENT_PORT: '8080', MANAGEMENT_HOST: '127.0.0.2' } }));
  t.same(messages(t, { env: { NATS_PASSWORD: 'x' } }), [
    'NATS_PASSWORD: nats.password: found no nats.username; allowed: nats.password with nats.username',
  ]);
  t.same(messages(t, { env: { NATS_TOKEN: 'x', NATS_URLS: 'nats://u:p@h' } }), [
    'NATS_URLS: nats.urls: found nats.urls beside nats.token; allowed: one way of signing in',
  ]);
  t.match(
    messages(t, { env: { NATS_URLS: 'nats://u:p@h,nats://u:q@h' } })[0],
    /same credentials in every URL/,
  );
  t.match(
    messages(t, { env: { NATS_URLS: 'tls://h', NATS_TLS_ENABLED: 'false' } })[0],
    /true with a tls:\/\/ URL/,
  );
  t.match(
    messages(t, { files: { c: '' }, env: { NATS_TLS_CERT_FILE: 'c' } })[0],
    /found no nats.tls.key-file/,
  );
  t.match(
    messages(t, { env: { NATS_CREDENTIALS_FILE: 'gone.creds' } })[0],
    /gone.creds \(no such file\); allowed: a file/,
  );
  t.match(messages(t, { env: { MONGODB_PASSWORD: 'x' } })[0], /found no storage.username/);
});

void t.test('notes: variables and settings without effect', async (t) => {
  const env = {
    KAA_TEKTON_URI: 'x',
    SERVER_PROT: '1',
    SERVER_SOFTWARE: 'x',
    NATS_SERVICE_HOST: '10.0.0.1',
    NATS_PORT_4222_TCP: 'tcp://10.0.0.1:4222',
    NATS_USERNAME: 'u',
    NATS_PASSWORD: 'p',
    KAA_TEKTON_URL: 'http://t',
    PATH: '/bin',
  };
  t.same(load(t, { ...yml('kaa.applications.a.versions.v:'), env }).notes, [
    'nats.username (NATS_USERNAME) has no effect while nats.urls is not set.',
    'nats.password (NATS_PASSWORD) has no effect while nats.urls is not set.',
    'kaa.tekton.url (KAA_TEKTON_URL) has no effect while kaa.tekton.enabled is false.',
    'The variable KAA_TEKTON_URI is no setting and is ignored; did you mean KAA_TEKTON_URL?',
    'The variable SERVER_PROT is no setting and is ignored; did you mean SERVER_PORT?',
  ]);
});

void t.test('notes: an audience that is not compared, where rights are asked for', async (t) => {
  const set = {
    'kaa.security.authentication.enabled': 'true',
    'kaa.security.authorization.enabled': 'true',
    'kaa.tenants.kaa.issuer': 'https://auth.example.org/realms/kaa',
    'kaa.tenants.kaa.client-secret': 's',
    'kaa.applications.a.versions.v': '',
  };
  t.match(load(t, { set }).notes, [/^kaa\.security\.audience is not set: .* audience mapper/]);
  t.same(load(t, { set: { ...set, 'kaa.security.audience': 'epr' } }).notes, []);
});
