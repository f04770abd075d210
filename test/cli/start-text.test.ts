import t from 'tap';
import { isLoopback } from '../../src/model/loopback.js';
import { renderStartText, startText } from '../../src/cli/start-text.js';
import { loadConfig } from '../../src/config/index.js';

function textFor(set: Record<string, string>): string {
  const loaded = loadConfig({ argv: { set }, env: {}, cwd: '/nowhere', isTty: true });
  if (!loaded.ok) throw new Error(loaded.problems[0]!.message);
  const { config } = loaded;
  const facts = {
    version: '1.2.3',
    config,
    url: `http://${config.server.host}:8080`,
    managementUrl: 'http://127.0.0.1:8081',
    demoApplication: set['kaa.applications'] === undefined,
    epr: 'epr',
  };
  return renderStartText(startText(facts), '1.2.3');
}

void t.test('with nothing configured', async (t) => {
  const text = textFor({});
  t.match(text, /Endpoint register 1\.2\.3 is ready/);
  t.match(text, /http:\/\/127\.0\.0\.1:8080/);
  t.match(text, /console +http:\/\/127\.0\.0\.1:8080\/console/);
  t.match(text, /http:\/\/127\.0\.0\.1:8081/);
  t.match(text, /\.\/data/);
  t.match(text, /authentication +off; safe/);
  t.match(text, /NATS +not configured/);
  t.match(text, /demo \(demo-v1, demo-v2\)/);
  t.match(text, /curl .*"demo-v1".*\/api\/v1\/endpoints/);
  t.notMatch(text, /WARNING/);
});

void t.test('open to other machines without authentication is said loudly', async (t) => {
  const text = textFor({ 'server.host': '0.0.0.0' });
  t.match(text, /WARNING .*Authentication is off and 0\.0\.0\.0/);
  t.match(text, /authentication +OFF/);
});

void t.test('where people sign in, the console has the address that the auth server knows', async (t) => {
  const known = { 'server.public-url': 'http://localhost:8080/' };
  const signedIn = {
    'kaa.security.authentication.enabled': 'true',
    'kaa.tenants.kaa.issuer': 'http://localhost:8082/realms/kaa',
  };
  t.match(textFor({ ...known, ...signedIn }), /console +http:\/\/localhost:8080\/console/);
  t.match(textFor(known), /console +http:\/\/127\.0\.0\.1:8080\/console/, 'else where it listens');
  const prefixed = { 'server.public-url': 'https://x.example/epr', 'server.path-prefixes': '/epr' };
  t.match(textFor({ ...prefixed, ...signedIn }), /console +https:\/\/x\.example\/epr\/console/);
});

void t.test('no secret of an address is shown', async (t) => {
  const text = textFor({
    'storage.url': 'mongodb://joe:hunter2@db:27017/epr',
    'nats.urls': 'nats://ann:hunter3@nats:4222',
  });
  t.match(text, /mongodb:\/\/db:27017\/epr/);
  t.match(text, /nats:4222/);
  t.notMatch(text, /hunter/);
});

void t.test('many applications are not all listed', async (t) => {
  const applications = Object.fromEntries(
    Array.from({ length: 30 }, (_, i) => [`app${i}`, { versions: { [`app${i}-v1`]: null } }]),
  );
  t.match(textFor({ 'kaa.applications': JSON.stringify(applications) }), /app0 \(app0-v1\), .*and 25 more/);
});

void t.test('what is loopback', async (t) => {
  for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) t.ok(isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '127.example.com', '10.0.0.1', '1127.0.0.1'])
    t.notOk(isLoopback(host), host);
});

void t.test('applications from Tekton: where they come from, without its password', async (t) => {
  const text = textFor({ 'kaa.tekton.enabled': 'true', 'kaa.tekton.url': 'http://me:hunter4@tekton:8080' });
  t.match(text, /applications +from Tekton at http:\/\/tekton:8080\n/);
  t.notMatch(text, /hunter|curl/);
});
