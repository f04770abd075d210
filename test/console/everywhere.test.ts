import type { Page } from 'playwright-core';
import t from 'tap';
import { startConsole, until, type Console } from './harness.js';

async function fill(c: Console): Promise<string> {
  for (let i = 0; i < 3; i++) await c.register(`kettle-${i}`, { city: 'Kyiv', temp: 20 + i });
  const { id } = (await c.call('POST', 'applications/demo/filters', {
    name: 'in Kyiv',
    description: 'By their city',
    mongoQuery: { metadata: { $elemMatch: { key: 'city', value: 'Kyiv' } } },
  })) as { id: string };
  await until(async () =>
    JSON.stringify(await c.call('GET', `applications/demo/filters/${id}`)).includes('"active"'),
  );
  return id;
}

/** Each view, and what stands on it when it is there. */
const views = (id: string): readonly [place: string, ready: string][] => [
  ['#/', 'Newest events'],
  ['#/fleet', '3 endpoints'],
  ['#/endpoints/kettle-1', '"Kyiv"'],
  ['#/filters', '1 filter'],
  [`#/filters/demo/${id}`, 'kettle-2'],
  [`#/filters/demo/${id}/edit`, '3 of 3 endpoints match'],
  ['#/nowhere', 'There is nothing at this address'],
];

void t.test('on a phone nothing scrolls sideways, and a finger hits what it aims at', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  const id = await fill(c);
  const page = await c.open('', { width: 360, height: 740 });
  for (const [place, ready] of views(id)) {
    await page.goto(`${c.url}/console/${place}`);
    await page.getByText(ready).first().waitFor();
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), 360, place);
    const small = await page.evaluate(`[...document.querySelectorAll('button, select, input, .bar nav a')]
      .map((each) => [each.closest('.tick-area') ?? each, each])
      .filter(([area]) => area.checkVisibility() && area.getBoundingClientRect().height < 44)
      .map(([, each]) => each.outerHTML.slice(0, 100))`);
    t.same(small, [], `${place}: 44 px`);
  }
  await page.goto(`${c.url}/console/#/fleet`);
  await page.getByRole('button', { name: 'Register an endpoint' }).click();
  await page.getByRole('dialog').waitFor();
  t.equal(await page.evaluate('document.documentElement.scrollWidth'), 360, 'with a dialog');
});

void t.test('every control has a name, every view one heading, tables have headers', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  const id = await fill(c);
  const page = await c.open();
  for (const [place, ready] of views(id)) {
    await page.goto(`${c.url}/console/${place}`);
    await page.getByText(ready).first().waitFor();
    t.equal(await page.getByRole('heading', { level: 1 }).count(), 1, `${place}: one h1`);
    t.equal(await page.getByRole('main').count(), 1);
    t.equal(await page.getByRole('navigation', { name: 'Main' }).count(), 1);
    t.match(await page.title(), /\S · Endpoint register$/);
    const snapshot = await page.locator('body').ariaSnapshot();
    t.notMatch(
      snapshot,
      /- (button|link|textbox|searchbox|combobox|checkbox|dialog|region|form|img|table)(:| \[[^\]]*\])*$/m,
      `${place}: all have names`,
    );
    t.equal(await page.locator('th:not([scope])').count(), 0, `${place}: headers say of what`);
    const ids: string[] = await page.evaluate(
      `[...document.querySelectorAll('[id]')].map((each) => each.id)`,
    );
    t.equal(new Set(ids).size, ids.length, `${place}: ids are unique`);
  }
});

void t.test('the colours: of the system, or chosen, which is remembered; with enough contrast', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  const id = await fill(c);
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await c.open('#/', { colorScheme });
    for (const [place, ready] of views(id)) {
      await page.goto(`${c.url}/console/${place}`);
      await page.getByText(ready).first().waitFor();
      t.same(await page.evaluate(LOW_CONTRAST), [], `${colorScheme} ${place}: 4.5 to 1`);
    }
    const background = () => page.evaluate('getComputedStyle(document.documentElement).backgroundColor');
    const before = await background();
    const button = page.getByRole('button', { name: /^Colours: system/ });
    await button.click();
    const chosen = page.getByRole('button', { name: /^Colours: light/ });
    if (colorScheme === 'dark') t.not(await background(), before);
    await chosen.click();
    const dark = await background();
    await page.reload();
    await page.getByRole('button', { name: /^Colours: dark/ }).waitFor();
    t.equal(await background(), dark, 'after a reload');
    t.match(dark, /^rgb\((1|2)\d, /);
  }
});

/** Texts whose colour is too near to what is behind them. Runs in the page. */
const LOW_CONTRAST = `(() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let each = element; each !== null; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.5) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (walker.currentNode.data.trim() === '' || !element.checkVisibility()) continue;
    if (element.closest('.mirror, .visually-hidden, .said, option, noscript, .skip') !== null) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) found.push(element.outerHTML.slice(0, 120) + ' ' + contrast.toFixed(2));
  }
  return found;
})()`;

void t.test('by keyboard alone: from the top of the page to a changed key and back', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  await fill(c);
  const page = await c.open('#/');
  await page.getByText('Newest events').waitFor();
  await page.keyboard.press('Tab');
  t.equal(await focused(page), 'Skip to the content');
  await page.keyboard.press('Enter');
  t.equal(await page.evaluate('document.activeElement.id'), 'main');
  await page.keyboard.press('Shift+Tab');
  await tabTo(page, 'Fleet', 'Shift+Tab');
  t.ok(
    await page.evaluate(`getComputedStyle(document.activeElement).outlineStyle !== 'none'`),
    'is seen to have the focus',
  );
  await page.keyboard.press('Enter');
  await page.getByText('3 endpoints').waitFor();
  t.equal(await focused(page), 'Fleet', 'the focus is on the heading of the new view');
  await tabTo(page, 'kettle-1');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'kettle-1' }).waitFor();
  await page.getByRole('button', { name: 'Edit temp' }).waitFor();
  await tabTo(page, 'Edit temp');
  await page.keyboard.press('Enter');
  await page.getByLabel('Value of temp').waitFor();
  t.equal(await page.evaluate('document.activeElement.tagName'), 'TEXTAREA', 'it is written in at once');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('77');
  await page.keyboard.press('Escape');
  await page.getByText('What you wrote is not saved.').waitFor();
  t.equal(await page.getByLabel('Value of temp').inputValue(), '77', 'a draft is not thrown away unasked');
  await page.keyboard.press('Control+Enter');
  await page.locator('table.metadata').getByText('77').waitFor();
  await until(async () => (await focused(page)) === 'Edit temp');
  await tabTo(page, 'Delete …', 'Shift+Tab');
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  for (let i = 0; i < 8; i++) {
    await page.keyboard.press('Tab');
    const inside = await page.evaluate(
      `document.activeElement === document.body || document.activeElement.closest('dialog') !== null`,
    );
    t.ok(inside, 'the dialog keeps the focus');
  }
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  t.equal(await focused(page), 'Delete …', 'and gives it back');
  t.match(await c.call('GET', 'endpoints/kettle-1/metadata'), { temp: 77 });
});

/** The name of what has the focus. */
function focused(page: Page): Promise<string> {
  return page.evaluate(
    `(document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent).trim()`,
  );
}

async function tabTo(page: Page, name: string, key = 'Tab'): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if ((await focused(page)) === name) return;
    await page.keyboard.press(key);
  }
  throw new Error(`${name} can not be reached by ${key}`);
}

void t.test('under another prefix, and with what a proxy puts before it', async (t) => {
  const c = await startConsole(t);
  if (c === undefined) return;
  await fill(c);
  const page = await c.open('?a=1#/fleet', { path: '/epr/console' });
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await page.reload();
  await page.getByText('3 endpoints').waitFor();
  t.match(page.url(), /\/epr\/console\/\?a=1#\/fleet$/);
  t.ok(asked.length > 3);
  t.ok(
    asked.every((path) => path.startsWith('/epr/')),
    asked.join(' '),
  );
});
