import t from 'tap';
import { startKeycloak } from './index.js';

const keycloak = await startKeycloak(t);
if (keycloak !== undefined) {
  const realm = await keycloak.realm();

  await t.test(
    'the realm file: roles reach every resource of a type, and no more than they say',
    async (t) => {
      await realm.addResource('endpoint-1', ['endpoint:read', 'endpoint:update', 'endpoint:delete']);
      const scopes = {
        'endpoint-1': ['endpoint:read', 'endpoint:update', 'endpoint:delete'],
        'application-demo': [
          'application:read',
          'application:endpoint:create',
          'application:endpoint-filter:read',
          'application:endpoint-filter:create',
        ],
      };
      const granted = async (token: string): Promise<string[]> => {
        const found: string[] = [];
        for (const [resource, all] of Object.entries(scopes))
          for (const scope of all)
            await realm.rpt(token, [`${resource}#${scope}`]).then(
              () => found.push(scope),
              (error: Error) => t.match(error.message, /403 .*access_denied/),
            );
        return found;
      };
      const [reader, admin, nobody] = await Promise.all([
        realm.addUser('reader', ['endpoint-reader']),
        realm.addUser('admin', ['endpoint-admin']),
        realm.addUser('nobody'),
      ]);
      t.strictSame(await granted(await reader.token()), [
        'endpoint:read',
        'application:read',
        'application:endpoint-filter:read',
      ]);
      t.strictSame(await granted(await admin.token()), Object.values(scopes).flat());
      const token = await nobody.token();
      t.strictSame(await granted(token), []);

      await realm.giveRole(nobody, 'endpoint-reader');
      t.ok(
        await realm.rpt(token, ['endpoint-1#endpoint:read']),
        'a role counts at once, for tokens that are older, too',
      );
      await realm.takeRole(nobody, 'endpoint-reader');
      await t.rejects(realm.rpt(token, ['endpoint-1#endpoint:read']), /403/, 'and so does its end');
    },
  );

  await t.test('a permission for one user, and its end', async (t) => {
    const [user, other] = [await realm.addUser('user'), await realm.addUser('other')];
    await realm.addResource('endpoint-2', ['endpoint:read']);
    const takeBack = await realm.permit({
      resources: ['endpoint-2'],
      scopes: ['endpoint:read'],
      users: [user],
    });
    const token = await user.token();
    t.ok(await realm.rpt(token, ['endpoint-2#endpoint:read']));
    await t.rejects(realm.rpt(await other.token(), ['endpoint-2#endpoint:read']), /403/);
    await takeBack();
    await t.rejects(realm.rpt(token, ['endpoint-2#endpoint:read']), /403/);
  });

  await t.test('other keys: tokens of before are worth nothing', async (t) => {
    const user = await realm.addUser('early', ['endpoint-reader']);
    const before = await user.token();
    const keys = async () => {
      const answer = await fetch(`${realm.issuer}/protocol/openid-connect/certs`);
      const { keys: found } = (await answer.json()) as { keys: { kid: string; use: string }[] };
      return found.filter(({ use }) => use === 'sig').map(({ kid }) => kid);
    };
    const old = await keys();
    await realm.replaceKeys();
    t.notOk((await keys()).some((kid) => old.includes(kid)));
    await t.rejects(realm.rpt(before, ['application-demo#application:read']));
    t.ok(await realm.rpt(await user.token(), ['application-demo#application:read']));
  });
}
