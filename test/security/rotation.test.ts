/** The keys of a realm are replaced while requests go on: a real Keycloak, and the gateway with its sets read more often. */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { startHarness } from '../gateway/harness.js';
import { startKeycloak } from '../servers/index.js';
import { makeAccess } from './issuer.js';

const REREAD_MS = 300;

const keycloak = await startKeycloak(t);
if (keycloak !== undefined) {
  const realm = await keycloak.realm();
  const user = await realm.addUser('user');

  void t.test('tokens of before, of after, and of keys that are withdrawn', async (t) => {
    const times = { rereadMs: REREAD_MS, staleMs: 3_000 };
    const { access } = makeAccess(t, { kaa: { url: realm.issuer } }, { times, clientId: 'epr' });
    const h = await startHarness(t, { access });
    const list = async (token: string) =>
      (await h.call('GET', '/endpoints', undefined, { authorization: `Bearer ${token}` })).status;
    const old = await user.token();
    t.equal(await list(old), 200);

    const answers: number[] = [];
    let isOver = false;
    const others = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!isOver) answers.push(await list(old));
      }),
    );
    const added = await realm.addKey();
    const late = await user.token();
    t.not(keyOf(late), keyOf(old), 'signed with the new key');
    // what asks too often for a key that is not there yet is answered 401
    while ((await list(late)) !== 200) await pause(50);
    for (let i = 0; i < 20; i++) t.equal(await list(late), 200);
    isOver = true;
    await others;
    t.ok(answers.length > 0);
    t.ok(
      answers.every((status) => status === 200),
      'those of before went on all the time',
    );

    await added.onlyThis();
    while ((await list(old)) !== 401) await pause(50);
    t.equal(await list(late), 200);
    t.equal(await list(await user.token()), 200);
  });
}

function keyOf(token: string): unknown {
  const [header] = token.split('.');
  return (JSON.parse(Buffer.from(header!, 'base64url').toString()) as { kid: unknown }).kid;
}
