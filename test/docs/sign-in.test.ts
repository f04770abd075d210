/** Trying operations out where the register asks who is there. */
import t from 'tap';
import { enterPassword, startSignedConsole } from '../console/keycloak-console.js';

const started = await startSignedConsole(t);
if (started !== undefined) {
  const { console: c, realm } = started;
  await realm.addUser('alice', ['endpoint-admin']);
  await c.register('kettle-1', { city: 'Kyiv' });
  await t.test('signed in, tried out, signed out', async (t) => {
    const page = await c.open('', { path: '/docs/' });
    const tryIt = async (): Promise<string> => {
      const list = page.locator('#operations-Endpoints-listEndpoints');
      if ((await list.locator('button.execute').count()) === 0)
        await list.locator('.opblock-summary-control').click();
      await list.locator('button.execute').click();
      const answer = list.locator('.live-responses-table tr.response').first();
      await answer.waitFor();
      return (await answer.textContent()) ?? '';
    };
    const bar = page.locator('#sign-in');
    await bar.getByText('The register asks who is there').waitFor();
    t.match(await tryIt(), /^401/);
    await bar.getByRole('button', { name: 'Sign in' }).click();
    await enterPassword(page, 'alice');
    await bar.getByText('What you try out is done as alice.').waitFor();
    t.equal(page.url(), `${c.url}/docs/#/Endpoints/listEndpoints`, 'back at the operation');
    t.match(await tryIt(), /^200.*kettle-1/s);
    await bar.getByRole('button', { name: 'Sign out' }).click();
    await bar.getByRole('button', { name: 'Sign in' }).waitFor();
    t.match(await tryIt(), /^401/);
    await page.context().close();
  });
}
