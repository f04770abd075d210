import t from 'tap';
import { startConsole, until, untilLive } from './harness.js';

void t.test('metadata: add, change, remove; what devices change is seen live', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  await c.register('kettle-1', { city: 'Kyiv', temp: 4 });
  const page = await c.open('#/endpoints/kettle-1');
  const row = (key: string) =>
    page.locator('table.metadata tr', { has: page.locator('th', { hasText: key }) });
  await page.getByRole('button', { name: 'Edit city' }).click();
  const value = page.getByLabel('Value of city');
  t.equal(await value.inputValue(), '"Kyiv"');
  await value.fill('Lviv');
  await page.getByText('"Lviv" is no value').waitFor();
  t.ok(await page.getByRole('button', { name: 'Save' }).isDisabled());
  await page.getByRole('button', { name: 'Write it as text, in quotes' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  await row('city').getByText('"Lviv"').waitFor();
  await page.getByText('city is saved').waitFor();

  await page.getByRole('button', { name: 'Add a key' }).click();
  await page.getByLabel('Key', { exact: true }).fill('bad key');
  await page.getByLabel('Value', { exact: true }).fill('{"a": [1, 2.50]}');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('alert').getByText('invalid-metadata-key').waitFor();
  await page.getByLabel('Key', { exact: true }).fill('layout');
  await page.keyboard.press('Control+Enter');
  await row('layout').getByText('{"a":[1,2.5]}').waitFor();

  await page.getByRole('button', { name: 'Remove temp' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await row('temp').waitFor({ state: 'detached' });
  t.same(await c.call('GET', 'endpoints/kettle-1/metadata'), { city: 'Lviv', layout: { a: [1, 2.5] } });

  await c.set('kettle-1', 'temp', 21);
  await row('temp').getByText('21').waitFor();
  const events = page.getByRole('region', { name: 'Live events' });
  await events.getByText('+temp 21').waitFor();
  await events.getByText('city "Kyiv" → "Lviv"').waitFor();
  await page.getByRole('button', { name: 'JSON' }).click();
  t.match(JSON.parse((await page.getByLabel('Metadata as JSON').textContent())!), { city: 'Lviv', temp: 21 });
});

void t.test('nobody else is overwritten', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  await c.register('kettle-1', { city: 'Kyiv', temp: 4 });
  const page = await c.open('#/endpoints/kettle-1');
  await page.getByRole('button', { name: 'Edit city' }).click();
  const value = page.getByLabel('Value of city');
  await value.fill('"Odesa"');
  // another key: none of this edit's business
  await c.set('kettle-1', 'temp', 5);
  await page.locator('table.metadata').getByText('5', { exact: true }).waitFor();
  t.equal(await value.inputValue(), '"Odesa"', 'what is being written stays');
  await page.getByRole('button', { name: 'Save' }).click();
  await value.waitFor({ state: 'detached' });
  t.same(await c.call('GET', 'endpoints/kettle-1/metadata'), { city: 'Odesa', temp: 5 });

  // the same key
  await page.getByRole('button', { name: 'Edit city' }).click();
  await value.fill('"Mine"');
  await c.set('kettle-1', 'city', 'Theirs');
  await page.getByRole('button', { name: 'Save' }).click();
  const conflict = page.getByRole('alert').filter({ hasText: '412' });
  await conflict.waitFor();
  t.match(await conflict.textContent(), /You saw"Odesa"Now it is"Theirs"You want"Mine"/);
  t.match(await c.call('GET', 'endpoints/kettle-1/metadata'), { city: 'Theirs' }, 'nothing was overwritten');
  await page.getByRole('button', { name: 'Keep theirs' }).click();
  await page.locator('table.metadata').getByText('"Theirs"').waitFor();

  await page.getByRole('button', { name: 'Edit city' }).click();
  await value.fill('"Mine"');
  await c.set('kettle-1', 'city', 'Theirs again');
  await page.getByRole('button', { name: 'Save' }).click();
  await conflict.waitFor();
  await page.getByRole('button', { name: 'Save mine over it' }).click();
  await page.locator('table.metadata').getByText('"Mine"').waitFor();
  t.match(await c.call('GET', 'endpoints/kettle-1/metadata'), { city: 'Mine' });

  // a key that is there already, added
  await page.getByRole('button', { name: 'Add a key' }).click();
  await page.getByLabel('Key', { exact: true }).fill('city');
  await page.getByLabel('Value', { exact: true }).fill('"Added"');
  await page.getByRole('button', { name: 'Save' }).click();
  await conflict.waitFor();
  t.match(await c.call('GET', 'endpoints/kettle-1/metadata'), { city: 'Mine' });
  await page.getByRole('button', { name: 'Keep theirs' }).click();

  // a removal of what changed meanwhile
  await page.getByRole('button', { name: 'Remove city' }).click();
  await c.set('kettle-1', 'city', 'New');
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Remove' }).click();
  await dialog.getByText('"New"').waitFor();
  t.match(await c.call('GET', 'endpoints/kettle-1/metadata'), { city: 'New' });
  await dialog.getByRole('button', { name: 'Remove' }).click();
  await until(async () => !('city' in ((await c.call('GET', 'endpoints/kettle-1/metadata')) as object)));
});

void t.test('one that is gone, and one that goes', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  await c.register('kettle-1');
  const page = await c.open('#/endpoints/none');
  await page.getByText('No endpoint with this id is registered').waitFor();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await page.goto(`${c.url}/console/#/endpoints/%2E%2E`);
  await page.getByText('“..” is no endpoint id.').waitFor();
  await page.goto(`${c.url}/console/#/endpoints/kettle-1`);
  await page.getByText('No metadata yet.').waitFor();
  await untilLive(page, 2);
  t.same(
    asked.filter(
      (path) => path.startsWith('/api/') && !path.includes('kettle-1') && !path.endsWith('/events'),
    ),
    [],
    'nobody was asked for what is no id',
  );
  await c.call('DELETE', 'endpoints/kettle-1');
  await page.getByText('No endpoint with this id is registered').waitFor();
  await page.getByText('unregistered').first().waitFor();
});

void t.test('relations, both ways', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  for (const id of ['box', 'lamp', 'house']) await c.register(id);
  const page = await c.open('#/endpoints/box');
  const relations = page.getByRole('region', { name: 'Relations' });
  const add = relations.getByRole('form', { name: 'Add a relation' });
  await relations.getByText('It contains no endpoint.').waitFor();
  await add.getByLabel('Other endpoint').fill('none');
  await add.getByRole('button', { name: 'Add' }).click();
  await add.getByText('endpoint-not-found').waitFor();
  await add.getByLabel('Other endpoint').fill('lamp');
  await add.getByRole('button', { name: 'Add' }).click();
  await relations.getByRole('list', { name: 'It contains' }).getByRole('link', { name: 'lamp' }).waitFor();
  await add.getByLabel('Direction').selectOption('!contains');
  await add.getByLabel('Other endpoint').fill('lamp');
  await add.getByRole('button', { name: 'Add' }).click();
  await add.getByRole('alert').waitFor();
  t.match(await add.getByRole('alert').textContent(), /relation-cycle|cycle/);
  await add.getByLabel('Other endpoint').fill('house');
  await add.getByRole('button', { name: 'Add' }).click();
  await relations.getByRole('list', { name: 'It is in' }).getByRole('link', { name: 'house' }).waitFor();
  t.match(await c.call('GET', 'endpoints/house/relations?relation=contains'), {
    content: [{ endpointId: 'box' }],
  });
  await relations.getByRole('button', { name: 'Remove the relation with lamp' }).click();
  await relations.getByText('It contains no endpoint.').waitFor();
  t.match(await c.call('GET', 'endpoints/box/relations?relation=contains'), { totalElements: 0 });
});

void t.test('what devices and people write is text, whatever it looks like', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  const script = '<img src=x onerror="alert(1)"><script>alert(2)</script>';
  const long = 'x'.repeat(5000);
  const rtl = '\u202eevil \u05e9\u05dc\u05d5\u05dd';
  const id = `k${'0123456789'.repeat(25)}`;
  await c.register(id, { script, long, rtl, constructor: 'own', nested: { [script]: [script] } });
  const { id: filterId } = (await c.call('POST', 'applications/demo/filters', {
    name: script,
    description: `${rtl}${script}`,
    mongoQuery: { metadata: { $elemMatch: { key: 'script', value: script } } },
  })) as { id: string };
  // the page shows what the endpoint matches when it is opened
  for (;;) {
    const { status } = (await c.call('GET', `applications/demo/filters/${filterId}`)) as { status: string };
    if (status === 'active') break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const page = await c.open(`#/endpoints/${id}`, { width: 360 });
  const table = page.locator('table.metadata');
  await table.getByText(JSON.stringify(script), { exact: true }).waitFor();
  await table.getByText('"own"').waitFor();
  await page.getByRole('region', { name: 'Filters that it matches' }).getByText(script).waitFor();
  for (const place of [
    '#/fleet',
    '#/filters',
    `#/filters/demo/${filterId}`,
    `#/filters/demo/${filterId}/edit`,
  ]) {
    await page.goto(`${c.url}/console/${place}`);
    await page.getByText('<img', { exact: false }).first().waitFor();
    t.equal(await page.locator('main img, main script').count(), 0, place);
    t.equal(
      await page.evaluate('document.documentElement.scrollWidth'),
      360,
      `${place} does not scroll sideways`,
    );
  }
  await page.goto(`${c.url}/console/#/endpoints/%3Cimg%20src=x%20onerror=alert(1)%3E?text=%3Cb%3E`);
  await page.getByText('<img src=x onerror=alert(1)>').first().waitFor();
  t.equal(await page.locator('main img').count(), 0);
});
