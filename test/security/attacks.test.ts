/** Tokens that must not be taken, each as an attacker sends it: over HTTP to the whole gateway. */
import t from 'tap';
import { openRaw } from '../gateway/harness.js';
import { forge, forgeHmac, makeAccess, makeKey, startIssuer } from './issuer.js';
import { startTarget as target } from './target.js';

void t.test('no signature, in every spelling', async (t) => {
  const { issuer, refuses } = await target(t);
  const claims = issuer.claims();
  const kid = issuer.key.jwk.kid;
  const [, , signature] = (await issuer.token()).split('.') as [string, string, string];
  for (const alg of ['none', 'None', 'NONE', 'nOnE', 'none ', '', 'null']) {
    await refuses(t, `alg ${alg}, no signature`, forge({ alg, kid }, claims, ''), 'malformed');
    await refuses(t, `alg ${alg}`, forge({ alg, kid }, claims, signature), 'not signed as it must be');
  }
  await refuses(t, 'no alg', forge({ kid }, claims, signature), 'not signed as it must be');
  for (const alg of [null, 0, [], ['ES256'], {}, true])
    await refuses(t, `alg ${JSON.stringify(alg)}`, forge({ alg, kid }, claims, signature), 'not signed');
  const [header, body] = (await issuer.token()).split('.') as [string, string];
  await refuses(t, 'an empty signature', `${header}.${body}.`, 'malformed');
  await refuses(t, 'no signature at all', `${header}.${body}`, 'malformed');
});

for (const alg of ['RS256', 'ES256', 'EdDSA'])
  void t.test(`the public key of ${alg} as the secret of HS256`, async (t) => {
    const { issuer, refuses } = await target(t, alg);
    for (const token of await forgeHmac(issuer.key, issuer.claims(), issuer.key.jwk.kid))
      await refuses(t, 'HS256', token, 'not signed as it must be');
  });

void t.test('algorithms that are not taken, or are not those of the key', async (t) => {
  const { issuer, refuses } = await target(t, 'RS256');
  const kid = issuer.key.jwk.kid;
  for (const alg of [
    'HS384',
    'HS512',
    'ES256K',
    'RSA1_5',
    'dir',
    'A128KW',
    'rs256',
    'RS1',
    'ML-DSA-44',
    'Ed25519',
  ]) {
    const forged = forge({ alg, kid }, issuer.claims(), Buffer.alloc(256, 1));
    await refuses(t, alg, forged, 'not signed as it must be');
  }
  for (const alg of ['ES256', 'EdDSA', 'PS256']) {
    const other = await makeKey(alg, kid);
    await refuses(t, `${alg} by another key`, await issuer.token({}, { key: other }), 'can not be verified');
  }
});

void t.test('a key id is a name in a table, whatever it looks like', async (t) => {
  const { issuer, refuses } = await target(t);
  const mine = await makeKey('ES256', 'mine');
  const names = [
    '../../../../dev/null',
    '/proc/self/environ',
    "x' UNION SELECT 'key'; --",
    '| cat /etc/passwd',
    `${issuer.server.url}/my-keys`,
    'file:///dev/null',
    '__proto__',
    'constructor',
    'kaa-1\u0000',
    'k'.repeat(512),
    '',
  ];
  for (const kid of names)
    await refuses(
      t,
      kid.slice(0, 40),
      await issuer.token({}, { key: mine, header: { kid } }),
      'can not be verified',
    );
  await refuses(
    t,
    'very long',
    await issuer.token({}, { key: mine, header: { kid: 'k'.repeat(9000) } }),
    'malformed',
  );
  for (const kid of [null, 1, ['kaa-1'], { kid: 'kaa-1' }])
    await refuses(
      t,
      JSON.stringify(kid),
      forge({ alg: 'ES256', kid }, issuer.claims(), Buffer.alloc(64)),
      'malformed',
    );
  t.equal(issuer.server.asked.length, 2, 'discovery and key set, once; nothing else was asked for');
});

void t.test('keys that a token brings along do not count', async (t) => {
  const { issuer, refuses, send } = await target(t);
  const mine = await makeKey('ES256', 'mine');
  const evil = await startIssuer(t, 'evil');
  evil.publish(mine);
  const brought: Record<string, unknown>[] = [
    { jwk: mine.jwk },
    { jku: `${evil.url}/certs` },
    { x5u: `${evil.url}/certs` },
    { x5c: ['MIIB'] },
    { jwk: mine.jwk, kid: 'kaa-1' },
    { jku: `${evil.url}/certs`, kid: 'kaa-1' },
  ];
  for (const header of brought)
    await refuses(
      t,
      Object.keys(header).join(),
      await issuer.token({}, { key: mine, header }),
      'can not be verified',
    );
  t.equal(evil.server.asked.length, 0, 'nobody went there');
  t.equal((await send(await issuer.token({}, { header: { jku: `${evil.url}/certs` } }))).status, 200);
});

void t.test('extensions that must be understood are not', async (t) => {
  const { issuer, refuses } = await target(t);
  const good = await issuer.token();
  const [, body, signature] = good.split('.') as [string, string, string];
  const kid = issuer.key.jwk.kid;
  for (const more of [{ crit: ['x'], x: 1 }, { crit: [] }, { crit: ['b64'], b64: false }, { b64: true }]) {
    const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid, ...more })).toString('base64url');
    await refuses(t, JSON.stringify(more), `${header}.${body}.${signature}`, 'malformed');
  }
});

void t.test('issuers: one character is another issuer', async (t) => {
  const { issuer, refuses } = await target(t);
  const evil = await startIssuer(t, 'evil');
  const near = [
    `${issuer.url}/`,
    issuer.url.slice(0, -1),
    `${issuer.url} `,
    ` ${issuer.url}`,
    issuer.url.toUpperCase(),
    issuer.url.replace('http:', 'https:'),
    issuer.url.replace('127.0.0.1', 'localhost'),
    `${issuer.url}#`,
    `${issuer.url}?`,
    `${issuer.url}/../kaa`,
    issuer.url.replace('/kaa', '/k%61a'),
    issuer.url.replace('/kaa', '/кaa'),
    `http://user@${issuer.url.slice(7)}`,
    evil.url,
    '',
    'kaa',
    '__proto__',
    'x'.repeat(5000),
  ];
  for (const iss of near)
    await refuses(t, iss.slice(0, 60), await issuer.token({ iss }), 'not of a known issuer');
  for (const iss of [undefined, null, 1, [issuer.url], { url: issuer.url }])
    await refuses(t, JSON.stringify(iss) ?? 'none', await issuer.token({ iss }), 'not of a known issuer');
  await refuses(t, 'its own keys', await evil.token({ iss: issuer.url }), 'can not be verified');
  t.equal(evil.server.asked.length, 0);
});

void t.test('the keys of one tenant vouch for no other', async (t) => {
  const [a, b] = [await startIssuer(t, 'a'), await startIssuer(t, 'b')];
  const { access } = makeAccess(t, { a, b });
  const from = async (token: string) => access.authenticate(`Bearer ${token}`);
  t.match(await from(await a.token()), { tenant: 'a' });
  t.match(await from(await b.token()), { tenant: 'b' });
  // with the key id of b, and without any
  for (const header of [{ kid: b.key.jwk.kid }, { kid: undefined }, {}])
    t.match(await from(await a.token({ iss: b.url }, { header })), { code: 'unauthenticated' });
});

void t.test('times', async (t) => {
  const { issuer, refuses, send, clock } = await target(t);
  const now = Math.floor(clock.nowMs / 1000);
  await refuses(t, 'no exp', await issuer.token({ exp: undefined }), 'says not when it expires');
  await refuses(t, 'expired', await issuer.token({ exp: now - 31 }), 'has expired');
  await refuses(t, 'long expired', await issuer.token({ exp: 0 }), 'has expired');
  await refuses(t, 'negative', await issuer.token({ exp: -1 }), 'has expired');
  await refuses(t, 'nbf ahead', await issuer.token({ nbf: now + 40 }), 'not valid yet');
  await refuses(t, 'iat ahead', await issuer.token({ iat: now + 40 }), 'not valid yet');
  for (const bad of ['1', null, [], {}, true]) {
    await refuses(t, `exp ${JSON.stringify(bad)}`, await issuer.token({ exp: bad }), 'malformed');
    await refuses(t, `nbf ${JSON.stringify(bad)}`, await issuer.token({ nbf: bad }), 'malformed');
    await refuses(t, `iat ${JSON.stringify(bad)}`, await issuer.token({ iat: bad }), 'malformed');
  }
  t.equal(
    (await send(await issuer.token({ exp: now - 20, nbf: now + 20, iat: now + 20 }))).status,
    200,
    'clocks differ',
  );
  t.equal((await send(await issuer.token({ iat: undefined }))).status, 200);

  const short = await issuer.token({ exp: now + 10 });
  t.equal((await send(short)).status, 200);
  clock.nowMs += 39_000;
  t.equal((await send(short)).status, 200, 'within the leeway');
  clock.nowMs += 2_000;
  await refuses(t, 'known, and expired meanwhile', short, 'has expired');
});

void t.test('tokens for something else', async (t) => {
  const { issuer, refuses, send } = await target(t);
  for (const typ of [
    'ID',
    'Refresh',
    'Offline',
    'Logout',
    'id',
    'Serialized-ID',
    'DPoP',
    '',
    'bearer ',
    1,
    null,
  ])
    await refuses(t, `typ ${typ}`, await issuer.token({ typ }), 'not an access token');
  for (const typ of ['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'JOSE', 'id+jwt'])
    await refuses(t, `header ${typ}`, await issuer.token({}, { header: { typ } }), 'not an access token');
  for (const claims of [
    { typ: undefined, at_hash: 'x' },
    { typ: undefined, c_hash: 'x' },
    { typ: undefined, events: {} },
  ])
    await refuses(t, Object.keys(claims).join(), await issuer.token(claims), 'not an access token');
  await refuses(t, 'bound to a key', await issuer.token({ cnf: { jkt: 'x' } }), 'bound to a key');
  for (const sub of ['', 1, null, {}, 'x'.repeat(256)])
    await refuses(t, `sub ${JSON.stringify(sub)}`, await issuer.token({ sub }), 'malformed');
  await refuses(t, 'no sub', await issuer.token({ sub: undefined }), 'says not whose');
  for (const good of [
    await issuer.token({ typ: undefined }),
    await issuer.token({}, { header: { typ: 'at+jwt' } }),
    await issuer.token({}, { header: { typ: undefined } }),
  ])
    t.equal((await send(good)).status, 200);
});

void t.test('one token has one text', async (t) => {
  const { issuer, refuses } = await target(t);
  const good = await issuer.token();
  const [header, body, signature] = good.split('.') as [string, string, string];
  const last = signature.at(-1)!;
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const twin = alphabet[alphabet.indexOf(last) ^ 1]!;
  t.equal(
    Buffer.from(signature, 'base64url').compare(Buffer.from(signature.slice(0, -1) + twin, 'base64url')),
    0,
    'both texts are the same bytes',
  );
  const variants: [string, string][] = [
    ['bits that mean nothing', `${header}.${body}.${signature.slice(0, -1)}${twin}`],
    ['padding', `${header}.${body}.${signature}==`],
    ['base64, not base64url', `${header}.${body}.${signature.replace(/[-_]|.$/, '+')}`],
    ['another part', `${good}.${signature}`],
    ['an empty part', `${good}.`],
    ['five parts', `${header}.${body}.${signature}.${body}.${signature}`],
    ['a part before', `.${good}`],
    ['two parts', `${header}.${signature}`],
    ['a point', '.'],
    ['points', '..'],
    ['an odd letter', `${header}.${body}.A`],
    ['a header that is an array', `${Buffer.from('[]').toString('base64url')}.${body}.${signature}`],
    ['a header that is no JSON', `${Buffer.from('{').toString('base64url')}.${body}.${signature}`],
  ];
  for (const [name, token] of variants) await refuses(t, name, token, 'malformed');
});

void t.test(
  'the signature of a known token on something else, before and after, and at the same time',
  async (t) => {
    const { issuer, send } = await target(t);
    const good = await issuer.token();
    const [header, , signature] = good.split('.') as [string, string, string];
    const claims = Buffer.from(JSON.stringify(issuer.claims({ sub: 'root' }))).toString('base64url');
    const forged = `${header}.${claims}.${signature}`;
    const both = () =>
      Promise.all([forged, good, forged, good].map(async (token) => (await send(token)).status));
    t.same(await both(), [401, 200, 401, 200]);
    t.same(await both(), [401, 200, 401, 200], 'one is known now');
    t.same(await both(), [401, 200, 401, 200]);
  },
);

void t.test('claims that are there twice, or are no JSON', async (t) => {
  const { issuer, refuses } = await target(t);
  const text = JSON.stringify(issuer.claims());
  const cases: [string, string | Uint8Array][] = [
    ['two sub', `{"sub":"root",${text.slice(1)}`],
    ['two exp', `${text.slice(0, -1)},"exp":99999999999}`],
    ['two, one escaped', `${text.slice(0, -1)},"\\u0073ub":"root"}`],
    ['two in roles', text.replace('"roles"', '"roles":["admin"],"roles"')],
    ['no UTF-8', Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from(',"a":"\xff"}', 'latin1')])],
    ['an array', `[${text}]`],
    ['a text', '"token"'],
    ['nothing', 'null'],
    ['deep', text.replace('{', `{"x":${'['.repeat(100)}${']'.repeat(100)},`)],
    ['__proto__', text.replace('{', '{"__proto__":{"typ":"Bearer"},')],
  ];
  for (const [name, claims] of cases) await refuses(t, name, await issuer.sign(claims), 'malformed');
});

void t.test('large tokens, two headers, other schemes, tokens in URLs', async (t) => {
  const { issuer, send, h } = await target(t);
  const good = await issuer.token();
  const fat = await issuer.token({ fat: 'x'.repeat(9_000) });
  t.equal((await send(fat)).status, 200, 'some 12 KiB');
  const large = await issuer.token({ fat: 'x'.repeat(13_000) });
  t.ok(large.length > 16 * 1024);
  const refused = await send(large);
  t.equal(refused.status, 400);
  t.match(refused.text, /invalid-header.*|may have 16 KiB/);
  const raw = openRaw(t, h.gateway.port);
  raw.send(
    `GET /api/v1/endpoints HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${'x'.repeat(64 * 1024)}\r\n\r\n`,
  );
  t.match(await raw.until(/HTTP\/1.1 \d+/), /^HTTP\/1.1 (400|431) /, '64 KB');

  const twice = openRaw(t, h.gateway.port);
  twice.send(
    `GET /api/v1/endpoints HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${good}\r\nauthorization: Bearer ${good}\r\n\r\n`,
  );
  t.match(await twice.until(/\}$/), /^HTTP\/1.1 400 [^]*two Authorization headers/);

  for (const query of [
    `access_token=${good}`,
    `access%5Ftoken=${good}`,
    `limit=1&access_token=`,
    `Access_Token=${good}`,
  ])
    for (const headers of [{}, { authorization: `Bearer ${good}` }] as Record<string, string>[]) {
      const { status, text } = await h.call('GET', `/endpoints?${query}`, undefined, headers);
      t.equal(status, 400, query.slice(0, 30));
      t.notMatch(text, good.slice(0, 20));
    }

  for (const authorization of [undefined, 'Basic dXNlcjpwYXNz', 'Digest x', '', 'Bear er', `DPoP ${good}`]) {
    const { status, headers } = await h.call(
      'GET',
      '/endpoints',
      undefined,
      authorization === undefined ? {} : { authorization },
    );
    t.equal(status, 401, authorization ?? 'none');
    t.equal(
      headers.get('www-authenticate'),
      'Bearer realm="epr"',
      'asked for a token, not told that one is bad',
    );
  }
  for (const authorization of [
    'Bearer',
    'Bearer ',
    `Bearer ${good} x`,
    `Bearer "${good}"`,
    `Bearer,${good}`,
  ]) {
    const { status, headers } = await h.call('GET', '/endpoints', undefined, { authorization });
    t.equal(status, 401, authorization.slice(0, 20));
    t.match(
      headers.get('www-authenticate'),
      /error="invalid_token", error_description="The token is malformed."/,
    );
  }
  for (const scheme of ['bearer', 'BEARER', 'Bearer '])
    t.equal(
      (await h.call('GET', '/endpoints', undefined, { authorization: `${scheme} ${good}` })).status,
      200,
    );
});

void t.test('white space that is none of HTTP is part of a token, and no token has any', async (t) => {
  const { issuer, h } = await target(t);
  const good = await issuer.token();
  const head = (more: string) =>
    `GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:${h.gateway.port}\r\n${more}\r\n\r\n`;
  const socket =
    'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
  for (const [name, space] of [
    ['NBSP', '\u00a0'],
    ['its byte alone', '\xa0'],
    ['BOM', '\ufeff'],
    ['em space', '\u2003'],
    ['line separator', '\u2028'],
  ] as const) {
    const bytes = (text: string) => Buffer.from(text, name === 'its byte alone' ? 'latin1' : 'utf8');
    // at the very end of a header uWebSockets.js cuts off what is not printable ASCII before anybody sees it
    for (const more of [
      `Authorization: Bearer ${space}${good}`,
      `Authorization: Bearer${space}${good}`,
      `Authorization: Bearer ${good.replace('.', `.${space}`)}`,
      `${socket}Sec-WebSocket-Protocol: bearer.${good}${space}, epr-events`,
      `${socket}Sec-WebSocket-Protocol: epr-events,${space}bearer.${good}`,
      `${socket}Sec-WebSocket-Protocol: epr-events, bearer.${space}${good}`,
    ]) {
      const raw = openRaw(t, h.gateway.port);
      raw.send(bytes(head(more)));
      t.match(await raw.until(/^HTTP\/1.1 \d+/), /^HTTP\/1.1 40[01] /, `${name}: ${more.slice(0, 13)}`);
    }
  }
  const raw = openRaw(t, h.gateway.port);
  raw.send(head(`${socket}Sec-WebSocket-Protocol: epr-events, \t bearer.${good} \t`));
  t.match(await raw.until(/^HTTP\/1.1 \d+/), /^HTTP\/1.1 101 /, 'that of HTTP is not');
});

void t.test('nothing of a token gets into headers or lines of the log', async (t) => {
  const { issuer, send, h } = await target(t);
  const nasty = 'x"\r\nSet-Cookie: a=b\r\n\r\n{"level":60}\u2028\u001b[2J';
  for (const token of [
    await issuer.token({ iss: nasty }),
    await issuer.token({ typ: nasty }),
    await issuer.token({}, { header: { kid: nasty } }),
    await issuer.token({}, { header: { typ: nasty } }),
  ]) {
    const { status, challenge } = await send(token);
    t.equal(status, 401);
    t.notMatch(challenge, /cookie|level/i);
  }
  for (const line of h.logged) t.same(line.trim().split('\n').length, 1, 'one line each');
});

void t.test('wrong aud: a token for another service, where the audience is compared', async (t) => {
  const issuer = await startIssuer(t);
  const { access, results } = makeAccess(t, { acme: issuer }, { audience: 'epr' });
  const wrong = [undefined, null, '', 'account', 'EPR', 'eprx', 'epr ', [], ['account'], ['epr '], [['epr']]];
  for (const aud of [...wrong, { epr: 1 }, { 0: 'epr' }, 0, true])
    t.match(
      await access.authenticate(`Bearer ${await issuer.token({ aud })}`),
      { code: 'unauthenticated', message: /not meant for this service/ },
      JSON.stringify(aud),
    );
  t.equal((await results())['audience'], wrong.length + 4);
  for (const aud of ['epr', ['epr'], ['account', 'epr']])
    t.match(
      await access.authenticate(`Bearer ${await issuer.token({ aud })}`),
      { token: { subject: 'alice' } },
      JSON.stringify(aud),
    );
});

void t.test('wrong aud: an RPT for somebody else gives no permission', async (t) => {
  const issuer = await startIssuer(t);
  const { access } = makeAccess(t, { acme: issuer }, { clientId: 'epr' });
  const permissions = [{ rsid: '1', rsname: 'endpoint-a', scopes: ['endpoint:read'] }];
  const of = async (aud: unknown) =>
    access.authenticate(`Bearer ${await issuer.token({ aud, authorization: { permissions } })}`);
  for (const aud of [undefined, 'eprx', 'EPR', ['account'], ['epr '], [['epr']], { epr: 1 }, null])
    t.same(
      ((await of(aud)) as { token: { permissions: unknown } }).token.permissions,
      [],
      JSON.stringify(aud),
    );
  for (const aud of ['epr', ['account', 'epr']])
    t.match(await of(aud), {
      token: { permissions: [{ resource: 'endpoint-a', scopes: ['endpoint:read'] }] },
    });
});
