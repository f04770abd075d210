import { parseArgs } from 'node:util';
import { readWholeNumber, resultsOf, UsageError } from '../options.js';
import { ENGINES, type EngineId } from './engines/index.js';
import { WORKLOADS } from './workload.js';

export interface FilterBenchOptions {
  only: string[];
  sizes: number[];
  engines: EngineId[];
  budgetMs: number;
  rounds: number;
  resultsFolder: string;
}

const DEFAULT_ENGINES: EngineId[] = ['register', 'koncorde', 'sift', 'mingo'];

const USAGE = `npm run bench:filters -- [options]
  --only a,b       workloads: ${WORKLOADS.map(({ id }) => id).join(', ')} (all)
  --sizes a,b      numbers of filters (1000,10000,100000)
  --engines a,b    of ${ENGINES.map(({ id }) => id).join(', ')} (${DEFAULT_ENGINES.join(',')});
                   those of the stored form take some seconds for each update with 100,000 filters
  --budget MS      for each engine, size and kind of operation, all rounds together; at least 5 operations (1000)
  --rounds N       the engines take turns so many times (3)
  --results DIR    where bench.md, bench.svg and bench.json go (bench/results/filters;
                   bench/results/filters/parts when workloads, sizes or engines are chosen)
  --help           this text

One engine, workload and size is a process of its own, with one thread. About 15 minutes on two processors, most of it
koncorde's and sift's; with --sizes 1000,10000 about 5.`;

/** @throws UsageError whose message is what to print; of `--help`, too */
export function readFilterOptions(args: string[], defaultResults: string): FilterBenchOptions {
  const values = parse(args);
  if (values.help === true) throw new UsageError(USAGE);
  const whole = (name: string, text: string | undefined, otherwise: number): number =>
    readWholeNumber(name, text, otherwise, USAGE);
  const isWhole = [values.only, values.sizes, values.engines].every((chosen) => chosen === undefined);
  return {
    only: readList(
      'workload',
      values.only,
      WORKLOADS.map(({ id }) => id),
    ),
    sizes: (values.sizes ?? '1000,10000,100000')
      .split(',')
      .map((text) => whole('sizes', text, 0))
      .sort((a, b) => a - b),
    engines: readList(
      'engine',
      values.engines,
      ENGINES.map(({ id }) => id),
      DEFAULT_ENGINES,
    ) as EngineId[],
    budgetMs: whole('budget', values.budget, 1000),
    rounds: whole('rounds', values.rounds, 3),
    resultsFolder: values.results ?? resultsOf(isWhole, defaultResults),
  };
}

function readList(what: string, text: string | undefined, known: string[], otherwise = known): string[] {
  const some = text?.split(',') ?? otherwise;
  const unknown = some.find((id) => !known.includes(id));
  if (unknown !== undefined) throw new UsageError(`There is no ${what} "${unknown}"\n\n${USAGE}`);
  return some;
}

function parse(args: string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args,
      options: {
        only: text,
        sizes: text,
        engines: text,
        budget: text,
        rounds: text,
        results: text,
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${USAGE}`);
  }
}
