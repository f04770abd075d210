import { gunzipSync, brotliDecompressSync } from 'node:zlib';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { openAccess } from '../../src/security/index.js';
import { request, startHarness } from './harness.js';

interface Raw {
  status: number;
  headers: Record<string, string | undefined>;
  body: Buffer;
}

/** Without what fetch does by itself: encodings, redirects. */
function get(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { method, headers }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () =>
        resolve({
          status: answer.statusCode!,
          headers: answer.headers as Raw['headers'],
          body: Buffer.concat(parts),
        }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

const SCRIPT = 'x'.repeat(1000);
const PAGE = '<!doctype html><title>Console</title>';
const BUILT: Readonly<Record<string, string>> = {
  'index.html': PAGE,
  'assets/main-AAAA.js': SCRIPT,
  'assets/main-AAAA.js.map': '{}',
  'assets/icon-BBBB.png': 'png',
};

/** A folder as the build leaves it. */
function pagesFolder(t: Test, files = BUILT): string {
  const folder = mkdtempSync(join(tmpdir(), 'epr-pages-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, 'console', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  return folder;
}

void t.test('files, their types and how long they may be kept', async (t) => {
  const h = await startHarness(t, { pagesFolder: pagesFolder(t) });
  for (const prefix of ['', '/epr']) {
    for (const path of ['/console/', '/console/index.html']) {
      const page = await get(h.origin + prefix + path);
      t.equal(page.status, 200, prefix + path);
      t.equal(page.body.toString(), PAGE);
      t.equal(page.headers['content-type'], 'text/html; charset=utf-8');
      t.equal(page.headers['cache-control'], 'no-cache');
    }
    const script = await get(`${h.origin}${prefix}/console/assets/main-AAAA.js?v=1`);
    t.equal(script.body.toString(), SCRIPT);
    t.equal(script.headers['content-type'], 'text/javascript; charset=utf-8');
    t.equal(script.headers['cache-control'], 'public, max-age=31536000, immutable');
    t.equal(script.headers['x-content-type-options'], 'nosniff');
    t.equal(script.headers['referrer-policy'], 'no-referrer');
    t.match(script.headers['content-security-policy'], /^default-src 'none'; script-src 'self'; /);
    t.match(script.headers['content-security-policy'], /frame-ancestors 'none'/);
    t.notMatch(script.headers['content-security-policy'], /unsafe|\*/);
  }
});

void t.test('compressed for who takes it, each form with its own tag', async (t) => {
  const h = await startHarness(t, { pagesFolder: pagesFolder(t) });
  const url = `${h.origin}/console/assets/main-AAAA.js`;
  const br = await get(url, { 'accept-encoding': 'gzip, deflate, br' });
  t.equal(br.headers['content-encoding'], 'br');
  t.equal(brotliDecompressSync(br.body).toString(), SCRIPT);
  const gzip = await get(url, { 'accept-encoding': 'gzip;q=0.5, br;q=0' });
  t.equal(gzip.headers['content-encoding'], 'gzip');
  t.equal(gunzipSync(gzip.body).toString(), SCRIPT);
  const any = await get(url, { 'accept-encoding': '*' });
  t.equal(any.headers['content-encoding'], 'br');
  const plain = await get(url, { 'accept-encoding': 'identity' });
  t.equal(plain.headers['content-encoding'], undefined);
  const png = await get(`${h.origin}/console/assets/icon-BBBB.png`, { 'accept-encoding': 'br' });
  t.equal(png.headers['content-encoding'], undefined);
  const tags = [br, gzip, plain].map(({ headers }) => headers['etag']!);
  t.equal(new Set(tags).size, 3);
  for (const [i, encoding] of ['br', 'gzip', 'identity'].entries()) {
    const headers = { 'accept-encoding': encoding, 'if-none-match': `"other", W/${tags[i]}` };
    const known = await get(url, headers);
    t.equal(known.status, 304, encoding);
    t.equal(known.headers['etag'], tags[i]);
    t.equal(known.headers['vary'], 'Accept-Encoding');
    t.equal(known.body.length, 0);
  }
  t.equal((await get(url, { 'if-none-match': tags[0]! })).status, 200, 'the tag of another form');
});

void t.test(
  'the policy lets a page ask the issuers of the tenants that there are now, and nobody else',
  async (t) => {
    let origins = ['https://auth.example.org'];
    const signIn = { list: () => [], find: () => undefined, origins: () => origins };
    const h = await startHarness(t, { pagesFolder: pagesFolder(t), signIn });
    const before = await get(`${h.origin}/console/`);
    const policy = before.headers['content-security-policy'];
    t.match(policy, /connect-src 'self' https:\/\/auth\.example\.org;/);
    t.match(policy, /form-action 'self' https:\/\/auth\.example\.org;/);
    t.match(policy, /script-src 'self';/);
    const known = { 'if-none-match': before.headers['etag']! };
    t.equal((await get(`${h.origin}/console/`, known)).status, 304);
    origins = ['https://other.example.org'];
    const after = await get(`${h.origin}/console/`, known);
    t.equal(after.status, 200, 'a page that is kept with the former policy is not good any more');
    t.match(after.headers['content-security-policy'], /connect-src 'self' https:\/\/other\.example\.org;/);
    origins = [];
    const off = (await get(`${h.origin}/console/`)).headers['content-security-policy'];
    t.match(off, /connect-src 'self';/);
    t.match(off, /form-action 'none';/);
  },
);

void t.test('HEAD, other methods, and paths where nothing is', async (t) => {
  const h = await startHarness(t, { pagesFolder: pagesFolder(t) });
  const head = await get(`${h.origin}/console/assets/main-AAAA.js`, {}, 'HEAD');
  t.equal(head.status, 200);
  t.equal(head.headers['content-length'], String(SCRIPT.length));
  t.equal(head.body.length, 0);
  for (const path of ['/console', '/console/', '/', '/console/assets/main-AAAA.js']) {
    const posted = await request(h.origin + path, 'POST', {});
    t.equal(posted.status, 405, path);
    t.equal(posted.headers.get('allow'), 'GET, HEAD');
  }
  for (const path of [
    '/console/none',
    '/console/assets',
    '/console/assets/',
    '/console/assets/main-AAAA.js.map',
    '/console/%2e%2e/index.html',
    '/console/assets/..%2findex.html',
    '/consolex',
    '/other/console/',
  ]) {
    const answer = await get(h.origin + path);
    t.equal(answer.status, 404, path);
    t.equal((JSON.parse(answer.body.toString()) as { code: string }).code, 'not-found');
  }
});

void t.test('where a path leads is relative, for proxies', async (t) => {
  const h = await startHarness(t, { pagesFolder: pagesFolder(t) });
  for (const [path, location] of [
    ['/', 'console/'],
    ['/epr', 'epr/console/'],
    ['/epr/', 'console/'],
    ['/console', 'console/'],
    ['/epr/console?a=1', 'console/?a=1'],
  ] as const) {
    const answer = await get(h.origin + path);
    t.equal(answer.status, 308, path);
    t.equal(answer.headers['location'], location);
    t.equal(answer.headers['cache-control'], 'no-cache');
    t.equal((await request(h.origin + path, 'GET')).text, PAGE, 'fetch gets there');
  }
});

void t.test('pages that were not built: 404 with the remedy, and all else works', async (t) => {
  const h = await startHarness(t, { pagesFolder: pagesFolder(t, {}) });
  for (const path of ['/console', '/console/', '/epr/console/index.html']) {
    const answer = await request(h.origin + path, 'GET');
    t.equal(answer.status, 404, path);
    t.match(answer.text, /npm run build/);
  }
  t.equal((await request(`${h.origin}/`, 'GET')).status, 404);
  t.equal((await h.call('GET', '/endpoints')).status, 200);
});

void t.test('pages are public, counted, and not in the OpenAPI document', async (t) => {
  const h = await startHarness(t, {
    pagesFolder: pagesFolder(t),
    access: {
      ...openAccess(),
      authenticates: true,
      authenticate: async () => Promise.reject(new Error('asked who it is')),
      decide: async () => Promise.reject(new Error('asked what it may')),
      granted: async () => Promise.reject(new Error('asked what it may')),
    },
  });
  t.equal((await get(`${h.origin}/console/`)).status, 200);
  const metrics = await request(`${h.managementOrigin}/metrics`, 'GET');
  t.match(metrics.text, /epr_http_requests_total\{route="\/console\/\*",method="GET",status="200"\} 1/);
  t.notMatch((await h.call('GET', '/openapi.json')).text, /\/console/);
});

void t.test('what npm run build built is served', async (t) => {
  const h = await startHarness(t);
  const page = (await request(`${h.origin}/epr/console/`, 'GET')).text;
  const names = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
  t.equal(names.length, 3);
  for (const name of names) {
    const answer = await request(`${h.origin}/epr/console/${name}`, 'GET');
    t.equal(answer.status, 200, name);
    t.match(answer.headers.get('cache-control'), /immutable/);
  }
  t.notMatch(page, /<script(?![^>]*src=)|<style|\son\w+=|\sstyle=/, 'nothing inline: the policy refuses it');
});
