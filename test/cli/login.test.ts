/** `epr login` by the device flow of a real Keycloak; a person in a real browser allows it. */
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, BrowserContext } from 'playwright-core';
import t, { type Test } from 'tap';
import { endLogin } from '../../src/cli/login/end-login.js';
import { createLoginStore, type Login } from '../../src/cli/login/login-store.js';
import { enterPassword } from '../console/keycloak-console.js';
import { startChromium, startKeycloak, type KeycloakRealm } from '../servers/index.js';
import { runCli, startCli, temporaryFolder, type CliResult } from './run-cli.js';
import { startRegister } from './start-register.js';

const keycloak = await startKeycloak(t);
const browser = keycloak === undefined ? undefined : await startChromium(t);
if (keycloak !== undefined && browser !== undefined) {
  const realm = await keycloak.realm();
  await change(realm, '', { oauth2DevicePollingInterval: 1 });
  await realm.addUser('alice', ['endpoint-admin']);
  const { url } = await startRegister(t, {
    'kaa.security.authentication.enabled': 'true',
    'server.host': '127.0.0.1',
    'kaa.tenants.kaa.issuer': realm.issuer,
    'kaa.applications.demo.versions.demo-v1': '',
  });
  const home = temporaryFolder(t);
  const logins = join(home, 'epr', 'logins');
  const env = { XDG_CONFIG_HOME: home, EPR_DEBUG: '1' };
  const said: string[] = [];
  const epr = async (...args: string[]): Promise<CliResult> => {
    const done = await runCli(args, { env });
    said.push(done.stdout, done.stderr);
    return done;
  };
  const login = async (
    answer: 'Yes' | 'No',
    where: Browser | BrowserContext = browser,
  ): Promise<CliResult> => {
    const running = startCli(['login', '--url', url], { env });
    await running.said('Waiting for that');
    const address = /^or open (\S+) /m.exec(running.stderr())![1]!;
    const code = /^Enter {2}(\S+)$/m.exec(running.stderr())![1]!;
    t.ok(address.includes(code), 'the code is shown');
    await allow(where, address, answer);
    const done = await running.done;
    said.push(done.stdout, done.stderr);
    return done;
  };
  const stored = () => {
    const file = join(
      logins,
      readdirSync(logins).find((name) => name.endsWith('.json'))!,
    );
    const read = () => JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
    return { file, read };
  };

  await t.test('in; who I am; what others can read', async (t) => {
    t.match(await epr('export', '--url', url), { code: 1, stderr: `epr login --url ${url}` });
    const denied = await login('No');
    t.match(denied, { code: 1, stderr: 'It was not allowed in the browser' });
    t.notOk(existsSync(logins) && readdirSync(logins).length > 0);
    t.match(await login('Yes'), { code: 0, stdout: `Logged in to ${url} as alice of the tenant kaa.\n` });
    const { file, read } = stored();
    t.equal(statSync(file).mode & 0o777, 0o600);
    t.equal(statSync(logins).mode & 0o777, 0o700);
    t.same(readdirSync(logins).length, 1, 'no lock, nothing half written');
    t.match(read(), { url, tenant: 'kaa', issuer: realm.issuer, clientId: 'epr-cli', name: 'alice' });
    t.match(await epr('whoami', '--url', url), { code: 0, stdout: `alice, by ${realm.issuer}\n` });
    t.match(await epr('export', '--url', url), { code: 0 });

    chmodSync(file, 0o640);
    t.match(await epr('export', '--url', url), { code: 1, stderr: `chmod 600 ${file}` });
    chmodSync(file, 0o600);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.slice(0, 100));
    t.match(await epr('export', '--url', url), { code: 1, stderr: 'is damaged' });
    writeFileSync(file, text);
  });

  await t.test('only for the register that it was made for', async (t) => {
    const other = await startRegister(t, {
      'kaa.security.authentication.enabled': 'true',
      'server.host': '127.0.0.1',
      'kaa.tenants.kaa.issuer': realm.issuer,
    });
    t.match(await epr('whoami', '--url', other.url), { code: 1, stderr: `epr login --url ${other.url}` });
    const moved = { ...stored().read(), url: other.url };
    const { file } = stored();
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, JSON.stringify(moved));
    t.match(await epr('whoami', '--url', url), { code: 1, stderr: `epr login --url ${url}` });
    writeFileSync(file, text);
    const far = await epr('login', '--url', 'http://register.example.org');
    t.match(far, { code: 2, stderr: /without TLS: .*--allow-http/ });
    const open = await startRegister(t, { 'kaa.applications.demo.versions.demo-v1': '' });
    t.match(await epr('login', '--url', open.url), { code: 0, stdout: 'no login is needed' });
  });

  await t.test(
    'renewed when it is about to end, by one of several processes; over when the session is',
    async (t) => {
      await realm.tokensLast(2);
      t.match(await login('Yes'), { code: 0 });
      const { read } = stored();
      for (let round = 0; round < 2; round++) {
        const before = read();
        await sleep(2100);
        const all = await Promise.all([1, 2, 3].map(() => epr('export', '--url', url)));
        for (const each of all) t.equal(each.code, 0, each.stderr);
        t.not(read()['accessToken'], before['accessToken']);
        t.not(read()['refreshToken'], before['refreshToken'], 'a refresh token is good once');
      }
      const [alice] = await realm.admin<{ id: string }[]>('GET', '/users?username=alice&exact=true');
      await realm.admin('POST', `/users/${alice!.id}/logout`);
      await sleep(2100);
      t.match(await epr('export', '--url', url), {
        code: 1,
        stderr: /Your login of \S+ has ended \(.*\)\. Log in again: epr login --url/,
      });
      await realm.tokensLast(300);
    },
  );

  /** At the auth server, which answers with the next one if it does. */
  const isOver = async (t: Test, refreshToken: string): Promise<void> => {
    const renewal = { grant_type: 'refresh_token', client_id: 'epr-cli', refresh_token: refreshToken };
    await t.rejects(realm.askToken(renewal), /invalid_grant/);
  };

  await t.test('out', async (t) => {
    t.match(await login('Yes'), { code: 0 });
    const { file, read } = stored();
    const refreshToken = read()['refreshToken']!;
    t.match(await epr('logout', '--url', url), { code: 0, stdout: `Logged out of ${url}.\n`, stderr: '' });
    t.notOk(existsSync(file));
    await isOver(t, refreshToken);
    t.match(await epr('logout', '--url', url), { code: 0, stdout: 'There is no login' });
    t.match(await epr('export', '--url', url), { code: 1, stderr: 'epr login' });
  });

  await t.test('out, whatever has become of the file', async (t) => {
    for (const mode of [0o644, 0o000]) {
      t.match(await login('Yes'), { code: 0 });
      const { file, read } = stored();
      const refreshToken = read()['refreshToken']!;
      chmodSync(file, mode);
      const out = await epr('logout', '--url', url);
      t.match(out, { code: 0, stdout: `Logged out of ${url}.\n` });
      t.match(
        out.stderr,
        mode === 0o644 ? /^epr: others could read .* access token lasts .* more\.\n$/ : /^$/,
      );
      t.notOk(existsSync(file));
      await isOver(t, refreshToken);
    }

    t.match(await login('Yes'), { code: 0 });
    const { file, read } = stored();
    const login1 = read();
    const last = async (text: string): Promise<CliResult> => {
      writeFileSync(file, text, { mode: 0o644 });
      const out = await epr('logout', '--url', url);
      t.match(out, { code: 1, stdout: 'removed from this computer, and no more' });
      t.notMatch(out.stderr, 'chmod');
      t.notOk(existsSync(file));
      return out;
    };
    const away = await last(JSON.stringify({ ...login1, issuer: 'http://127.0.0.1:1/realms/kaa' }));
    t.match(
      away.stderr,
      /could not be revoked \(.*\): .* End the session at http:\/\/127\.0\.0\.1:1\/realms\/kaa /,
    );
    t.match((await last('{"url":')).stderr, 'could not be revoked (its file is damaged)');
    const { refreshToken, ...without } = login1;
    t.match((await last(JSON.stringify(without))).stderr, 'there is no refresh token to revoke');

    // another process has renewed it while this one waits: what counts is what is there then
    const store = createLoginStore(env);
    const kept = login1 as unknown as Login;
    store.write({ ...kept, refreshToken: 'former' });
    let ending: ReturnType<typeof endLogin> | undefined;
    await store.alone(new URL(url), async () => {
      ending = endLogin(store, new URL(url));
      store.write(kept);
    });
    t.match(await ending, { revoked: true });
    await isOver(t, refreshToken!);
  });

  await t.test('in anew ends the login that was there', async (t) => {
    const person = await browser.newContext();
    t.match(await login('Yes', person), { code: 0 });
    const former = stored().read()['refreshToken']!;
    t.match(await login('Yes', person), { code: 0 });
    await isOver(t, former);
    const kept = stored().read();
    const renewed = await realm.askToken({
      grant_type: 'refresh_token',
      client_id: 'epr-cli',
      refresh_token: kept['refreshToken']!,
    });
    t.ok(renewed, 'and not the one that is there now');
    writeFileSync(stored().file, JSON.stringify({ ...kept, issuer: 'http://127.0.0.1:1/realms/kaa' }));
    const again = await login('Yes');
    t.match(again, { code: 0, stderr: /^epr: of the former login: the refresh token could not be revoked / });
    const other = await epr('whoami', '--url', url.replace('127.0.0.1', 'localhost'));
    t.match(other, { code: 1, stderr: `There are logins of other addresses: ${url}.` });
    await person.close();
  });

  await t.test('what is set up wrong is said with the remedy', async (t) => {
    const clientId = (await realm.admin<{ id: string }[]>('GET', '/clients?clientId=epr-cli'))[0]!.id;
    const device = (on: string) =>
      change(realm, `/clients/${clientId}`, {
        attributes: { 'oauth2.device.authorization.grant.enabled': on },
      });
    await device('false');
    t.match(await epr('login', '--url', url), {
      code: 1,
      stderr: /lets nobody log in on the command line by the client epr-cli.*device authorization grant/,
    });
    await device('true');
    t.match(await epr('login', '--url', url, '--client-id', 'none'), { code: 1, stderr: /client none/ });
    t.match(await epr('login', '--url', url, '--tenant', 'none'), { code: 2, stderr: 'no tenant "none"' });
    t.match(await epr('login', '--url', 'http://127.0.0.1:1'), { code: 1, stderr: 'No answer from' });
    t.match(await epr('login', '--url', keycloak.url), { code: 1, stderr: 'does not say where to log in' });
    await change(realm, '', { oauth2DeviceCodeLifespan: 2 });
    t.match(await epr('login', '--url', url), { code: 1, stderr: 'The code has expired' });
  });

  t.notMatch(said.join('\n'), /eyJ[A-Za-z0-9_-]{10,}\./, 'no token was ever shown');
}

async function allow(
  browser: Browser | BrowserContext,
  address: string,
  answer: 'Yes' | 'No',
): Promise<void> {
  const page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  await page.goto(address);
  await enterPassword(page, 'alice');
  await page.getByRole('button', { name: answer }).click();
  await page
    .getByText(answer === 'Yes' ? /Device Login Successful/i : /Device Login Failed/i)
    .first()
    .waitFor();
  await page.close();
}

/** What is not named stays. */
async function change(realm: KeycloakRealm, path: string, to: object): Promise<void> {
  const before = await realm.admin<{ attributes?: object }>('GET', path);
  const attributes = { ...before.attributes, ...(to as { attributes?: object }).attributes };
  await realm.admin('PUT', path, { ...before, ...to, attributes });
}
