import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../options.js';
import { describeMachine } from '../report/machine.js';
import { judge } from './bar.js';
import { micros } from './format.js';
import { findKoncorde, KONCORDE_VERSION } from './koncorde-package.js';
import { measureSize, titleOf, type Cell } from './measurement.js';
import { readFilterOptions } from './options.js';
import { renderPlot } from './plot-svg.js';
import { renderMarkdown, renderText } from './report.js';
import { WORKLOADS } from './workload.js';

const tell = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(args: string[]): Promise<void> {
  const options = readFilterOptions(
    args,
    fileURLToPath(new URL('../../../bench/results/filters', import.meta.url)),
  );
  const wantsKoncorde = options.engines.includes('koncorde');
  const koncordeFolder = wantsKoncorde ? await findKoncorde(tell) : undefined;
  const machine = describeMachine('npm run bench:filters', args, ['sift', 'mingo']);
  if (koncordeFolder !== undefined) machine.versions['koncorde'] = KONCORDE_VERSION;
  tell(
    `${machine.processors} processors (${machine.processor}), load ${machine.loadBefore}, Node ${machine.node}`,
  );
  if (machine.loadBefore > machine.processors / 4)
    tell('The machine is busy with something else: only the ratios say something, and they with care.');
  const startedMs = performance.now();
  const workloads = WORKLOADS.filter(({ id }) => options.only.includes(id));
  const cells: Cell[] = [];
  for (const workload of workloads) {
    tell(`\n${workload.id}: ${workload.title}`);
    for (const size of options.sizes) {
      const found = await measureSize(workload, size, {
        options,
        tell,
        ...(koncordeFolder === undefined ? {} : { koncordeFolder }),
      });
      cells.push(...found);
      const medians = found.map(
        ({ engine, operations }) => `${titleOf(engine)} ${micros(operations.one.median)}`,
      );
      tell(`  ${size.toLocaleString('en-US')} filters, one-key update: ${medians.join(', ')}`);
    }
  }
  const aims = judge(cells);
  tell(renderText(workloads, cells, aims));
  const { resultsFolder } = options;
  await mkdir(resultsFolder, { recursive: true });
  await writeFile(
    join(resultsFolder, 'bench.json'),
    `${JSON.stringify({ machine, options: { ...options, resultsFolder: undefined }, aims, cells }, null, 2)}\n`,
  );
  await writeFile(join(resultsFolder, 'bench.md'), renderMarkdown(machine, workloads, cells, aims));
  await writeFile(join(resultsFolder, 'bench.svg'), renderPlot(machine, workloads, cells));
  const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1);
  tell(
    `\n${minutes} minutes. Table, plot and all figures: bench.md, bench.svg, bench.json in ${resultsFolder}`,
  );
  const expected = options.engines.length * workloads.length * options.sizes.length;
  if (cells.length < expected) process.exitCode = 1;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof UsageError;
  process.stderr.write(`${isUsage ? error.message : ((error as Error).stack ?? String(error))}\n`);
  process.exitCode = 1;
}
