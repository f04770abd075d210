import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { killAndWait, startChild, type Child } from '../children.js';
import type { RequestRun, RequestRunResult } from '../clients/requests.js';
import { readFleet } from '../fleet.js';
import { describeMachine } from '../report/machine.js';
import { launch } from '../servers/service.js';
import { median } from '../statistics.js';
import { fillStore } from './fill-store.js';
import { createRecalculations } from './recalculations.js';

/**
 * What a recalculation of one filter takes, and what it takes from those who write and read meanwhile: each load without
 * one and with one under way the whole time, in turns.
 */
const USAGE = `npm run bench:recalculation -- [options]
  --endpoints N   in the embedded store (1000000)
  --seconds N     length of a run (10)
  --rounds N      (3)
  --only a,b      of put64, put8, get64 (all)
  --data DIR      keeps the filled store there for the next call
  --results DIR   where recalculation.json and .md go (bench/results)
  --profile DIR   runs the service with --cpu-prof`;

interface Load {
  id: string;
  name: string;
  client: Child;
  connections: number;
}

interface Row {
  load: string;
  /** absent: nothing else was done */
  recalculatedPerSecond?: number;
  result: RequestRunResult;
}

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    endpoints: text,
    seconds: text,
    rounds: text,
    only: text,
    data: text,
    results: text,
    profile: text,
    help: { type: 'boolean' },
  },
});
if (values.help === true) process.stdout.write(`${USAGE}\n`);
else await main();

async function main(): Promise<void> {
  const endpoints = Number(values.endpoints ?? 1_000_000);
  const seconds = Number(values.seconds ?? 10);
  const rounds = Number(values.rounds ?? 3);
  const machine = describeMachine('npm run bench:recalculation', process.argv.slice(2), []);
  const fleet = readFleet(Math.min(endpoints, 30_533));
  const folder = values.data ?? (await mkdtemp(join(tmpdir(), 'epr-bench-')));
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const data = `${folder}/data-${endpoints}`;
    await fillOnce(data, () => fillStore(data, fleet, endpoints));
    const { child, url, managementUrl } = await launch(
      { storageUrl: `file:${data}`, name: 'recalculation' },
      folder,
      values.profile,
    );
    ends.push(() => killAndWait(child, 'SIGTERM'));
    const recalculations = createRecalculations({ url, managementUrl });
    await recalculations.clear();
    const clients = await Promise.all(
      ['./clients/put-client.js', './clients/get-client.js'].map((module) =>
        startChild(module, { endpoints: fleet.length }),
      ),
    );
    ends.push(...clients.map((client) => () => client.kill()));
    const [puts, gets] = clients as [Child, Child];
    const all: Load[] = [
      { id: 'put64', name: 'PUT, 64 connections', client: puts, connections: 64 },
      { id: 'put8', name: 'PUT, 8 connections', client: puts, connections: 8 },
      { id: 'get64', name: 'GET, 64 connections', client: gets, connections: 64 },
    ];
    const only = values.only?.split(',');
    const loads = all.filter(({ id }) => only?.includes(id) ?? true);

    const alone: { query: string; seconds: number; members: number }[] = [];
    for (let round = 0; round < rounds; round++)
      for (const kind of ['few', 'half'] as const) {
        const one = await recalculations.one(kind);
        alone.push(one);
        tell(
          `  alone: ${one.query}: ${one.seconds.toFixed(2)} s, ${one.members} members, ${Math.round(endpoints / one.seconds)} endpoints/s`,
        );
      }
    const rows: Row[] = [];
    const run = ({ client, connections }: Load, of = seconds): Promise<RequestRunResult> =>
      client.ask('run', { contestant: 'service', url, connections, seconds: of } satisfies RequestRun);
    for (const load of loads) await run(load, 3);
    for (let round = 0; round < rounds; round++)
      for (const load of loads) {
        rows.push(told({ load: load.name, result: await run(load) }));
        for (const kind of ['few', 'half'] as const) {
          const busy = await recalculations.keepOn(kind);
          const result = await run(load);
          rows.push(
            told({
              load: `${load.name}, ${kind}`,
              result,
              recalculatedPerSecond: (await busy.end()) / seconds,
            }),
          );
        }
      }
    const report = summarize(rows, loads);
    tell(report);
    const results = values.results ?? fileURLToPath(new URL('../../../bench/results', import.meta.url));
    await mkdir(results, { recursive: true });
    await writeFile(
      `${results}/recalculation.json`,
      `${JSON.stringify({ machine, endpoints, seconds, rounds, alone, rows }, null, 2)}\n`,
    );
    tell(`\nrecalculation.json in ${results}`);
  } finally {
    for (const end of ends.reverse()) await end();
    if (values.data === undefined) await rm(folder, { recursive: true, force: true });
  }
}

async function fillOnce(data: string, fill: () => Promise<void>): Promise<void> {
  const made = await mkdir(data, { recursive: true });
  if (made === undefined) return;
  const startedMs = performance.now();
  await fill();
  tell(`  filled in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}

function told(row: Row): Row {
  const { ratePerSecond, p50Ms, p99Ms, maxMs } = figuresOf(row);
  tell(
    `  ${row.load}: ${Math.round(ratePerSecond)}/s, p50 ${p50Ms.toFixed(2)}, p99 ${p99Ms.toFixed(2)}, max ${maxMs.toFixed(1)} ms` +
      (row.recalculatedPerSecond === undefined
        ? ''
        : `, ${Math.round(row.recalculatedPerSecond)} endpoints/s recalculated`) +
      (row.result.failures > 0 ? `, ${row.result.failures} FAILED` : ''),
  );
  return row;
}

function figuresOf({ result }: Row) {
  return { ...result, ratePerSecond: result.acknowledged / result.seconds };
}

function summarize(rows: Row[], loads: Load[]): string {
  const lines = [
    '',
    '| load | meanwhile | rate | p50 | p99 | max | endpoints/s |',
    '|---|---|---|---|---|---|---|',
  ];
  for (const { name } of loads) {
    const of = (load: string) => rows.filter((row) => row.load === load).map(figuresOf);
    const base = of(name);
    const ratio = (load: string, figure: 'ratePerSecond' | 'p50Ms' | 'p99Ms' | 'maxMs') =>
      median(of(load).map((each, i) => each[figure] / base[i]![figure]));
    const figure = (key: 'ratePerSecond' | 'p50Ms' | 'p99Ms' | 'maxMs') =>
      median(base.map((each) => each[key]));
    lines.push(
      `| ${name} | nothing | ${Math.round(figure('ratePerSecond'))}/s | ${figure('p50Ms').toFixed(2)} ms | ${figure('p99Ms').toFixed(2)} ms | ${figure('maxMs').toFixed(1)} ms | |`,
    );
    for (const kind of ['few', 'half']) {
      const load = `${name}, ${kind}`;
      const speed = median(
        rows.filter((row) => row.load === load).map((row) => row.recalculatedPerSecond ?? 0),
      );
      lines.push(
        `| | ${kind} match | ${Math.round(ratio(load, 'ratePerSecond') * 100)}% | x ${ratio(load, 'p50Ms').toFixed(2)} | x ${ratio(load, 'p99Ms').toFixed(2)} | x ${ratio(load, 'maxMs').toFixed(2)} | ${Math.round(speed)} |`,
      );
    }
  }
  return lines.join('\n');
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}
