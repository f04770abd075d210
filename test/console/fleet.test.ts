import t from 'tap';
import { startConsole, until } from './harness.js';

void t.test('register through the page, and find it', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  const page = await c.open('#/fleet');
  await page.getByText('No endpoint is registered here yet.').waitFor();
  await page.getByRole('button', { name: 'Register an endpoint' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Register an endpoint' });
  await dialog.getByLabel('Application version').selectOption('demo-v2');
  await dialog.getByLabel('Endpoint id').fill('kettle 1');
  await dialog.getByLabel('Metadata').fill('{"city": Kyiv}');
  await dialog.getByText('"Kyiv" is no value').waitFor();
  t.ok(await dialog.getByRole('button', { name: 'Register' }).isDisabled(), 'not with bad JSON');
  await dialog.getByLabel('Metadata').fill('{"city": "Kyiv", "temp": 4}');
  await dialog.getByRole('button', { name: 'Register' }).click();
  await dialog.getByText('invalid-body').waitFor();
  t.match(await dialog.getByRole('alert').first().textContent(), /pattern/, 'what is wrong with the id');
  await dialog.getByLabel('Endpoint id').fill('kettle-1');
  await dialog.getByRole('button', { name: 'Register' }).click();
  const registered = page.getByRole('dialog', { name: 'Registered' });
  await registered.getByText('shown this once only').waitFor();
  t.match(await registered.locator('code').textContent(), /^\S{10,}$/, 'its token');
  t.match(await c.call('GET', 'endpoints/kettle-1?include=metadata'), {
    appVersion: { name: 'demo-v2' },
    metadata: { city: 'Kyiv', temp: 4 },
  });
  await registered.getByRole('link', { name: 'Open the endpoint' }).click();
  await page.getByRole('heading', { name: 'kettle-1', level: 1 }).waitFor();
  t.match(page.url(), /#\/endpoints\/kettle-1$/);
  await page.goBack();
  await page.getByRole('heading', { name: 'Fleet' }).waitFor();
  await page.getByRole('row', { name: /kettle-1 demo-v2 Kyiv 4/ }).waitFor();
});

void t.test('what is typed arrives whole, however slowly it is typed', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  const fields = [
    ['#/fleet', 'Id or value contains'],
    ['#/filters', 'Name contains'],
  ] as const;
  for (const [view, label] of fields) {
    const page = await c.open(view);
    const field = page.getByLabel(label);
    await field.pressSequentially('abcdefgh', { delay: 400 });
    await page.waitForURL(/=abcdefgh/);
    t.equal(await field.inputValue(), 'abcdefgh', label);
    await page.close();
  }
  // so do digits, and a key that stands there twice, which is refused
  const page = await c.open('#/fleet');
  await page.getByRole('button', { name: 'Register an endpoint' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Register an endpoint' });
  await dialog.getByLabel('Metadata').fill('{"a": 1, "a": 2}');
  await dialog.getByRole('button', { name: 'Register' }).click();
  await dialog.getByRole('alert').getByText('"a"').first().waitFor();
  t.match(await c.call('GET', 'endpoints'), { totalElements: 0 });
});

void t.test('search, order, pages and the address', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  for (let i = 0; i < 60; i++)
    await c.register(`k-${String(i).padStart(2, '0')}`, { n: i, city: i % 2 === 0 ? 'Kyiv' : 'Lviv' });
  await c.register('other', { n: 1000 }, 'demo-v2');
  const page = await c.open('#/fleet');
  const rows = page.getByRole('table', { name: 'Endpoints' }).locator('tbody tr');
  await page.getByText('61 endpoints').waitFor();
  t.equal(await rows.count(), 50);

  await page.getByLabel('Order').selectOption('endpointId,asc');
  await page.getByRole('row', { name: /k-00/ }).waitFor();
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('row', { name: /other/ }).waitFor();
  t.equal(await rows.count(), 11);
  const deep = page.url();
  await page.getByRole('button', { name: 'Previous' }).click();
  await page.getByRole('row', { name: /k-00/ }).waitFor();
  const linked = await c.open(deep.slice(deep.indexOf('#')));
  await linked.getByRole('row', { name: /other/ }).waitFor();
  await linked.getByRole('button', { name: 'First' }).click();
  await linked.getByRole('row', { name: /k-00/ }).waitFor();

  await page.getByLabel('Metadata', { exact: true }).fill('city:Lviv,n:7');
  await page.getByText('1 endpoint', { exact: true }).waitFor();
  await page.getByRole('row', { name: /k-07/ }).waitFor();
  t.match(page.url(), /metadata=city%3ALviv/);
  await page.getByLabel('Metadata', { exact: true }).fill('{"n":{"$near":1}}');
  await page.getByRole('alert').getByText('$near').first().waitFor();
  await page.getByLabel('Metadata', { exact: true }).fill('');
  await page.getByLabel('Id or value contains').fill('k-1');
  await page.getByText('10 endpoints').waitFor();
  await page.getByLabel('Version').selectOption('demo-v2');
  await page.getByText('No endpoint fits the search.').waitFor();
  await page.getByRole('button', { name: 'Clear the search' }).click();
  await page.getByText('61 endpoints').waitFor();
  await page.getByLabel('Columns').fill('n');
  await page.getByRole('columnheader', { name: 'n', exact: true }).waitFor();
  await until(async () => (await page.getByRole('columnheader', { name: 'city' }).count()) === 0);
});

void t.test('several are selected and deleted, after a question', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  for (const id of ['a', 'b', 'c', 'd']) await c.register(id);
  const page = await c.open('#/fleet');
  await page.getByLabel('Select a', { exact: true }).check();
  await page.getByLabel('Select c', { exact: true }).check();
  await page.getByText('2 endpoints selected').waitFor();
  await page.getByRole('button', { name: 'Delete …' }).click();
  const dialog = page.getByRole('dialog', { name: 'Delete 2 endpoints?' });
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await dialog.waitFor({ state: 'hidden' });
  t.match(await c.call('GET', 'endpoints'), { totalElements: 4 });
  await page.getByRole('button', { name: 'Delete …' }).click();
  await c.call('DELETE', 'endpoints/c');
  await dialog.getByRole('button', { name: 'Delete 2 endpoints' }).click();
  await page.getByRole('dialog', { name: 'Not all were deleted' }).getByText('endpoint-not-found').waitFor();
  await page.keyboard.press('Escape');
  await page.getByText('2 endpoints', { exact: true }).waitFor();
  t.match(await c.call('GET', 'endpoints?sort=endpointId'), {
    content: [{ endpointId: 'b' }, { endpointId: 'd' }],
  });
  await page.getByLabel('Select all on this page').check();
  await page.getByRole('button', { name: 'Delete …' }).click();
  await page.getByRole('button', { name: 'Delete 2 endpoints' }).click();
  await page.getByText('No endpoint is registered here yet.').waitFor();
});
