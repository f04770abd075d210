import t from 'tap';
import { startConsole, untilLive } from './harness.js';

void t.test('a filter is written with a preview, and fills up live', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  for (let i = 0; i < 10; i++) await c.register(`k-${i}`, { temp: i * 10, city: 'Kyiv' });
  const page = await c.open('#/filters');
  await page.getByText('No filter is saved yet.').waitFor();
  await page.getByRole('link', { name: 'New filter' }).first().click();
  const query = page.getByLabel('Query', { exact: true });
  const preview = page.getByRole('region', { name: 'Preview' });

  await query.fill('{"metadata": {');
  await page.getByText('"}" is missing at the end').waitFor();
  await query.fill(
    '{\n"$and": [\n{"metadata": {"$elemMatch": {"key": "temp", "value": {"$near": 1}}}},\n{"a": {"$foo": 1}}]}',
  );
  const faults = page.getByLabel('What is wrong in the query');
  await faults.getByText('$near').first().waitFor();
  await faults.getByText('/$and/0/metadata/$elemMatch/value/$near').waitFor();
  t.ok(await page.getByRole('button', { name: 'Save' }).isDisabled());
  await faults.getByRole('button', { name: 'Line 3' }).click();
  t.equal(
    await page.evaluate(
      '(({value, selectionStart, selectionEnd}) => value.slice(selectionStart, selectionEnd))(document.activeElement)',
    ),
    '"$near": 1',
    'the place is selected',
  );
  t.equal(await page.locator('.mirror mark').first().textContent(), '"$near": 1', 'and marked');

  await query.fill('{"temp": 70}');
  await preview.getByRole('note').getByText('{"key": "temp", "value": 70}').waitFor();
  await query.fill('{"metadata": {"$elemMatch": {"key": "temp", "value": {"$gte": 70}}}}');
  await preview.getByText('3 of 10 endpoints match (30%)').waitFor();
  t.equal(await preview.getByRole('note').count(), 0, 'a hint that was followed is gone');
  await preview
    .getByRole('table', { name: 'What each condition lets through' })
    .getByText('"$gte":70')
    .waitFor();
  await preview.getByRole('link', { name: 'k-9' }).waitFor();
  await preview.getByText('Evaluated again only when one of these changes: temp.').waitFor();
  await page.getByLabel('Name').fill('hot');
  await page.getByRole('button', { name: 'Save' }).click();

  await page.getByRole('heading', { name: 'hot', level: 1 }).waitFor();
  await page.getByText('active', { exact: true }).waitFor();
  const count = page.getByRole('status', { name: 'Member count' });
  const members = page.getByRole('table', { name: 'Members' });
  await count.getByText('3', { exact: true }).waitFor();
  await untilLive(page, 2);
  for (let i = 0; i < 5; i++) await c.set(`k-${i}`, 'temp', 90 + i);
  await count.getByText('8', { exact: true }).waitFor();
  await members.getByRole('link', { name: 'k-0' }).waitFor();
  await page.getByText('now matches').nth(4).waitFor();
  await c.set('k-9', 'temp', 1);
  await c.call('DELETE', 'endpoints/k-8');
  await count.getByText('6', { exact: true }).waitFor();
  await members.getByRole('link', { name: 'k-9' }).waitFor({ state: 'detached' });
  await page.getByText('no longer matches').nth(1).waitFor();

  await page.getByRole('link', { name: 'Filters', exact: true }).click();
  await page.getByRole('row', { name: /hot active 6/ }).waitFor();
  await c.set('k-7', 'temp', 0);
  await page.getByRole('row', { name: /hot active 5/ }).waitFor();
});

void t.test('a filter is changed, refused and deleted', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  await c.register('k-1', { temp: 95 });
  const mongoQuery = { metadata: { $elemMatch: { key: 'temp', value: { $gt: 90 } } } };
  await c.call('POST', 'applications/demo/filters', { name: 'taken', mongoQuery });
  const { id } = (await c.call('POST', 'applications/demo/filters', { name: 'hot', mongoQuery })) as {
    id: string;
  };
  const page = await c.open(`#/filters/demo/${id}`);
  await page.getByRole('link', { name: 'k-1' }).waitFor();
  await page.getByRole('link', { name: 'Edit' }).click();
  t.same(JSON.parse(await page.getByLabel('Query', { exact: true }).inputValue()), mongoQuery);
  await page.getByLabel('Name').fill('taken');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('alert').getByText('name').waitFor();
  await page.getByLabel('Name').fill('very hot');
  await page
    .getByLabel('Query', { exact: true })
    .fill('{"metadata": {"$elemMatch": {"key": "temp", "value": {"$gt": 99}}}}');
  await c.call('PATCH', `applications/demo/filters/${id}`, { description: 'somebody else' });
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Somebody else changed this filter meanwhile (412).').waitFor();
  const conflict = page.getByRole('alert').filter({ hasText: '412' });
  await conflict.getByText('somebody else', { exact: true }).waitFor();
  t.match(await conflict.textContent(), /Name now.*You wantvery hot.*Query now.*You want.*99/s);
  await page.getByRole('link', { name: 'Keep theirs' }).click();
  await page.getByText('somebody else').waitFor();
  await page.getByRole('link', { name: 'Edit' }).click();
  await page
    .getByLabel('Query', { exact: true })
    .fill('{"metadata": {"$elemMatch": {"key": "temp", "value": {"$gt": 99}}}}');
  await c.call('PATCH', `applications/demo/filters/${id}`, { description: 'somebody else again' });
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('button', { name: 'Save mine over it' }).click();
  await page.getByText('No endpoint matches now.').waitFor();
  await c.set('k-1', 'temp', 100);
  await page.getByRole('link', { name: 'k-1' }).first().waitFor();
  await page.getByRole('button', { name: 'Delete …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('heading', { name: 'Filters', level: 1 }).waitFor();
  await page.getByRole('link', { name: 'taken' }).waitFor();
  t.equal(await page.getByRole('link', { name: 'hot' }).count(), 0);
});

void t.test('filters that are made, changed and deleted elsewhere are seen', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  for (const temp of [1, 50, 95]) await c.register(`k-${temp}`, { temp });
  const above = (than: number) => ({ metadata: { $elemMatch: { key: 'temp', value: { $gt: than } } } });
  const page = await c.open('#/filters');
  await page.getByText('No filter is saved yet.').waitFor();
  await untilLive(page, 1);
  const { id } = (await c.call('POST', 'applications/demo/filters', {
    name: 'hot',
    mongoQuery: above(90),
  })) as { id: string };
  await page.getByRole('row', { name: /^hot active 1/ }).waitFor();
  const one = await c.open(`#/filters/demo/${id}`);
  await one.getByRole('heading', { name: 'hot', level: 1 }).waitFor();
  await untilLive(one, 2);
  const path = `applications/demo/filters/${id}`;
  await c.call('PATCH', path, { mongoQuery: above(10) });
  await page.getByRole('row', { name: /^hot active 2/ }).waitFor();
  await one.getByRole('status', { name: 'Member count' }).getByText('2', { exact: true }).waitFor();
  await c.call('PATCH', path, { name: 'warm', description: 'said later' });
  await page.getByRole('row', { name: /^warm said later active 2/ }).waitFor();
  await one.getByRole('heading', { name: 'warm', level: 1 }).waitFor();
  await c.call('DELETE', path);
  await page.getByText('No filter is saved yet.').waitFor();
  await one.getByText('There is no such filter, or not any more.').waitFor();
});
