import { grouped } from '../report/markdown.js';
import type { Machine } from '../report/machine.js';
import type { Aim } from './bar.js';
import { ENGINES } from './engines/index.js';
import { megabytes, micros } from './format.js';
import { titleOf, type Cell } from './measurement.js';
import { drawPlot } from './plot-text.js';
import type { Workload } from './workload.js';

const HEADS = [
  'filters',
  'engine',
  'one key: median',
  'p99',
  'ten keys: median',
  'p99',
  'registration: median',
  'p99',
  'flips of one key',
  'build',
  'add one: median',
  'p99',
  'remove one: median',
  'p99',
  'memory',
  'of it the filters',
  'heap',
  'outside of it',
];

/** Rows of a table of one workload, by size. */
function rowsOf(cells: readonly Cell[]): string[][] {
  return cells.map(({ size, engine, operations, buildMs, add, remove, empty, full }) => [
    grouped(size),
    titleOf(engine),
    ...Object.values(operations).flatMap(({ median, p99 }) => [micros(median), micros(p99)]),
    String(operations.one.meanFound),
    micros(buildMs * 1000),
    micros(add.median),
    micros(add.p99),
    micros(remove.median),
    micros(remove.p99),
    megabytes(full.rss),
    megabytes(full.rss - empty.rss),
    megabytes(full.heapUsed),
    megabytes(full.external),
  ]);
}

const verdict = ({ isReached }: Aim): string =>
  isReached === undefined ? 'not measured' : isReached ? 'reached' : 'missed';

/** Tables, plots and aims for a terminal. */
export function renderText(
  workloads: readonly Workload[],
  cells: readonly Cell[],
  aims: readonly Aim[],
): string {
  const lines: string[] = [];
  for (const { id, title } of workloads) {
    const own = cells.filter(({ workload }) => workload === id);
    lines.push('', `${id}: ${title}`, ...alignColumns([HEADS, ...rowsOf(own)]), '', ...drawPlot(own));
  }
  lines.push('', 'Aims', ...alignColumns(aims.map((aim) => [verdict(aim), aim.aim, aim.figures])));
  return lines.join('\n');
}

function alignColumns(rows: readonly string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i]!)).join('  ')}`.trimEnd());
}

export function renderMarkdown(
  machine: Machine,
  workloads: readonly Workload[],
  cells: readonly Cell[],
  aims: readonly Aim[],
): string {
  const engines = new Set(cells.map(({ engine }) => engine));
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return [
    '# Filters: measurements',
    '',
    `\`${machine.command}\`, ${machine.date.slice(0, 10)}, on ${machine.processors} processors (${machine.processor}), ${machine.memoryGiB} GiB, Node ${machine.node}, ${machine.system}; ${versions.join(', ')}; load before: ${machine.loadBefore}. How it is measured: [docs/benchmarks.md](../../../docs/benchmarks.md#filters-alone).`,
    '',
    '![plot of the times of an update against the number of filters](bench.svg)',
    '',
    '| aim | | measured |',
    '| --- | --- | --- |',
    ...aims.map((aim) => `| ${aim.aim} | ${verdict(aim)} | ${aim.figures} |`),
    '',
    ...workloads.flatMap(({ id, title }) => [
      `## ${id}: ${title}`,
      '',
      ...tableOf(rowsOf(cells.filter(({ workload }) => workload === id))),
      '',
      '```text',
      ...drawPlot(cells.filter(({ workload }) => workload === id)),
      '```',
      '',
    ]),
    ...ENGINES.filter(({ id }) => engines.has(id)).map(({ title, what }) => `- **${title}**: ${what}.`),
    '',
    'Memory is resident memory of the process after it was built and a collection of garbage, documents included.',
    '',
  ].join('\n');
}

function tableOf(rows: readonly string[][]): string[] {
  return [
    `| ${HEADS.join(' | ')} |`,
    `|${HEADS.map((_, i) => (i === 1 ? ' --- |' : ' ---: |')).join('')}`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ];
}
