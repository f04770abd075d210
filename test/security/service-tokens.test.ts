import { Type } from '@sinclair/typebox';
import t from 'tap';
import { createServiceTokens } from '../../src/security/index.js';
import { startKeycloak } from '../servers/index.js';
import { tenantOf, watchAuthServers } from './keycloak-support.js';

const keycloak = await startKeycloak(t);
if (keycloak !== undefined) {
  const [one, other] = await Promise.all([keycloak.realm(), keycloak.realm()]);
  await one.tokensLast(100);
  const ids = {
    method: 'GET',
    query: { name: 'kaa-system', exactName: 'true' },
    answer: Type.Array(Type.String()),
  } as const;

  void t.test('one token a tenant until shortly before it expires', async (t) => {
    const { authServers, asked } = watchAuthServers(t);
    const clock = { ms: Date.now() };
    const tokens = createServiceTokens({ authServers, now: () => clock.ms });
    const [kaa, acme] = [tenantOf(one), tenantOf(other, 'acme')];
    const [first, same, ofOther] = await Promise.all([tokens.of(kaa), tokens.of(kaa), tokens.of(acme)]);
    t.equal(first, same);
    t.not(first, ofOther);
    t.equal(asked.length, 2, 'asked once for each');
    clock.ms += 79_000;
    t.equal(await tokens.of(kaa), first);
    clock.ms += 2_000;
    const next = await tokens.of(kaa);
    t.not(next, first);
    t.equal(await tokens.of(acme), ofOther, 'one that lasts for longer');
    t.equal((await tokens.ask(kaa, 'resources', ids)).kind, 'ok');
    t.not(await tokens.of({ ...kaa }), next, 'a tenant that was changed');
  });

  void t.test('one that is refused is renewed, once', async (t) => {
    const { authServers, asked } = watchAuthServers(t);
    const tokens = createServiceTokens({ authServers });
    const kaa = tenantOf(one);
    const before = await tokens.of(kaa);
    // all of before are worth nothing now
    await one.replaceKeys();
    asked.length = 0;
    const answer = await tokens.ask(kaa, 'resources', ids);
    t.match(answer, { kind: 'ok', value: { length: 1 } }, JSON.stringify(answer));
    t.same(
      asked.map(({ endpoint }) => endpoint),
      ['resources', 'token', 'resources'],
    );
    t.not(await tokens.of(kaa), before);
    const bad = await tokens.ask({ ...kaa, clientSecret: 'wrong' }, 'resources', ids);
    t.match(bad, { kind: 'unavailable', cause: 'no-token' });
    t.notMatch(JSON.stringify(bad), /wrong/);
  });

  void t.test('away, it is asked for again the next time', async (t) => {
    const { authServers, away } = watchAuthServers(t);
    const tokens = createServiceTokens({ authServers });
    const kaa = tenantOf(one);
    away.is = true;
    await t.rejects(tokens.of(kaa), /away/);
    away.is = false;
    t.type(await tokens.of(kaa), 'string');
    const { clientSecret: _none, ...without } = kaa;
    await t.rejects(tokens.of(without), /kaa\.tenants\.kaa\.client-secret/);
  });
}
