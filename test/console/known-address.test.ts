/** A console at another address than the one that auth servers know says so before anybody goes there. */
import t from 'tap';
import { freePort } from '../cli/start-register.js';
import { startConsole } from './harness.js';

const signedIn = {
  'server.host': '127.0.0.1',
  'kaa.security.authentication.enabled': 'true',
  // nobody goes there
  'kaa.tenants.kaa.issuer': 'http://127.0.0.1:1/realms/kaa',
};

await t.test('at another address', async (t) => {
  const c = await startConsole(t, { ...signedIn, 'server.public-url': 'http://epr.example:8080' });
  if (c === undefined) return;
  const page = await c.open('#/fleet');
  const link = page.getByRole('link', { name: 'http://epr.example:8080/console/' });
  await link.waitFor();
  t.equal(await link.getAttribute('href'), 'http://epr.example:8080/console/#/fleet');
  t.match(await page.getByRole('note').textContent(), c.url);

  const prefixed = await c.open('', { path: '/epr/console/' });
  await prefixed.getByRole('link', { name: 'http://epr.example:8080/epr/console/' }).waitFor();
  const docs = await c.open('', { path: '/docs/' });
  t.equal(
    await docs.getByRole('link', { name: /public address only/ }).getAttribute('href'),
    'http://epr.example:8080/docs/',
  );
});

await t.test('at the one that they know', async (t) => {
  const port = String(await freePort());
  const c = await startConsole(t, {
    ...signedIn,
    'server.port': port,
    'server.public-url': `http://127.0.0.1:${port}/`,
  });
  if (c === undefined) return;
  const page = await c.open();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  t.equal(await page.getByRole('note').count(), 0);
});
