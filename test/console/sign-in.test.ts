/** Signing in to the console, on a real Keycloak in a real browser. */
import type { Locator, Page, Request } from 'playwright-core';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { freePort } from '../cli/start-register.js';
import { startConsole } from './harness.js';
import {
  comeBackTo,
  enterPassword,
  kept,
  settings,
  startSignedConsole,
  TOKEN,
  watchSecrets,
} from './keycloak-console.js';

const started = await startSignedConsole(t);
if (started !== undefined) {
  const { console: c, realm, authServer } = started;
  await realm.addUser('alice', ['endpoint-admin']);
  await c.register('kettle-1', { city: 'Kyiv' });

  await t.test('in, to where one was going, and out', async (t) => {
    const page = await c.open('#/fleet?text=kettle');
    const { addresses } = watchSecrets(page.context());
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    t.equal(await page.getByText('kettle-1').count(), 0);
    t.same(await kept(page), { local: { 'epr-console-theme': 'system' }, session: '{}', cookies: '' });
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(`${authServer}/**`);
    const asked = new URL(page.url()).searchParams;
    t.equal(asked.get('code_challenge_method'), 'S256');
    t.equal(asked.get('response_type'), 'code');
    t.ok((asked.get('state') ?? '').length >= 32 && (asked.get('nonce') ?? '').length >= 32);
    await enterPassword(page, 'alice');
    await page.getByRole('link', { name: 'kettle-1' }).waitFor();
    t.equal(
      page.url(),
      `${c.url}/console/#/fleet?text=kettle`,
      'nothing of the sign-in is left in the address',
    );
    t.match(await page.locator('.account-name').textContent(), /Signed in as alice/);
    t.same(await kept(page), {
      local: { 'epr-console-tenant': 'kaa', 'epr-console-silent': 'kaa', 'epr-console-theme': 'system' },
      session: '{}',
      cookies: '',
    });

    await page.reload();
    await page.getByRole('link', { name: 'kettle-1' }).waitFor();
    t.equal(page.url(), `${c.url}/console/#/fleet?text=kettle`, 'loaded anew, nobody is asked again');

    await page.getByRole('button', { name: 'Sign out alice' }).click();
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor();
    t.equal(await page.getByText('kettle-1').count(), 0);
    t.same(await kept(page), {
      local: { 'epr-console-tenant': 'kaa', 'epr-console-theme': 'system' },
      session: '{}',
      cookies: '',
    });
    await page.reload();
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByLabel('Username or email').waitFor();
    t.pass('the session at the auth server has ended, too');
    t.same(
      addresses.filter((address) => TOKEN.test(address)),
      [],
      'no token is in any address',
    );
    t.ok(addresses.some((address) => address.includes('/protocol/openid-connect/token')));
  });

  await t.test('an answer that comes before the first effects is drawn, too', async (t) => {
    const page = await c.open();
    // effects come with the next frame, or soon after; here two seconds late
    await page.addInitScript({
      content: `const later = setTimeout;
        requestAnimationFrame = (callback) => later(callback, 2000);
        setTimeout = (callback, ms = 0, ...rest) => later(callback, ms <= 100 ? 2000 : ms, ...rest);`,
    });
    await page.reload();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    t.pass();
  });

  await t.test('a token is renewed before it ends, also in several tabs at once', async (t) => {
    await realm.tokensLast(3);
    const page = await signedIn('alice', '#/fleet');
    const other = await page.context().newPage();
    await other.goto(`${c.url}/console/#/fleet`);
    await other.getByRole('link', { name: 'kettle-1' }).waitFor();
    let refused = 0;
    for (const each of [page, other]) {
      let renewals = 0;
      each.on('response', (response) => {
        if (response.status() === 401) refused++;
        if (!isRenewal(response.request())) return;
        if (response.status() !== 200) refused++;
        renewals++;
      });
      await each.bringToFront();
      while (renewals < 2) {
        await each.getByRole('link', { name: 'Filters' }).click();
        await each.getByRole('link', { name: 'Fleet' }).click();
        await each.getByRole('link', { name: 'kettle-1' }).waitFor();
      }
    }
    t.equal(refused, 0, 'nothing was refused meanwhile');
    t.equal(await page.getByRole('dialog').count(), 0);
    await realm.tokensLast(300);
  });

  await t.test('the session ends while somebody writes: nothing is lost', async (t) => {
    const carol = await realm.addUser('carol', ['endpoint-admin']);
    await realm.addUser('mallory', ['endpoint-admin']);
    await realm.tokensLast(2);
    // Keycloak may let no page read why it refuses a refresh token, and the browser says so
    const page = await signedIn('carol', '#/fleet', { watched: false });
    await page.getByRole('button', { name: 'Register an endpoint' }).click();
    const form = page.getByRole('dialog', { name: 'Register an endpoint' });
    const lapsed = page.getByRole('dialog', { name: 'Your sign-in has ended' });
    const save = form.getByRole('button', { name: 'Register', exact: true });
    const endSession = async () => {
      await realm.admin('POST', `/users/${carol.id}/logout`);
      // the token goes on until it ends, and can't be renewed then
      await sleep(2100);
    };
    await form.getByLabel('Endpoint id').fill('typed-1');
    await endSession();
    await save.click();
    await lapsed.getByRole('button', { name: 'Not now' }).click();
    await lapsed.waitFor({ state: 'detached' });
    await form.getByRole('alert').getByText('unauthenticated').waitFor();
    await form.getByRole('alert').getByRole('button', { name: 'Sign in' }).click();
    await lapsed.waitFor();

    const wrong = await windowOf(page, lapsed);
    await enterPassword(wrong, 'mallory');
    await lapsed.getByText('That was mallory, and what stands on this page is of carol').waitFor();
    await realm.admin('POST', `/users/${(await userOf('mallory')).id}/logout`);

    const beside = await windowOf(page, lapsed);
    t.equal(await beside.getByLabel('Username or email').inputValue(), 'carol');
    const closed = beside.waitForEvent('close').catch(() => undefined);
    await enterPassword(beside, 'carol');
    await lapsed.waitFor({ state: 'detached' });
    await closed;
    t.equal(await form.getByLabel('Endpoint id').inputValue(), 'typed-1');
    await form.getByLabel('Endpoint id').fill('typed-2');
    await endSession();
    await save.click();
    await realm.tokensLast(300);
    await enterPassword(await windowOf(page, lapsed), 'carol');
    await page.getByRole('dialog', { name: 'Registered' }).getByText('typed-2').waitFor();
    t.pass('what was to be saved is saved, without another click');
  });

  await t.test('what comes from elsewhere signs nobody in', async (t) => {
    const page = await c.open('?code=stolen&state=guessed&error_description=Call%20this%20number', {
      path: '/console/',
    });
    await page.getByRole('alert').getByText('was not begun in this tab').waitFor();
    t.equal(page.url(), `${c.url}/console/`);
    t.equal(await page.getByText('Call this number').count(), 0, 'nobody else puts words here');
    t.equal((await kept(page)).session, '{}');

    // what no auth server sends
    const half = await c.open('?code=abc#/fleet');
    await half.getByRole('alert').getByText('was not begun in this tab').waitFor();
    t.equal(half.url(), `${c.url}/console/#/fleet`);

    // a code of the attacker, who has seen the state, too
    // Keycloak may let no page read why it refuses a code with a wrong verifier
    const victim = await c.open('', { watched: false });
    const asked = await begin(victim);
    const attacker = await victim.context().browser()!.newPage({ javaScriptEnabled: false });
    await attacker.goto(await begin(await c.open()));
    await enterPassword(attacker, 'mallory');
    await attacker.waitForURL(isReturn);
    const code = new URL(attacker.url()).searchParams.get('code')!;
    await victim.goto(returnOf(asked, code, realm.issuer));
    await victim
      .getByRole('alert')
      .getByText(/invalid_grant|does not let this page/)
      .waitFor();
    t.equal(await victim.locator('.account').count(), 0);

    // an answer of another auth server for the same state
    await victim.goto(returnOf(await begin(victim), 'any', 'https://evil.example'));
    await victim.getByRole('alert').getByText('unexpected "iss"').waitFor();
    // a state is good once
    await victim.goto(returnOf(asked, code, realm.issuer));
    await victim.getByRole('alert').getByText('was not begun in this tab').waitFor();
    t.equal(await victim.locator('.account').count(), 0);
  });

  await t.test('several tenants', async (t) => {
    // her session ends, and nobody else's
    const dora = await realm.addUser('dora', ['endpoint-admin']);
    const [second, hidden] = [await severalTenants('true'), await severalTenants('false')];
    const page = await second.open();
    // the client of the console is to send browsers elsewhere from now on: no page of the first console may renew its tokens
    const before = await c.open();
    for (const context of before.context().browser()!.contexts()) await context.close();
    const choice = page.getByLabel('Tenant');
    t.same(await choice.locator('option').allTextContents(), ['acme', 'kaa']);
    await choice.selectOption('kaa');
    await comeBackTo(realm, second.url);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await enterPassword(page, 'dora');
    await page.locator('.account').waitFor();
    await realm.admin('POST', `/users/${dora.id}/logout`);
    await page.reload();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    t.equal(await choice.inputValue(), 'kaa', 'the session is over: what was chosen last');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await enterPassword(page, 'dora');
    await page.getByRole('button', { name: 'Sign out dora' }).click();
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor();
    t.equal(await choice.inputValue(), 'kaa', 'signed out: the same');

    const named = await hidden.open('', { watched: false });
    await named.getByLabel('Tenant').fill('none');
    await named.getByRole('button', { name: 'Sign in' }).click();
    await named.getByRole('alert').getByText('There is no tenant “none”.').waitFor();
    await named.getByLabel('Tenant').fill('acme');
    await named.getByRole('button', { name: 'Sign in' }).click();
    await named.getByRole('alert').getByText('does not answer').waitFor();
    await named.getByLabel('Tenant').fill('kaa');
    await comeBackTo(realm, hidden.url);
    await named.keyboard.press('Enter');
    await enterPassword(named, 'dora');
    await named.locator('.account').waitFor();
    await named.reload();
    await named.getByRole('button', { name: 'Sign out dora' }).click();
    await named.getByRole('heading', { name: 'You are signed out' }).waitFor();
    t.equal(await named.getByLabel('Tenant').inputValue(), 'kaa');

    async function severalTenants(listed: string) {
      const other = await startConsole(
        t,
        {
          ...settings(realm),
          'kaa.tenants.acme.issuer': `http://127.0.0.1:${await freePort()}/realms/acme`,
          'kaa.security.sign-in.list-tenants': listed,
        },
        { allowed: [authServer] },
      );
      return other!;
    }
  });

  /** To the auth server; answers the address there. */
  async function begin(page: Page): Promise<string> {
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(`${authServer}/**`);
    return page.url();
  }
  function returnOf(asked: string, code: string, iss: string): string {
    const state = new URL(asked).searchParams.get('state')!;
    return `${c.url}/console/?${new URLSearchParams({ code, state, iss }).toString()}`;
  }

  /** A page on which somebody has signed in. */
  async function signedIn(user: string, place: string, options?: { watched: boolean }): Promise<Page> {
    const page = await c.open(place, options);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await enterPassword(page, user);
    await page.locator('.account').waitFor();
    return page;
  }
  async function windowOf(page: Page, dialog: Locator): Promise<Page> {
    const opened = page.waitForEvent('popup');
    await dialog.getByRole('button', { name: 'Sign in' }).click();
    const beside = await opened;
    await beside.waitForURL(`${authServer}/**`);
    return beside;
  }
  async function userOf(name: string): Promise<{ id: string }> {
    const [user] = await realm.admin<{ id: string }[]>('GET', `/users?username=${name}&exact=true`);
    return user!;
  }
}

/** From the auth server, to the console. */
function isReturn(url: URL): boolean {
  return url.pathname === '/console/' && url.searchParams.has('code');
}

function isRenewal(request: Request): boolean {
  return request.url().endsWith('/token') && /grant_type=refresh_token/.test(request.postData() ?? '');
}
