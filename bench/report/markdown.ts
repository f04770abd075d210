import { relative } from 'node:path';
import { percent, type ContestResult, type Standing } from '../contest.js';
import type { Machine } from './machine.js';

/** The table of all contests, with what was checked and on what machine. @param folder where it is to stand */
export function renderMarkdown(machine: Machine, results: ContestResult[], folder: string): string {
  return [
    '# Measurements',
    '',
    `\`${machine.command}\`, ${machine.date.slice(0, 10)}, on ${machine.processors} processors (${machine.processor}), ${machine.memoryGiB} GiB, Node ${machine.node}, ${machine.system}; fdatasync of 4 KiB takes ${machine.fsyncMs} ms; load before: ${machine.loadBefore}. What the contestants do: [docs/benchmarks.md](${relative(folder, 'docs/benchmarks.md')}).`,
    '',
    '![plot of the rates](bench.svg)',
    '',
    ...results.flatMap(renderContest),
  ].join('\n');
}

function renderContest({ title, unit, aim, standings }: ContestResult): string[] {
  return [
    `## ${title}`,
    '',
    ...(aim === undefined ? [] : [`Aim: ${aim}.`, '']),
    `| | ${unit} (least to greatest of ${standings[0]!.samples.length}) | p50 ms | p99 ms | processor µs each | of the others |`,
    '| --- | ---: | ---: | ---: | --- | --- |',
    ...standings.map(renderRow),
    '',
    ...standings.map(({ name, what, checked }) => `- **${name}**: ${what}. Checked: ${checked}.`),
    '',
  ];
}

function renderRow({
  name,
  own,
  ratePerSecond,
  samples,
  p50Ms,
  p99Ms,
  processorMicros,
  ratios,
}: Standing): string {
  const rates = samples.map((sample) => sample.ratePerSecond);
  const range = `${grouped(ratePerSecond)} (${grouped(Math.min(...rates))} to ${grouped(Math.max(...rates))})`;
  const micros = Object.entries(processorMicros)
    .map(([process, value]) => `${process} ${Math.round(value * 10) / 10}`)
    .join(', ');
  const share = ratios
    .map(
      ({ to, median, least, greatest }) =>
        `${percent(median)} of ${to} (${percent(least)} to ${percent(greatest)})`,
    )
    .join('; ');
  return `| ${own ? `**${name}**` : name} | ${range} | ${p50Ms?.toFixed(2) ?? ''} | ${p99Ms?.toFixed(2) ?? ''} | ${micros} | ${share} |`;
}

export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** The same table for a terminal. */
export function renderText(results: ContestResult[]): string {
  const lines: string[] = [];
  for (const { title, unit, standings } of results) {
    lines.push('', title);
    const rows = standings.map(({ name, ratePerSecond, p50Ms, p99Ms, ratios }) => [
      name,
      `${grouped(ratePerSecond)} ${unit}`,
      p50Ms === undefined ? '' : `p50 ${p50Ms.toFixed(2)} ms`,
      p99Ms === undefined ? '' : `p99 ${p99Ms.toFixed(2)} ms`,
      ratios.map(({ to, median }) => `${percent(median)} of ${to}`).join(', '),
    ]);
    const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
    for (const row of rows)
      lines.push(`  ${row.map((cell, i) => cell.padEnd(widths[i]!)).join('  ')}`.trimEnd());
  }
  return lines.join('\n');
}
