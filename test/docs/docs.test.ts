import t from 'tap';
import { startConsole } from '../console/harness.js';

/** Of the harness: no page may ask anybody else, or say an error. */
void t.test('the description of the interface, in a browser', async (t) => {
  const service = await startConsole(t);
  if (service === undefined) return;
  await service.register('kettle-1', { city: 'Kyiv' });
  const document = (await service.call('GET', 'openapi.json')) as { paths: Record<string, object> };
  const operations = Object.values(document.paths).flatMap((methods) => Object.keys(methods)).length;

  for (const path of ['/docs', '/docs/', '/epr/docs', '/epr/docs/']) {
    const page = await service.open('', { path });
    await page
      .locator('.opblock')
      .nth(operations - 1)
      .waitFor();
    t.equal(await page.locator('.opblock').count(), operations, `${path} shows every operation`);
    t.equal(await page.locator('.errors-wrapper').count(), 0, `${path}: the document has no fault`);
    const server = await page.locator('.servers select').inputValue();
    t.equal(
      server,
      path.startsWith('/epr') ? '/epr/api/v1' : '/api/v1',
      'requests go the way that the page came',
    );
    if (!path.endsWith('/')) {
      await page.context().close();
      continue;
    }
    const list = page.locator('#operations-Endpoints-getEndpoint');
    await list.locator('.opblock-summary-control').click();
    const id = list.locator('tr[data-param-name="endpointId"] input');
    await id.fill('kettle-1');
    const include = list.locator('tr[data-param-name="include"]');
    await include.locator('button').first().click();
    await include.locator('input').first().fill('metadata');
    await list.locator('button.execute').click();
    const answer = list.locator('.live-responses-table .response');
    await answer.waitFor();
    t.match(
      await answer.textContent(),
      /^200.*"endpointId": "kettle-1".*"city": "Kyiv"/s,
      `${path}: try it out`,
    );
    await page.context().close();
  }
});

void t.test('what is tried as it stands, on a register without configuration, works', async (t) => {
  const service = await startConsole(t);
  if (service === undefined) return;
  const page = await service.open('', { path: '/docs/' });
  /** What an operation answers with nothing filled in. */
  const tryIt = async (tag: string, operationId: string): Promise<string> => {
    const operation = page.locator(`#operations-${tag}-${operationId}`);
    await operation.locator('.opblock-summary-control').click();
    await operation.locator('button.execute').click();
    const status = operation.locator('.live-responses-table tr.response .response-col_status').first();
    await status.waitFor();
    return ((await status.textContent()) ?? '').trim();
  };
  for (const [tag, operationId, status] of [
    ['Endpoints', 'registerEndpoint', /^201/],
    ['Batches', 'startBatch', /^202/],
    ['Endpoints', 'listEndpoints', /^200/],
    ['Metadata', 'setMetadataKey', /^200/],
    ['Filters', 'createFilter', /^201/],
    ['Relations', 'linkEndpoints', /^200/],
    ['Endpoints', 'unregisterEndpoint', /^204/],
  ] as const)
    t.match(await tryIt(tag, operationId), status, operationId);
  await page.context().close();
});

void t.test('dark and light, as the system is, and narrow', async (t) => {
  const service = await startConsole(t);
  if (service === undefined) return;
  for (const colorScheme of ['dark', 'light'] as const) {
    const page = await service.open('', { path: '/docs/', colorScheme, width: 360 });
    await page.locator('.opblock').first().waitFor();
    const red = await page.evaluate(
      'getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/)[0]',
    );
    const painted = await page.evaluate("document.documentElement.classList.contains('dark-mode')");
    t.equal(painted, colorScheme === 'dark');
    if (painted) t.ok(Number(red) < 60, `the ground is dark: ${String(red)}`);
    await page.context().close();
  }
});
