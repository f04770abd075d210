import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runContest, type ContestResult } from './contest.js';
import { connectedContests } from './contests/connected.js';
import { embeddedPuts } from './contests/embedded-puts.js';
import { filterPuts, filterPutsAlone, filterPutsCalm } from './contests/filter-puts.js';
import { keyBatches } from './contests/key-batches.js';
import { metadataGets } from './contests/metadata-gets.js';
import { mongoPuts } from './contests/mongo-puts.js';
import { ndjsonObservations, ndjsonReadings } from './contests/ndjson.js';
import { relay } from './contests/relay.js';
import { securedGets } from './contests/secured-gets.js';
import { slowClients } from './contests/slow-clients.js';
import { tokenImports } from './contests/token-imports.js';
import { readFleet, type Station } from './fleet.js';
import { readOptions, UsageError, type BenchOptions } from './options.js';
import { describeMachine } from './report/machine.js';
import { renderMarkdown, renderText } from './report/markdown.js';
import { renderPlot } from './report/plot.js';

const CONTESTS = [
  embeddedPuts,
  mongoPuts,
  metadataGets,
  ...connectedContests,
  keyBatches,
  ndjsonObservations,
  ndjsonReadings,
  filterPuts,
  filterPutsAlone,
  filterPutsCalm,
  tokenImports,
  relay,
  slowClients,
  securedGets,
];

const PACKAGES = ['uWebSockets.js', 'fastify', 'lmdb', 'mongodb', 'nats', 'piscina', 'autocannon'];

const tell = (line: string): void => void process.stdout.write(`${line}\n`);

/** Runs one contest in a folder of its own, and ends whatever it started. */
async function runOne(
  contest: (typeof CONTESTS)[number],
  options: BenchOptions,
  fleet: readonly Station[],
): Promise<ContestResult | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'epr-bench-'));
  const ends: (() => Promise<unknown> | void)[] = [];
  const { connections, messages, alerts, profileFolder } = options;
  try {
    return await runContest(
      contest,
      {
        fleet,
        connections,
        messages,
        alerts,
        folder,
        ...(profileFolder === undefined ? {} : { profileFolder }),
        teardown: (end) => void ends.push(end),
        tell,
      },
      options,
    );
  } finally {
    for (const end of ends.reverse()) await end();
    await rm(folder, { recursive: true, force: true });
  }
}

async function main(args: string[]): Promise<void> {
  const defaultResults = fileURLToPath(new URL('../../bench/results', import.meta.url));
  const options = readOptions(
    args,
    CONTESTS.map(({ id }) => id),
    defaultResults,
  );
  const machine = describeMachine('npm run bench', args, PACKAGES);
  tell(
    `${machine.processors} processors (${machine.processor}), load ${machine.loadBefore}, fdatasync of 4 KiB ${machine.fsyncMs} ms, Node ${machine.node}`,
  );
  if (machine.loadBefore > machine.processors / 4)
    tell('The machine is busy with something else: only the ratios say something, and they with care.');
  const fleet = readFleet(options.endpoints);
  const results: ContestResult[] = [];
  for (const contest of CONTESTS.filter(({ id }) => options.only.includes(id))) {
    const result = await runOne(contest, options, fleet);
    if (result !== undefined) results.push(result);
  }
  tell(renderText(results));
  const { resultsFolder } = options;
  await mkdir(resultsFolder, { recursive: true });
  await writeFile(
    join(resultsFolder, 'bench.json'),
    `${JSON.stringify({ machine, options: { ...options, resultsFolder: undefined, profileFolder: undefined }, results }, null, 2)}\n`,
  );
  await writeFile(join(resultsFolder, 'bench.md'), renderMarkdown(machine, results, resultsFolder));
  await writeFile(join(resultsFolder, 'bench.svg'), renderPlot(machine, results));
  tell(`\nTable, plot and all figures: bench.md, bench.svg, bench.json in ${resultsFolder}`);
  if (results.length < options.only.length) process.exitCode = 1;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(
    `${error instanceof UsageError ? error.message : ((error as Error).stack ?? String(error))}\n`,
  );
  process.exitCode = 1;
}
