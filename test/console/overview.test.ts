import t from 'tap';
import { temporaryFolder } from '../cli/run-cli.js';
import { freePort, startRegisterProcess } from '../cli/start-register.js';
import { startChromium } from '../servers/index.js';
import { startConsole, until, untilLive } from './harness.js';

void t.test('the chart moves, counts and events follow', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  await c.register('kettle-1', { temp: 0 });
  const { id } = (await c.call('POST', 'applications/demo/filters', {
    name: 'odd',
    mongoQuery: { metadata: { $elemMatch: { key: 'temp', value: { $mod: [2, 1] } } } },
  })) as { id: string };
  await until(async () =>
    JSON.stringify(await c.call('GET', `applications/demo/filters/${id}`)).includes('"active"'),
  );
  const page = await c.open();
  await untilLive(page, 1);
  const chart = page.getByRole('img');
  const before = await chart.locator('canvas').screenshot();
  const figure = (name: string) => page.locator('.figures > div', { hasText: name }).locator('dd');
  let n = 0;
  await until(async () => {
    for (let i = 0; i < 20; i++) await c.set('kettle-1', 'temp', ++n);
    return Number((await figure('Matches/s').textContent())!.replace(/\D/g, '')) > 0;
  });
  t.not(await figure('Updates/s').textContent(), '–');
  t.match(await chart.getAttribute('aria-label'), /Now [\d.,]+ updates and [\d.,]+ matches a second/);
  // it is drawn once a second
  await until(async () => !before.equals(await chart.locator('canvas').screenshot()));
  const events = page.getByRole('region', { name: 'Newest events' });
  await events.getByText(`temp ${n - 1} → ${n}`).waitFor();
  await events.getByRole('link', { name: 'odd' }).first().waitFor();
  await events.getByRole('button', { name: 'Hold' }).click();
  const held = await events.locator('li').first().textContent();
  await c.set('kettle-1', 'temp', -5);
  await events.getByRole('button', { name: /^Go on \(\d+ newer\)/ }).waitFor();
  t.equal(await events.locator('li').first().textContent(), held);
  await events.getByRole('button', { name: /^Go on/ }).click();
  await events.getByText('→ -5').waitFor();
  await page.getByRole('link', { name: 'Endpoints of demo' }).getByText('1', { exact: true }).waitFor();
  await c.register('kettle-2');
  await page.getByRole('link', { name: 'Endpoints of demo' }).getByText('2', { exact: true }).waitFor();
});

void t.test(
  'a page that nobody looks at lets its connection go, and reads anew when it is seen again',
  async (t) => {
    const c = await startConsole(t);
    if (c === undefined) return;
    const page = await c.open();
    await page.clock.install();
    await page.reload();
    await untilLive(page, 1);
    const see = (hidden: boolean) =>
      page.evaluate(`Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'))`);
    const endpoints = page.getByRole('link', { name: 'Endpoints of demo' });
    await endpoints.getByText('0', { exact: true }).waitFor();
    await see(true);
    await page.clock.fastForward(61_000);
    await page.getByText('asleep').waitFor();
    await c.register('kettle-1');
    await see(false);
    await untilLive(page, 1);
    await endpoints.getByText('1', { exact: true }).waitFor();
    t.equal(await page.getByText('asleep').count(), 0);
  },
);

void t.test('a service that goes and comes back', async (t) => {
  const browser = await startChromium(t);
  if (browser === undefined) return;
  const folder = temporaryFolder(t);
  const port = await freePort();
  const first = await startRegisterProcess(t, { folder, port });
  const page = await browser.newPage();
  await page.goto(`${first.url}/console/#/fleet`);
  await page.getByText('No endpoint is registered here yet.').waitFor();
  await untilLive(page, 1);
  first.running.child.kill('SIGTERM');
  await first.running.done;
  await page.getByText('reconnecting').waitFor();
  await page.getByLabel('Id or value contains').fill('x');
  await page.getByRole('alert').getByText('unreachable').waitFor();
  await startRegisterProcess(t, { folder, port });
  await page.getByText('No endpoint fits the search.').waitFor();
  await untilLive(page, 1);
  t.equal(await page.getByRole('alert').count(), 0);
});
