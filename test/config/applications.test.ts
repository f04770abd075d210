import t from 'tap';
import { SCOPES } from '../../src/model/scopes.js';
import { load, messages, yml } from './harness.js';

const kettle = [
  'kaa:',
  '  applications:',
  '    kettle:',
  '      tenant: acme',
  '      metadata-inheritance.enabled: true',
  '      versions:',
  '        kettle-v1:',
  '        kettle-v2: {}',
  '',
].join('\n');

void t.test('applications from the file', async (t) => {
  const { config, entry, notes } = load(t, yml(kettle));
  t.same(Object.entries(config.applications), [
    ['kettle', { tenant: 'acme', versions: ['kettle-v1', 'kettle-v2'], metadataInheritance: true }],
  ]);
  t.equal(entry('kaa.applications.kettle.versions.kettle-v2').where, 'config/epr.yml:8');
  t.same(notes, []);
  t.same(load(t, yml('kaa.applications.kettle:')).notes, [
    'kaa.applications.kettle has no versions: no endpoint can register in it.',
  ]);
});

void t.test('names such as constructor and __proto__ are names', async (t) => {
  const { config } = load(
    t,
    yml('kaa.applications: {__proto__: {versions: {v: }}, a: {versions: {__proto__: }}}'),
  );
  t.same(Object.keys(config.applications), ['__proto__', 'a']);
  t.same(config.applications['__proto__']?.versions, ['v']);
  t.same(config.applications['a']?.versions, ['__proto__']);
  t.equal(config.applications['constructor'], undefined);
});

void t.test('KAA_APPLICATIONS replaces those of the file, which are checked all the same', async (t) => {
  const env = { KAA_APPLICATIONS: '{"lamp": {"versions": {"lamp-v1": {}, "lamp-v2": ""}}}' };
  const { config, entry } = load(t, { ...yml(kettle), env });
  t.same(Object.entries(config.applications), [
    ['lamp', { tenant: 'kaa', versions: ['lamp-v1', 'lamp-v2'], metadataInheritance: false }],
  ]);
  t.equal(entry('kaa.applications.lamp.versions.lamp-v1').where, 'KAA_APPLICATIONS');
  t.same(messages(t, { ...yml('kaa.applications.a.metadata-inheritance.enabled: 1'), env }), [
    'config/epr.yml:1:50: kaa.applications.a.metadata-inheritance.enabled: found "1"; allowed: true or false',
  ]);
  t.same(messages(t, { env: { KAA_APPLICATIONS: '[1]' } }), [
    'KAA_APPLICATIONS: kaa.applications: found a list; allowed: a mapping of kaa.applications.<app>',
  ]);
  t.match(messages(t, { env: { KAA_APPLICATIONS: '{"a": "hunter2' } }), [
    /^KAA_APPLICATIONS: Missing closing/,
  ]);
  t.notMatch(messages(t, { env: { KAA_APPLICATIONS: '{"a": "hunter2' } }).join(), /hunter2/);
});

void t.test('known names have variables of their own', async (t) => {
  const env = { KAA_APPLICATIONS_KETTLE_TENANT: 'other' };
  const { config, entry } = load(t, { ...yml(kettle), env });
  t.equal(config.applications['kettle']?.tenant, 'other');
  t.equal(entry('kaa.applications.kettle.tenant').where, 'KAA_APPLICATIONS_KETTLE_TENANT');
  t.equal(load(t, { env: { KAA_APPLICATIONS_DEMO_TENANT: 'x' } }).config.applications['demo']?.tenant, 'x');
  t.match(
    load(t, { env: { KAA_APPLICATIONS_LAMP_TENANT: 'x' } }).notes[1],
    /KAA_APPLICATIONS_LAMP_TENANT is no setting/,
  );
  const twins = 'kaa.applications: {a-b: {versions: {v1: }}, a_b: {versions: {v2: }}}';
  t.same(messages(t, { ...yml(twins), env: { KAA_APPLICATIONS_A_B_TENANT: 'x' } }), [
    'KAA_APPLICATIONS_A_B_TENANT: kaa.applications.a_b.tenant: found a variable that means kaa.applications.a-b.tenant ' +
      'as well; allowed: names that differ in more than - and _, or KAA_APPLICATIONS as JSON',
  ]);
});

void t.test('flags add to applications, or replace them', async (t) => {
  const added = load(t, { ...yml(kettle), set: { 'kaa.applications.kettle.versions.kettle-v3': '' } });
  t.same(added.config.applications['kettle']?.versions, ['kettle-v1', 'kettle-v2', 'kettle-v3']);
  const replaced = load(t, {
    ...yml(kettle),
    set: { 'kaa.applications': '{"x": {"versions": {"x1": null}}}' },
  });
  t.same(Object.keys(replaced.config.applications), ['x']);
  const alone = load(t, { set: { 'kaa.applications.x.versions.x1': '' } });
  t.same(Object.keys(alone.config.applications), ['x']);
});

void t.test('what is wrong with applications', async (t) => {
  t.same(messages(t, yml('kaa.applications:\n  a: {versions: {v1: }}\n  b: {versions: {v1: }}\n')), [
    'config/epr.yml:3:18: kaa.applications.b.versions.v1: found version v1 in b, and in a at config/epr.yml:2:18; ' +
      'allowed: each version in one application',
  ]);
  t.same(messages(t, yml('kaa.applications:\n  Smart Kettle: {versions: {v1: }}\n')), [
    'config/epr.yml:2:3: kaa.applications.Smart Kettle: found the name "Smart Kettle"; ' +
      'allowed: a name of a-z, 0-9, _ and -, of at most 256 characters',
  ]);
  t.same(messages(t, yml('kaa.applications.a.versions: {v.1: }')), [
    'config/epr.yml:1:31: kaa.applications.a.versions.v.1: found the name "v.1"; allowed: a name of a-z, 0-9, _ and -, of at most 256 characters',
  ]);
  t.same(messages(t, yml('kaa.applications.a.versions: {v1: on}')), [
    'config/epr.yml:1:35: kaa.applications.a.versions.v1: found "on"; allowed: nothing: leave the value empty',
  ]);
  t.same(messages(t, yml('kaa.applications.a.versions: [v1]')), [
    'config/epr.yml:1:30: kaa.applications.a.versions: found a list; ' +
      'allowed: a mapping of kaa.applications.a.versions.<version>',
  ]);
});

void t.test('tenants and role grants', async (t) => {
  const files = {
    'config/epr.yml': [
      'kaa:',
      '  applications.a.versions.v:',
      '  tenants:',
      '    kaa: {issuer: "https://auth/realms/kaa/", client-id: epr, client-secret-file: s}',
      '    acme: {issuer: "https://auth/realms/acme", auth-server-url: "http://keycloak/realms/acme/"}',
      '  security.role-grants:',
      '    endpoint.reader: [endpoint:read]',
    ].join('\n'),
    s: 'hush\n',
  };
  const env = { KAA_TENANTS_ACME_CLIENT_SECRET: 'mine' };
  const { config, entry, notes } = load(t, { files, env });
  t.same(Object.entries(config.kaa.tenants), [
    [
      'kaa',
      {
        issuer: 'https://auth/realms/kaa/',
        authServerUrl: 'https://auth/realms/kaa/',
        clientId: 'epr',
        clientSecret: 'hush',
      },
    ],
    [
      'acme',
      {
        issuer: 'https://auth/realms/acme',
        authServerUrl: 'http://keycloak/realms/acme',
        clientId: 'epr',
        clientSecret: 'mine',
      },
    ],
  ]);
  t.equal(entry('kaa.tenants.acme.client-secret').shown, '********');
  t.same(Object.entries(config.kaa.security.roleGrants), [['endpoint.reader', ['endpoint:read']]]);
  t.ok(
    notes.includes(
      'kaa.tenants.kaa.issuer (config/epr.yml:4) has no effect while kaa.security.authentication.enabled is false.',
    ),
  );

  t.same(messages(t, { env: { KAA_TENANTS: '{"a": {"client-id": "x"}}' } }), [
    'KAA_TENANTS: kaa.tenants.a.issuer: found nothing; allowed: kaa.tenants.a.issuer as it stands in tokens',
  ]);
  t.match(messages(t, { env: { KAA_SECURITY_ROLE_GRANTS: '{"r": ["endpoint:write"]}' } }), [
    /^KAA_SECURITY_ROLE_GRANTS: kaa.security.role-grants.r: found "endpoint:write"; allowed: a list .*endpoint:update/,
  ]);
  for (const scope of SCOPES)
    t.same(
      load(t, { env: { KAA_SECURITY_ROLE_GRANTS: `{"r": ["${scope}"]}` } }).config.kaa.security.roleGrants[
        'r'
      ],
      [scope],
    );
});

void t.test('applications from Tekton: no demo, and those of the file are not in force', async (t) => {
  const bare = load(t, { env: { KAA_TEKTON_ENABLED: 'true' } });
  t.same(bare.config.applications, {});
  t.same(bare.notes, []);
  t.same(load(t, yml('kaa.tekton: {enabled: true, url: "http://tekton:8080/"}')).notes, []);
  const both = load(t, yml('kaa.tekton.enabled: true\nkaa.applications.a.versions.v1:'));
  t.same(both.notes, [
    'kaa.applications (config/epr.yml:2) has no effect while kaa.tekton.enabled is true: applications come from Tekton.',
  ]);
});
