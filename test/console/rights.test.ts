/** What somebody sees of the console who may not do everything, on a real Keycloak. */
import t from 'tap';
import { enterPassword, startSignedConsole } from './keycloak-console.js';

const started = await startSignedConsole(t, { 'kaa.security.authorization.enabled': 'true' });
if (started !== undefined) {
  const { console: c, realm } = started;
  await realm.addUser('reader', ['endpoint-reader']);
  const guest = await realm.addUser('guest');
  await c.register('kettle-1', { city: 'Kyiv' });

  await t.test('reading, and no more: what is refused names the right that is missing', async (t) => {
    const page = await c.open('#/fleet');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await enterPassword(page, 'reader');
    await page.getByRole('link', { name: 'kettle-1' }).waitFor();
    await page.getByRole('button', { name: 'Register an endpoint' }).click();
    const form = page.getByRole('dialog', { name: 'Register an endpoint' });
    await form.getByLabel('Endpoint id').fill('kettle-2');
    await form.getByRole('button', { name: 'Register', exact: true }).click();
    const refused = form.getByRole('alert');
    await refused.getByText('application:endpoint:create on application-demo').waitFor();
    await refused.getByText('You are signed in as reader').waitFor();
    t.equal(await form.getByLabel('Endpoint id').inputValue(), 'kettle-2');
    await page.goto(`${c.url}/console/#/endpoints/kettle-1`);
    await page.getByRole('button', { name: 'Edit city' }).click();
    await page.getByLabel('Value of city').fill('"Lviv"');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('endpoint:update on endpoint-kettle-1').waitFor();
    t.equal(await page.getByLabel('Value of city').inputValue(), '"Lviv"');
  });

  await t.test('nothing at all: the register is not shown as empty', async (t) => {
    const page = await c.open('', { watched: false });
    await page.getByRole('button', { name: 'Sign in' }).click();
    await enterPassword(page, 'guest');
    await page.getByText('No application is granted to guest').waitFor();
    const streams: string[] = [];
    page.on('request', (request) => {
      if (new URL(request.url()).pathname.endsWith('/api/v1/events')) streams.push(request.url());
    });
    await page.goto(`${c.url}/console/#/`);
    await page.reload();
    const badge = page.getByRole('status').filter({ hasText: 'Live events:' });
    await badge.filter({ hasText: 'not granted' }).waitFor();
    await badge.getByText('The caller is not granted application:read on any application.').waitFor();
    // what it takes for being away and back again asks no earlier
    for (let i = 0; i < 3; i++) await page.evaluate(`dispatchEvent(new Event('online'))`);
    t.equal(await page.getByText('econnecting').count(), 0);
    t.equal(await page.getByText('Trying again').count(), 0);
    t.equal(streams.length, 1, 'asked for once');
    await page.goto(`${c.url}/console/#/endpoints/kettle-1`);
    await page.getByRole('alert').first().waitFor();
    t.equal(await page.getByText('Kyiv').count(), 0);
    await realm.giveRole(guest, 'endpoint-reader');
    await page.goto(`${c.url}/console/#/fleet`);
    await page.reload();
    await page.getByRole('link', { name: 'kettle-1' }).waitFor();
    t.pass('a role that is given counts when the page is loaded anew');
  });

  await t.test(
    'one endpoint: no page says that there is nothing where something is not granted',
    async (t) => {
      const bob = await realm.addUser('bob');
      await c.register('kettle-2', { city: 'Lviv' });
      await realm.permit({ resources: ['endpoint-kettle-1'], scopes: ['endpoint:read'], users: [bob] });
      const page = await c.open('', { watched: false });
      await page.getByRole('button', { name: 'Sign in' }).click();
      await enterPassword(page, 'bob');
      await page.getByText('No application is granted to bob').waitFor();
      await page.getByText('No application is granted to you.').waitFor();
      await page.getByText('Live events are not granted, so what happens').waitFor();
      await page.goto(`${c.url}/console/#/filters`);
      await page.getByText('No application is granted to you.').waitFor();
      await page.getByRole('link', { name: 'fleet', exact: true }).click();
      await page.getByRole('link', { name: 'kettle-1' }).click();
      await page.getByText('Kyiv').waitFor();
      await page.getByText('Live events are not granted, so what happens').waitFor();
      t.equal(await page.getByRole('alert').count(), 0);
      await page.goto(`${c.url}/console/#/endpoints/kettle-2`);
      await page.getByRole('alert').getByText('endpoint:read on endpoint-kettle-2').waitFor();
    },
  );
}
