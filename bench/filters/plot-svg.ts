import type { Machine } from '../report/machine.js';
import { COLORS, text } from '../report/svg.js';
import { decadeOfMicros, micros } from './format.js';
import type { EngineId } from './engines/index.js';
import { titleOf, type Cell } from './measurement.js';
import type { Workload } from './workload.js';

const COLUMNS = 2;
const PANEL_WIDTH = 530;
const PANEL_HEIGHT = 300;
const HEAD = 66;
const INSET = { left: 62, right: 150, top: 38, bottom: 42 };
const LINES: Record<EngineId, string> = {
  register: COLORS.own,
  koncorde: '#b4552d',
  sift: '#4a6fa5',
  mingo: '#8a5a9e',
  'sift-stored': '#9db4d3',
  'mingo-stored': '#c4a9d1',
};

/** Median time of a one-key update against the number of filters, both axes logarithmic: a line an engine, a panel a workload. */
export function renderPlot(machine: Machine, workloads: readonly Workload[], cells: readonly Cell[]): string {
  const width = PANEL_WIDTH * COLUMNS;
  const height = HEAD + Math.ceil(workloads.length / COLUMNS) * PANEL_HEIGHT + 10;
  const axes = axesOf(cells);
  const panels = workloads.map((workload, i) =>
    renderPanel(
      workload,
      cells.filter((cell) => cell.workload === workload.id),
      axes,
      (i % COLUMNS) * PANEL_WIDTH,
      HEAD + Math.floor(i / COLUMNS) * PANEL_HEIGHT,
    ),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Time of a one-key update against the number of filters, for each engine and workload" font-family="system-ui, sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="${COLORS.paper}"/>
${text(24, 30, 'What a one-key update costs with so many filters', 'font-size="18" font-weight="600"')}
${text(24, 50, `${machine.date.slice(0, 10)}, Node ${machine.node}, one thread; medians, both axes logarithmic`, `fill="${COLORS.faint}"`)}
${panels.join('\n')}
</svg>
`;
}

interface Axes {
  /** decades, of microseconds */
  bottom: number;
  top: number;
  sizes: number[];
}

/** The same for all panels, so that they compare. */
function axesOf(cells: readonly Cell[]): Axes {
  const logs = cells.map(({ operations }) => Math.log10(operations.one.median));
  const bottom = Math.floor(Math.min(...logs));
  return {
    bottom,
    top: Math.max(bottom + 1, Math.ceil(Math.max(...logs))),
    sizes: [...new Set(cells.map(({ size }) => size))].sort((a, b) => a - b),
  };
}

function renderPanel(
  { id, title }: Workload,
  cells: readonly Cell[],
  { bottom, top, sizes }: Axes,
  x: number,
  y: number,
): string {
  const [left, right] = [x + INSET.left, x + PANEL_WIDTH - INSET.right];
  const [high, low] = [y + INSET.top, y + PANEL_HEIGHT - INSET.bottom];
  const span = Math.log10(sizes.at(-1)! / sizes[0]!) || 1;
  const xOf = (size: number): number => round(left + (Math.log10(size / sizes[0]!) / span) * (right - left));
  const yOf = (micro: number): number =>
    round(low - ((Math.log10(micro) - bottom) / (top - bottom)) * (low - high));
  const parts = [text(x + 24, y + 20, `${id}: ${title}`, 'font-size="13" font-weight="600"')];
  for (let decade = bottom; decade <= top; decade++) {
    const at = yOf(10 ** decade);
    parts.push(
      `<line x1="${left}" y1="${at}" x2="${right}" y2="${at}" stroke="${COLORS.line}"/>`,
      text(left - 8, at + 4, decadeOfMicros(decade), `text-anchor="end" fill="${COLORS.faint}"`),
    );
  }
  for (const size of sizes)
    parts.push(
      text(xOf(size), low + 18, size.toLocaleString('en-US'), `text-anchor="middle" fill="${COLORS.faint}"`),
    );
  parts.push(text((left + right) / 2, low + 34, 'filters', `text-anchor="middle" fill="${COLORS.faint}"`));
  const labels: Label[] = [];
  for (const engine of new Set(cells.map((cell) => cell.engine))) {
    const own = cells.filter((cell) => cell.engine === engine);
    const points = own.map(({ size, operations }) => `${xOf(size)},${yOf(operations.one.median)}`);
    const color = LINES[engine];
    parts.push(
      `<polyline points="${points.join(' ')}" fill="none" stroke="${color}" stroke-width="${engine === 'register' ? 3 : 1.8}"/>`,
      ...points.map(
        (point) => `<circle cx="${point.split(',')[0]}" cy="${point.split(',')[1]}" r="3" fill="${color}"/>`,
      ),
    );
    const last = own.at(-1)!.operations.one.median;
    labels.push({ at: yOf(last), content: `${titleOf(engine)} ${micros(last)}`, color });
  }
  for (const { at, content, color } of spread(labels))
    parts.push(text(right + 10, at + 4, content, `fill="${color}"`));
  return parts.join('\n');
}

interface Label {
  at: number;
  content: string;
  color: string;
}

/** Moved down where they would stand on one another. */
function spread(labels: readonly Label[]): Label[] {
  let least = -Infinity;
  return [...labels]
    .sort((a, b) => a.at - b.at)
    .map((label) => {
      const at = Math.max(label.at, least);
      least = at + 14;
      return { ...label, at };
    });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
