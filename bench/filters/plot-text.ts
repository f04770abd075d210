import { decadeOfMicros } from './format.js';
import { titleOf, type Cell } from './measurement.js';

const WIDTH = 61;
const ROWS_A_DECADE = 3;

/** Lines of a plot of one workload: median time of a one-key update against the number of filters, both axes logarithmic. */
export function drawPlot(cells: readonly Cell[]): string[] {
  if (cells.length === 0) return [];
  const engines = [...new Set(cells.map(({ engine }) => engine))];
  const medians = cells.map(({ operations }) => Math.log10(operations.one.median));
  const sizes = cells.map(({ size }) => Math.log10(size));
  const [bottom, top] = [Math.floor(Math.min(...medians)), Math.ceil(Math.max(...medians))];
  const [left, right] = [Math.min(...sizes), Math.max(...sizes)];
  const height = Math.max(1, top - bottom) * ROWS_A_DECADE + 1;
  const grid = Array.from({ length: height }, () => Array<string>(WIDTH).fill(' '));
  const columnOf = (size: number): number =>
    right === left ? 0 : Math.round(((Math.log10(size) - left) / (right - left)) * (WIDTH - 1));
  const rowOf = (log: number): number => height - 1 - Math.round((log - bottom) * ROWS_A_DECADE);
  for (const engine of engines) {
    const points = cells
      .filter((cell) => cell.engine === engine)
      .map(({ size, operations }) => ({ x: columnOf(size), log: Math.log10(operations.one.median) }));
    for (let i = 1; i < points.length; i++) drawLine(grid, points[i - 1]!, points[i]!, rowOf);
  }
  for (const { engine, size, operations } of cells)
    grid[rowOf(Math.log10(operations.one.median))]![columnOf(size)] = letterOf(engine);
  const lines = grid.map((row, i) => {
    const isDecade = (height - 1 - i) % ROWS_A_DECADE === 0;
    const label = isDecade ? decadeOfMicros(bottom + (height - 1 - i) / ROWS_A_DECADE) : '';
    return `${label.padStart(9)} |${row.join('')}`.trimEnd();
  });
  const axis = Array<string>(WIDTH + 8).fill(' ');
  for (const size of new Set(cells.map((cell) => cell.size)))
    [...size.toLocaleString('en-US')].forEach((character, i) => (axis[columnOf(size) + i] = character));
  return [
    'one-key update, median, against the number of filters',
    ...lines,
    `${' '.repeat(10)}+${'-'.repeat(WIDTH)}`,
    `${' '.repeat(11)}${axis.join('')}`.trimEnd(),
    `${' '.repeat(11)}${engines.map((engine) => `${letterOf(engine)} ${titleOf(engine)}`).join(', ')}`,
  ];
}

interface Point {
  x: number;
  log: number;
}

function drawLine(grid: string[][], from: Point, to: Point, rowOf: (log: number) => number): void {
  for (let x = from.x + 1; x < to.x; x++) {
    const log = from.log + ((to.log - from.log) * (x - from.x)) / (to.x - from.x);
    grid[rowOf(log)]![x] = '.';
  }
}

function letterOf(engine: Cell['engine']): string {
  const letter = engine === 'register' ? 'E' : engine[0]!.toUpperCase();
  return engine.endsWith('stored') ? letter.toLowerCase() : letter;
}
