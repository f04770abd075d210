import { startChild, type Child } from '../children.js';
import { median, percentile } from '../statistics.js';
import type { Built, CellSetup, Changed, Measured, MeasureRequest, Memory, OperationKind } from './cell.js';
import { ENGINES, type EngineId } from './engines/index.js';
import type { FilterBenchOptions } from './options.js';
import type { Workload } from './workload.js';

/** Times of one kind of operation in microseconds. */
export interface Figures {
  count: number;
  median: number;
  p99: number;
  most: number;
}

export interface OperationFigures extends Figures {
  /** medians of the rounds */
  rounds: number[];
  /** flips of an update, or matches of a registration */
  meanFound: number;
}

/** What one engine came to with one workload and size. */
export interface Cell {
  workload: string;
  size: number;
  engine: EngineId;
  buildMs: number;
  empty: Memory;
  full: Memory;
  /** after all operations */
  end: Memory;
  operations: Record<OperationKind, OperationFigures>;
  add: Figures;
  remove: Figures;
}

export interface Surroundings {
  options: FilterBenchOptions;
  koncordeFolder?: string;
  tell: (line: string) => void;
}

export const KINDS: readonly OperationKind[] = ['one', 'ten', 'registration'];
const AT_LEAST = 5;
const CHANGES = 500;
const WARM_UP_SHARE = 0.2;

interface Running {
  id: EngineId;
  child: Child;
  built: Built;
  measured: Record<OperationKind, Measured[]>;
}

/**
 * Measures all engines with one workload and size: each is built, all are asked the same and must answer the same; then
 * they take turns, A B C A B C. One that fails is left out, and told.
 * @throws Error if they don't agree
 */
export async function measureSize(
  workload: Workload,
  size: number,
  { options, koncordeFolder, tell }: Surroundings,
): Promise<Cell[]> {
  const running: Running[] = [];
  const children: Child[] = [];
  try {
    for (const id of options.engines) {
      if (id === 'koncorde' && koncordeFolder === undefined) continue;
      const setup: CellSetup = {
        engine: id,
        workload: workload.id,
        size,
        ...(koncordeFolder === undefined ? {} : { koncordeFolder }),
      };
      try {
        const child = await startChild('./filters/cell.js', setup);
        children.push(child);
        const built = await child.ask<Built>('build');
        running.push({ id, child, built, measured: { one: [], ten: [], registration: [] } });
      } catch (error) {
        tell(`  ${id} is left out with ${size} filters: ${(error as Error).message}`);
      }
    }
    await compareAnswers(running, size, 3, 'with all filters');
    for (const kind of KINDS) await measureKind(running, kind, options);
    const changes: Changed[] = [];
    for (const { child } of running)
      changes.push(await child.ask<Changed>('change', { count: Math.min(CHANGES, Math.floor(size / 2)) }));
    await compareAnswers(running, size, 5, 'after filters were added and removed');
    const cells: Cell[] = [];
    for (const [i, one] of running.entries())
      cells.push(cellOf(workload, size, one, changes[i]!, await one.child.ask<Memory>('memory')));
    return cells;
  } finally {
    for (const child of children) await child.kill();
  }
}

async function measureKind(
  running: readonly Running[],
  kind: OperationKind,
  { budgetMs, rounds }: FilterBenchOptions,
): Promise<void> {
  const ask = ({ child }: Running, budget: number, atLeast: number): Promise<Measured> =>
    child.ask<Measured>('measure', { kind, budgetMs: budget, atLeast } satisfies MeasureRequest);
  for (const one of running) await ask(one, budgetMs * WARM_UP_SHARE, 1);
  for (let round = 0; round < rounds; round++) {
    for (const one of running)
      one.measured[kind].push(await ask(one, budgetMs / rounds, Math.ceil(AT_LEAST / rounds)));
  }
}

/** @throws Error that tells the first operation on which two engines differ */
async function compareAnswers(
  running: readonly Running[],
  size: number,
  seed: number,
  when: string,
): Promise<void> {
  const count = Math.max(AT_LEAST, Math.min(200, Math.floor(400_000 / size)));
  let first: { id: EngineId; sums: Uint32Array } | undefined;
  for (const { id, child } of running) {
    const sums = await child.ask<Uint32Array>('check', { seed, count });
    first ??= { id, sums };
    const { id: other, sums: others } = first;
    const at = sums.findIndex((sum, i) => sum !== others[i]);
    if (at === -1) continue;
    const kind = KINDS[Math.floor(at / count)]!;
    throw new Error(
      `${id} and ${other} answer differently, ${size} filters, ${when}: operation ${at % count} of ${count} of kind "${kind}"`,
    );
  }
}

function cellOf(
  { id }: Workload,
  size: number,
  { id: engine, built, measured }: Running,
  { addMs, removeMs }: Changed,
  end: Memory,
): Cell {
  const figures = KINDS.map((kind) => [kind, operationFigures(measured[kind])]);
  return {
    workload: id,
    size,
    engine,
    ...built,
    end,
    operations: Object.fromEntries(figures) as Cell['operations'],
    add: figuresOf(addMs),
    remove: figuresOf(removeMs),
  };
}

function operationFigures(rounds: readonly Measured[]): OperationFigures {
  const all = Float64Array.from(rounds.flatMap(({ timesMs }) => [...timesMs]));
  const found = rounds.reduce((sum, round) => sum + round.found, 0);
  return {
    ...figuresOf(all),
    rounds: rounds.map(({ timesMs }) => micros(median([...timesMs]))),
    meanFound: Math.round((found / all.length) * 100) / 100,
  };
}

function figuresOf(timesMs: Float64Array): Figures {
  const sorted = timesMs.slice().sort();
  return {
    count: sorted.length,
    median: micros(percentile(sorted, 0.5)),
    p99: micros(percentile(sorted, 0.99)),
    most: micros(sorted.at(-1)!),
  };
}

function micros(ms: number): number {
  return Math.round(ms * 1e5) / 100;
}

export function titleOf(engine: EngineId): string {
  return ENGINES.find(({ id }) => id === engine)!.title;
}
