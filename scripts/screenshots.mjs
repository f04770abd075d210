/**
 * Takes the pictures of the console in docs/, from the weather stations and observations of examples/weather:
 *
 *   npm run screenshots
 *
 * Needs a Chromium (CHROMIUM_PATH, or /usr/bin/chromium); takes about four minutes, for a chart that has something to show.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { formatJson } from '../build/src/console/format.js';
import { startRegister } from '../build/src/cli/demo/start-register.js';

const APPLICATION = 'weather';
const WEATHER = new URL('../examples/weather/', import.meta.url);
const DOCS = new URL('../docs/', import.meta.url);
const MAIN = fileURLToPath(new URL('../build/src/main.js', import.meta.url));
const CHART_MS = Number(process.env['CHART_MS'] ?? 200_000);
const STATION = 'LOWW';
const QUERY = {
  $and: [
    { metadata: { $elemMatch: { key: 'wind_speed_kt', value: { $gte: 20 } } } },
    { metadata: { $elemMatch: { key: 'temp_c', value: { $lt: 10 } } } },
    { metadata: { $elemMatch: { key: 'flight_category', value: { $in: ['IFR', 'LIFR', 'MVFR'] } } } },
  ],
};

const folder = await mkdtemp(join(tmpdir(), 'epr-screenshots-'));
const register = await startRegister(folder, {
  'storage.url': `file:${join(folder, 'data')}`,
  [`kaa.applications.${APPLICATION}.versions.weather-v1`]: '',
  [`kaa.applications.${APPLICATION}.versions.weather-v2`]: '',
});
const { origin } = register.url;
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM_PATH'] || '/usr/bin/chromium',
});
const over = new AbortController();
try {
  await epr('import', fileURLToPath(new URL('stations.ndjson.gz', WEATHER)), '--restart');
  await epr('filters', fileURLToPath(new URL('filters.json', WEATHER)), '--yes');
  const observations = await readObservations();
  await send(observations.splice(0, 9000));
  const replay = replaySlowly(observations);

  const overview = await open('#/', 'light', 1280, 860);
  await pause(CHART_MS);
  await save(overview, 'console-overview.png');

  const metadata = '{"temp_c":{"$gt":28}}';
  const keys = 'name,country,temp_c,wind_speed_kt,flight_category';
  const search = new URLSearchParams({ app: APPLICATION, metadata, keys });
  const fleet = await open(`#/fleet?${search}`, 'light', 1280, 720);
  await fleet.getByRole('table').waitFor();
  await save(fleet, 'console-fleet.png');

  const endpoint = await open(`#/endpoints/${STATION}`, 'dark', 1280, 800);
  await endpoint.getByText('temp_c').first().waitFor();
  for (const temperature of [9, 12.5, 11]) {
    const { observed } = await getMetadata();
    await send([
      {
        endpointId: STATION,
        set: { temp_c: temperature, wind_speed_kt: Math.round(temperature * 2.6), observed },
      },
    ]);
    await pause(1200);
  }
  await endpoint.getByRole('button', { name: 'Edit flight_category' }).click();
  await save(endpoint, 'console-endpoint.png');

  const filter = await open(`#/filters/${APPLICATION}/new`, 'light', 1280, 860);
  await filter.getByLabel('Name').fill('cold-gale-low-visibility');
  await filter.getByLabel('Description').fill('Cold, windy, and pilots need instruments');
  await filter.getByLabel('Query', { exact: true }).fill(formatJson(QUERY));
  await filter.getByText('Some that match').first().waitFor();
  await save(filter, 'console-filter.png');

  const phone = await open('#/', 'dark', 390, 844);
  await pause(15_000);
  await save(phone, 'console-phone.png');
  over.abort();
  await replay;
} finally {
  over.abort();
  await browser.close();
  await register.stop();
  await rm(folder, { recursive: true, force: true });
}

async function open(place, colorScheme, width, height) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme });
  const page = await context.newPage();
  await page.goto(`${origin}/console/${place}`);
  return page;
}

async function save(page, name) {
  await pause(1000);
  await page.screenshot({ path: fileURLToPath(new URL(name, DOCS)) });
  console.log(`docs/${name}`);
  await page.context().close();
}

function epr(command, file, ...flags) {
  const child = spawn(process.execPath, [MAIN, command, file, '--url', origin, ...flags], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`epr ${command}: ${code}`))));
  });
}

async function readObservations() {
  const text = gunzipSync(await readFile(new URL('observations.ndjson.gz', WEATHER))).toString();
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

async function send(items) {
  for (let at = 0; at < items.length; at += 1000) {
    const answer = await fetch(`${origin}/api/v1/endpoints/metadata/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(items.slice(at, at + 1000)),
    });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  }
}

async function getMetadata() {
  return (await fetch(`${origin}/api/v1/endpoints/${STATION}/metadata`)).json();
}

/** Some 20 to 120 a second, as stations report: more at some times than at others. */
async function replaySlowly(items) {
  for (let tick = 0; items.length > 0 && !over.signal.aborted; tick++) {
    const wave = 1 + Math.sin(tick / 160) * 0.55 + Math.sin(tick / 37) * 0.2;
    await send(items.splice(0, Math.max(1, Math.round(14 * wave + Math.random() * 5))));
    await pause(200);
  }
}
