/** Key sets that change, are away, or are asked for more than is good. */
import t from 'tap';
import { publicKeysOf } from '../../src/security/public-keys.js';
import { answer, hang } from '../peers/support.js';
import { forge, makeAccess, makeKey, startIssuer } from './issuer.js';
import { startTarget } from './target.js';

void t.test('a flood of unknown keys makes the set be read once in 30 s', async (t) => {
  const { issuer, refuses, send, clock, results } = await startTarget(t);
  const mine = await makeKey('ES256', 'mine');
  clock.monotonicMs += 30_000;
  const flood = await Promise.all(
    Array.from({ length: 300 }, (_, i) => issuer.token({}, { key: mine, header: { kid: `key-${i}` } })),
  );
  const before = issuer.readings();
  const answers = await Promise.all(flood.map(send));
  t.ok(answers.every(({ status }) => status === 401));
  t.equal(issuer.readings(), before + 1);
  t.match(await results(), { signature: 300 });

  const next = await makeKey('ES256', 'kaa-2');
  issuer.publish(issuer.key, next);
  await refuses(t, 'within 30 s', await issuer.token({}, { key: next }), 'can not be verified');
  t.equal(issuer.readings(), before + 1);
  clock.monotonicMs += 30_000;
  t.equal((await send(await issuer.token({}, { key: next }))).status, 200, 'a new key is found');
  t.equal(issuer.readings(), before + 2);
});

void t.test('a key that is taken out of the set vouches for nothing any more', async (t) => {
  const { issuer, refuses, send, clock } = await startTarget(t);
  const old = await issuer.token();
  t.equal((await send(old)).status, 200);
  const next = await makeKey('ES256', 'kaa-2');
  issuer.publish(next);
  t.equal((await send(old)).status, 200, 'nobody knows yet');
  clock.monotonicMs += 30_000;
  t.equal((await send(await issuer.token({}, { key: next }))).status, 200);
  await refuses(t, 'one that was verified before', old, 'can not be verified');

  // and when no token of a new key comes, the set is read again by age
  const third = await makeKey('ES256', 'kaa-3');
  const second = await issuer.token({}, { key: next });
  t.equal((await send(second)).status, 200);
  issuer.publish(third);
  clock.monotonicMs += 300_000;
  for (let tries = 0; tries < 100 && (await send(second)).status === 200; tries++);
  await refuses(t, 'the key is gone', second, 'can not be verified');
});

void t.test('the auth server is away: what is known goes on, the rest is 503', async (t) => {
  const { issuer, send, clock } = await startTarget(t);
  issuer.behave(answer(500, {}));
  clock.monotonicMs += 400_000;
  t.equal((await send(await issuer.token())).status, 200, 'the key is known');
  clock.monotonicMs += 30_000;
  const next = await makeKey('ES256', 'kaa-2');
  const { status, text } = await send(await issuer.token({}, { key: next }));
  t.equal(status, 503);
  t.match(text, 'auth-server-unavailable');
  t.equal((await send(await issuer.token())).status, 200, 'still');
});

void t.test('the key set was never there, or hangs: 503, and one question at a time', async (t) => {
  for (const [name, behaviour] of [
    ['away', answer(503, {})],
    ['not JSON', answer(200, '<html>')],
    ['no set', answer(200, { keys: 'none' })],
  ] as const) {
    const issuer = await startIssuer(t, 'kaa');
    issuer.behave(behaviour);
    const clock = { nowMs: Date.now(), monotonicMs: 1e6 };
    const { access } = makeAccess(t, { kaa: issuer }, { clock });
    const good = await issuer.token();
    const ask = async () => access.authenticate(`Bearer ${good}`);
    const away = { kind: 'retry', code: 'auth-server-unavailable' };
    for (const answered of await Promise.all([ask(), ask(), ask()])) t.match(answered, away, name);
    t.equal(issuer.readings(), 1);
    issuer.behave();
    t.match(await ask(), away, 'not asked again at once');
    clock.monotonicMs += 1_000;
    t.match(await ask(), { tenant: 'kaa' });
  }
  const issuer = await startIssuer(t, 'kaa');
  issuer.behave(hang);
  const { access } = makeAccess(t, { kaa: issuer });
  const tokens = await Promise.all([1, 2, 3, 4].map((n) => issuer.token({ jti: String(n) })));
  const answers = await Promise.all(tokens.map(async (token) => access.authenticate(`Bearer ${token}`)));
  for (const each of answers) t.match(each, { kind: 'retry', code: 'auth-server-unavailable' });
  t.equal(issuer.readings(), 1);
});

void t.test('key sets: what is no public key for signatures is passed over', async (t) => {
  const issuer = await startIssuer(t, 'kaa');
  const weak = { ...issuer.key, jwk: { kty: 'RSA', kid: 'weak', n: 'AQAB'.repeat(40), e: 'AQAB' } };
  const encryption = await makeKey('ES256', 'enc', { use: 'enc' });
  const wrongAlg = await makeKey('ES256', 'alg', { alg: 'ES384' });
  const secret = { ...issuer.key, jwk: { kty: 'oct', kid: 'secret', k: 'c2VjcmV0', alg: 'HS256' } };
  const nothing = { ...issuer.key, jwk: null as never };
  // verifying with it takes as long as signing
  const { n } = (await makeKey('RS256', 'slow')).jwk as { n: string };
  const slow = { ...issuer.key, jwk: { kty: 'RSA', kid: 'slow', n, e: n } };
  t.equal(publicKeysOf([slow.jwk, { ...slow.jwk, e: 'AQAB' }]).length, 1);
  issuer.publish(nothing, slow, weak, encryption, wrongAlg, secret, issuer.key);
  const { access } = makeAccess(t, { kaa: issuer });
  const from = async (token: string) => access.authenticate(`Bearer ${token}`);
  t.match(await from(await issuer.token()), { tenant: 'kaa' });
  for (const key of [encryption, wrongAlg])
    t.match(await from(await issuer.token({}, { key })), { code: 'unauthenticated' });
});

void t.test(
  'a flood of invented keys of a tenant whose auth server hangs does not keep another tenant',
  async (t) => {
    const [a, b] = [await startIssuer(t, 'a'), await startIssuer(t, 'b')];
    const clock = { nowMs: Date.now(), monotonicMs: 1e6 };
    const { access, results } = makeAccess(t, { a, b }, { clock });
    t.match(await access.authenticate(`Bearer ${await a.token()}`), { tenant: 'a' });
    a.behave(hang);
    clock.monotonicMs += 30_000;
    const head = { alg: 'ES256', typ: 'JWT' };
    const flood = Array.from({ length: 6_000 }, async (_, n) =>
      access.authenticate(`Bearer ${forge({ ...head, kid: `k-${n}` }, a.claims(), 'AAAA')}`),
    );
    t.match(await access.authenticate(`Bearer ${await b.token()}`), { tenant: 'b' });
    t.match(
      await access.authenticate(`Bearer ${await a.token({ sub: 'bob' })}`),
      { tenant: 'a' },
      'known keys go on',
    );
    await Promise.all(flood);
    t.match(await results(), { unavailable: 4_096, overloaded: 1_904 });
  },
);

void t.test('a tenant that is no more by the time that its token is verified', async (t) => {
  const issuer = await startIssuer(t, 'kaa');
  const { access, tenants } = makeAccess(t, { kaa: issuer });
  let release: (() => void) | undefined;
  issuer.behave((response, asked) => {
    release = () => answer(200, { keys: [issuer.key.jwk] })(response, asked);
  });
  const token = await issuer.token();
  const answered = access.authenticate(`Bearer ${token}`);
  while (release === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  tenants.replace({});
  release();
  t.match(await answered, { code: 'unauthenticated', challenge: /not of a known issuer/ });
});
