import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import {
  type Caller,
  createDecisionMetrics,
  createDecisions,
  createUma,
  type RoleGrants,
  type TokenPermission,
} from '../../src/security/index.js';
import type { Scope } from '../../src/model/scopes.js';
import { type KeycloakRealm, startKeycloak } from '../servers/index.js';
import { type Asked, tenantOf, watchAuthServers } from './keycloak-support.js';

const keycloak = await startKeycloak(t);
if (keycloak !== undefined) {
  const realm = await keycloak.realm();
  const user = await realm.addUser('user');
  const all: Scope[] = ['endpoint:read', 'endpoint:update', 'endpoint:delete'];

  void t.test('asked of the auth server: one, many, with such among them as it does not know', async (t) => {
    for (let i = 0; i < 5; i++) await realm.addResource(`endpoint-many-${i}`, all);
    await realm.permit({
      resources: [1, 3].map((i) => `endpoint-many-${i}`),
      scopes: ['endpoint:read'],
      users: [user],
    });
    const h = await start(t, realm);
    const caller = await h.callerOf(await user.token());
    const decide = (scope: Scope, ...names: string[]) =>
      h.decisions.decide(
        caller,
        scope,
        names.map((name) => `endpoint-${name}`),
      );
    t.same(await decide('endpoint:read', 'many-1'), [true]);
    t.same(await decide('endpoint:update', 'many-1'), [false]);
    t.same(await decide('endpoint:read', 'none'), [false]);
    t.same(await decide('endpoint:read', 'none-2', 'none-3'), [false, false]);
    t.same(await decide('endpoint:read', 'none-4', 'many-0', 'many-3', 'none-4', 'many-1', 'many-2'), [
      false,
      false,
      true,
      false,
      true,
      false,
    ]);
    const names = Array.from({ length: 250 }, (_, i) => `bulk-${i}`);
    h.asked.length = 0;
    const granted = (await decide('endpoint:read', ...names, 'many-1', 'many-3', 'many-4')) as boolean[];
    t.same(granted, [...names.map(() => false), true, true, false]);
    t.ok(h.asked.every(({ permissions }) => permissions.length <= 100));
    t.same(
      await h.decisions.granted(caller, 'endpoint:read'),
      new Set(['endpoint-many-1', 'endpoint-many-3']),
    );
    t.same(await h.decisions.granted(caller, 'endpoint:delete'), new Set());
  });

  void t.test(
    'an answer is kept for its time, and a right that was taken away counts no longer',
    async (t) => {
      await realm.addResource('endpoint-kept', all);
      const takeBack = await realm.permit({ resources: ['endpoint-kept'], scopes: all, users: [user] });
      const h = await start(t, realm);
      const caller = await h.callerOf(await user.token());
      const read = () => h.decisions.decide(caller, 'endpoint:read', ['endpoint-kept']);
      const list = async () => [...((await h.decisions.granted(caller, 'endpoint:update')) as Set<string>)];
      t.same(await Promise.all([read(), read(), read()]), [[true], [true], [true]]);
      t.equal(h.asked.length, 1, 'equal questions are asked once');
      t.same(await read(), [true]);
      t.same(await list(), ['endpoint-kept']);
      t.same(await list(), ['endpoint-kept']);
      t.equal(h.asked.length, 2);
      await takeBack();
      h.clock.ms += 29_999;
      t.same(await read(), [true]);
      h.clock.ms += 1;
      t.same(await read(), [false]);
      t.same(await list(), []);
    },
  );

  void t.test('the token first, then its roles, then the auth server', async (t) => {
    await realm.addResource('endpoint-named', all);
    const h = await start(t, realm, { reader: ['endpoint:read'] });
    const named: TokenPermission = { resource: 'endpoint-named', scopes: ['endpoint:update'] };
    const token = await user.token();
    const withPermission = await h.callerOf(token, { permissions: [named] });
    t.same(await h.decisions.decide(withPermission, 'endpoint:update', ['endpoint-named']), [true]);
    t.equal(h.asked.length, 0);
    t.same(await h.decisions.decide(withPermission, 'endpoint:update', ['endpoint-other']), [false]);
    t.same(await h.decisions.decide(withPermission, 'endpoint:delete', ['endpoint-named']), [false]);
    t.equal(h.asked.length, 2, 'what it does not name is asked for');
    t.same(
      await h.decisions.granted(withPermission, 'endpoint:update'),
      new Set(['endpoint-named']),
      'in lists, too',
    );
    h.asked.length = 0;
    const reader = await h.callerOf(token, { roles: ['reader'] });
    t.same(await h.decisions.decide(reader, 'endpoint:read', ['endpoint-named', 'endpoint-any']), [
      true,
      true,
    ]);
    t.equal(await h.decisions.granted(reader, 'endpoint:read'), 'all');
    t.equal(h.asked.length, 0);
    t.same(await h.decisions.decide(reader, 'endpoint:update', ['endpoint-any']), [false]);
    h.setGrants({});
    t.same(await h.decisions.decide(reader, 'endpoint:read', ['endpoint-any']), [false], 'taken up at once');
    t.same(await h.decisions.decide({}, 'endpoint:read', ['endpoint-any']), [false], 'nobody');
  });

  void t.test('the auth server is away: what is kept goes on, nothing else is granted', async (t) => {
    await realm.addResource('endpoint-away', all);
    await realm.permit({ resources: ['endpoint-away'], scopes: all, users: [user] });
    const h = await start(t, realm);
    const caller = await h.callerOf(await user.token());
    const decide = (scope: Scope) => h.decisions.decide(caller, scope, ['endpoint-away']);
    t.same(await decide('endpoint:read'), [true]);
    h.away.is = true;
    t.same(await decide('endpoint:read'), [true]);
    const away = { kind: 'retry', code: 'auth-server-unavailable' };
    t.match(await decide('endpoint:update'), away);
    t.match(await h.decisions.granted(caller, 'endpoint:update'), away);
    h.clock.ms += 30_000;
    t.match(await decide('endpoint:read'), away);
    h.away.is = false;
    t.same(await decide('endpoint:read'), [true]);
  });

  void t.test('a resource that is made after it was asked for', async (t) => {
    const h = await start(t, realm);
    const admin = await realm.addUser('maker', ['endpoint-admin']);
    const caller = await h.callerOf(await admin.token());
    const read = () => h.decisions.decide(caller, 'endpoint:read', ['endpoint-later']);
    t.same(await read(), [false]);
    await realm.addResource('endpoint-later', all);
    t.same(await read(), [false]);
    h.decisions.changed('kaa', 'endpoint-later', 'made');
    t.same(await read(), [true]);
  });

  void t.test(
    'a list that is kept follows what is made and removed here, and asks for that alone',
    async (t) => {
      const h = await start(t, realm);
      const admin = await realm.addUser('lister', ['endpoint-admin']);
      const [caller, other] = [await h.callerOf(await admin.token()), await h.callerOf(await user.token())];
      const read = async (by = caller) =>
        (await h.decisions.granted(by, 'endpoint:read')) as ReadonlySet<string>;
      const make = async (name: string) => {
        await realm.addResource(`endpoint-${name}`, all);
        h.decisions.changed('kaa', `endpoint-${name}`, 'made');
      };
      t.notOk((await read()).has('endpoint-listed-0'));
      const nothing = await read(other);
      t.same(h.asked.splice(0).map(wanted), [['#endpoint:read'], ['#endpoint:read']]);
      await make('listed-0');
      await make('listed-1');
      t.ok((await read()).has('endpoint-listed-0'));
      const known = await read();
      t.ok(known.has('endpoint-listed-1'));
      t.equal(await read(), known, 'the same set until something changes');
      t.equal(await read(other), nothing);
      const both = ['endpoint-listed-0#endpoint:read', 'endpoint-listed-1#endpoint:read'];
      t.same(h.asked.splice(0).map(wanted), [both, both], 'in one call for each caller');
      await realm.removeResource('endpoint-listed-1');
      h.decisions.changed('kaa', 'endpoint-listed-1', 'removed');
      h.decisions.changed('acme', 'endpoint-listed-0', 'removed');
      const left = await read();
      t.same([left.has('endpoint-listed-0'), left.has('endpoint-listed-1')], [true, false]);
      t.same(h.asked, [], 'neither for what is removed, nor for what another tenant changes');
      h.clock.ms += 30_000;
      t.ok((await read()).has('endpoint-listed-0'));
      t.same(h.asked.splice(0).map(wanted), [['#endpoint:read']], 'brought up to date it is no younger');
    },
  );

  void t.test('of many changes a list asks in few calls, of more it is asked for anew', async (t) => {
    for (let n = 0; n < 6; n++) await realm.addResource(`endpoint-some-${n}`, all);
    const h = await start(t, realm);
    const caller = await h.callerOf(await user.token());
    const list = () => h.decisions.granted(caller, 'endpoint:delete');
    const change = (number: number, change: 'made' | 'removed') => {
      // with nothing among a hundred that it knows, the auth server says so instead of deciding
      for (let n = 0; n < number; n++)
        h.decisions.changed('kaa', `endpoint-${n % 100 === 0 ? `some-${n / 100}` : n}`, change);
    };
    const first = await list();
    h.asked.length = 0;
    change(500, 'made');
    t.equal(await list(), first);
    t.same(
      h.asked.splice(0).map((asked) => wanted(asked).length),
      [100, 100, 100, 100, 100],
    );
    change(501, 'made');
    t.same(await list(), first);
    t.same(h.asked.splice(0).map(wanted), [['#endpoint:delete']]);
    change(501, 'removed');
    t.same(await list(), first);
    t.same(h.asked, []);
    for (let n = 0; n < 20_001; n++) h.decisions.changed('kaa', `endpoint-${n}`, 'removed');
    await list();
    t.same(h.asked.splice(0).map(wanted), [['#endpoint:delete']], 'more than are kept in mind');
  });

  void t.test('what is asked for while a resource is made is no answer for who made it', async (t) => {
    const h = await start(t, realm);
    const admin = await realm.addUser('overtaken', ['endpoint-admin']);
    const caller = await h.callerOf(await admin.token());
    const read = async () => (await h.decisions.granted(caller, 'endpoint:read')) as ReadonlySet<string>;
    const decide = () => h.decisions.decide(caller, 'endpoint:read', ['endpoint-overtaken']);
    let release: () => void = () => undefined;
    h.held.until = new Promise<void>((resolve) => (release = resolve));
    const before = [read(), decide()] as const;
    while (h.held.answers < 2) await pause(5);
    await realm.addResource('endpoint-overtaken', all);
    h.decisions.changed('kaa', 'endpoint-overtaken', 'made');
    const after = [read(), decide()] as const;
    release();
    delete h.held.until;
    t.notOk((await before[0]).has('endpoint-overtaken'));
    t.same(await before[1], [false]);
    t.ok((await after[0]).has('endpoint-overtaken'));
    t.same(await after[1], [true]);
  });

  void t.test('a token that the auth server takes no more is one to sign in again for', async (t) => {
    const h = await start(t, realm);
    const gone = await realm.addUser('gone', ['endpoint-reader']);
    const caller = await h.callerOf(await gone.token());
    await realm.admin('DELETE', `/users/${gone.id}`);
    t.match(await h.decisions.decide(caller, 'endpoint:read', ['endpoint-any']), {
      kind: 'refused',
      code: 'unauthenticated',
      challenge:
        'Bearer realm="kaa", error="invalid_token", error_description="The auth server takes this token no more."',
    });
  });
}

const wanted = ({ permissions }: Asked) => permissions;

async function start(t: Test, realm: KeycloakRealm, roleGrants: RoleGrants = {}) {
  const { authServers, asked, away, held, registry, log } = watchAuthServers(t);
  const tenant = tenantOf(realm);
  const clock = { ms: Date.now() };
  let grants = roleGrants;
  const decisions = createDecisions({
    uma: createUma({ authServers, log }),
    roleGrants: () => grants,
    cacheMs: 30_000,
    metrics: createDecisionMetrics(registry),
    now: () => clock.ms,
  });
  return {
    decisions,
    clock,
    away,
    held,
    asked,
    setGrants: (next: RoleGrants) => void (grants = next),
    callerOf: async (
      token: string,
      { permissions = [], roles = [] }: { permissions?: TokenPermission[]; roles?: string[] } = {},
    ): Promise<Caller> => ({
      tenant: 'kaa',
      token: {
        tenant,
        subject: 'user',
        realmRoles: new Set(roles),
        permissions,
        expiresMs: clock.ms + 300_000,
        token,
      },
    }),
  };
}
