/** Answers that were kept are void once their resource was made or removed here, however many were. */
import { Registry } from 'prom-client';
import t from 'tap';
import { createDecisionMetrics, createDecisions, type VerifiedToken } from '../../src/security/index.js';

void t.test('more changes than are kept in mind make no older answer count', async (t) => {
  const clock = { ms: 1e6 };
  let asked = 0;
  let says = true;
  const decisions = createDecisions({
    uma: {
      ask: async (_token, _scope, resources) => {
        asked++;
        return resources.map(() => says);
      },
      list: async () => new Set<string>(),
    },
    roleGrants: () => ({}),
    cacheMs: 30_000,
    metrics: createDecisionMetrics(new Registry()),
    now: () => clock.ms,
  });
  const token: VerifiedToken = {
    tenant: { name: 'kaa', issuer: 'http://i', authServerUrl: 'http://i', clientId: 'epr' },
    subject: 'alice',
    realmRoles: new Set(),
    permissions: [],
    expiresMs: Infinity,
    token: 'a.b.c',
  };
  const ask = async () => decisions.decide({ tenant: 'kaa', token }, 'endpoint:read', ['endpoint-e']);
  t.same(await ask(), [true]);
  t.same(await ask(), [true]);
  t.equal(asked, 1, 'kept');
  // removed, made again by somebody else, and many others after it
  clock.ms += 1;
  says = false;
  decisions.changed('kaa', 'endpoint-e', 'removed');
  clock.ms += 1;
  for (let n = 0; n < 100_001; n++) decisions.changed('kaa', `endpoint-${n}`, 'made');
  clock.ms += 1;
  t.same(await ask(), [false]);
  t.equal(asked, 2);
  t.same(await ask(), [false]);
  t.equal(asked, 2, 'answers since then are kept');
});
