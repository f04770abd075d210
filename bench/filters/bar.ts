import type { Cell } from './measurement.js';
import type { EngineId } from './engines/index.js';
import { megabytes, micros } from './format.js';

/** One line of what is aimed at. */
export interface Aim {
  aim: string;
  /** undefined: this run has not what it takes */
  isReached: boolean | undefined;
  figures: string;
}

const MANY = 100_000;
const FEW = 1000;
/** `mixed` of the aims. */
const MIXED = ['mixed-20', 'mixed-1000'];

/** A figure of one workload, and how to show it. */
interface Figure {
  workload: string;
  value: number;
  shown: string;
}

/** What the issue asks of the engine, each with what was measured. All workloads that an aim names must reach it. */
export function judge(cells: readonly Cell[]): Aim[] {
  const find = (workload: string, size: number, engine: EngineId): Cell | undefined =>
    cells.find((cell) => cell.workload === workload && cell.size === size && cell.engine === engine);
  const all = [...new Set(cells.map(({ workload }) => workload))];
  const own = (
    workloads: string[],
    valueOf: (cell: Cell) => number,
    show: (cell: Cell) => string,
  ): Figure[] =>
    workloads.flatMap((workload) => {
      const cell = find(workload, MANY, 'register');
      return cell === undefined ? [] : [{ workload, value: valueOf(cell), shown: show(cell) }];
    });
  const ratios = (other: EngineId): Figure[] =>
    MIXED.flatMap((workload) => {
      const [mine, theirs] = [find(workload, MANY, 'register'), find(workload, MANY, other)];
      if (mine === undefined || theirs === undefined) return [];
      const value = theirs.operations.one.median / mine.operations.one.median;
      const shown = `${times(value)} (${micros(theirs.operations.one.median)} and ${micros(mine.operations.one.median)})`;
      return [{ workload, value, shown }];
    });
  const growth = MIXED.flatMap((workload): Figure[] => {
    const [few, many] = [find(workload, FEW, 'register'), find(workload, MANY, 'register')];
    if (few === undefined || many === undefined) return [];
    const value = many.operations.one.median / few.operations.one.median;
    return [
      {
        workload,
        value,
        shown: `${times(value)} (${micros(few.operations.one.median)} and ${micros(many.operations.one.median)})`,
      },
    ];
  });
  const flips = ({ operations }: Cell): string => `, ${operations.one.meanFound} flips on average`;
  const figuresOf =
    (name: 'add' | 'registration') =>
    (cell: Cell): string => {
      const { median, p99 } = name === 'add' ? cell.add : cell.operations.registration;
      return `${micros(median)}, p99 ${micros(p99)}`;
    };
  return [
    atMost(
      'one-key update with 100,000 mixed filters: median of 50 µs at most',
      50,
      own(
        MIXED,
        ({ operations }) => operations.one.median,
        (cell) => micros(cell.operations.one.median) + flips(cell),
      ),
    ),
    atLeast('the same, at least 700 times faster than koncorde', 700, ratios('koncorde')),
    atLeast('the same, at least 5,000 times faster than sift', 5000, ratios('sift')),
    atMost('1,000 to 100,000 mixed filters: a one-key update costs at most twice as much', 2, growth),
    atMost(
      'registration with 100,000 filters: median of 1 ms at most',
      1000,
      own(all, ({ operations }) => operations.registration.median, figuresOf('registration')),
    ),
    atMost(
      'adding one filter to 100,000: median of 1 ms at most',
      1000,
      own(all, ({ add }) => add.median, figuresOf('add')),
    ),
    atMost(
      'building 100,000 filters: 3 s at most',
      3000,
      own(
        all,
        ({ buildMs }) => buildMs,
        ({ buildMs }) => `${(buildMs / 1000).toFixed(2)} s`,
      ),
    ),
    atMost(
      'resident memory of the process with 100,000 mixed filters: 150 MB at most',
      150e6,
      own(
        MIXED,
        ({ full }) => full.rss,
        ({ empty, full }) =>
          `${megabytes(full.rss)}, ${megabytes(full.rss - empty.rss)} more than without filters`,
      ),
    ),
  ];
}

function atMost(aim: string, limit: number, figures: Figure[]): Aim {
  return judged(aim, figures, (value) => value <= limit);
}

function atLeast(aim: string, limit: number, figures: Figure[]): Aim {
  return judged(aim, figures, (value) => value >= limit);
}

function judged(aim: string, figures: Figure[], isGood: (value: number) => boolean): Aim {
  return {
    aim,
    isReached: figures.length === 0 ? undefined : figures.every(({ value }) => isGood(value)),
    figures: figures.map(({ workload, shown }) => `${workload} ${shown}`).join('; '),
  };
}

function times(value: number): string {
  return `${value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(1)} times`;
}
