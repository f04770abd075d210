import { parseArgs } from 'node:util';
import type { Test } from 'tap';
import { runFuzz, summaryOf, weaknessesOf, type FuzzPlan } from './run.js';
import { exactText } from './shrink.js';

const USAGE = `npm run fuzz -- [options]
Random filters on random documents, against mingo, sift, a MongoDB server, and MongoDB's rules as transcribed here;
then random sequences of updates and of filters that come and go. The first difference is printed as JSON, made as
small as it goes, and ends it with 1.
  --pairs N         documents times filters, and what the last batch has more: of 5,000, 10,000 or 20,000, always
                    whole, so that its seed repeats it (1000000)
  --sequences N     of 60 updates each; with 0 the weather fleet is left out, too (64)
  --filters N       in a set at the most (5000)
  --seed N          repeats a run, or, with the seed of a failure, begins with it (a random one)`;

const tell = (line: string): void => void process.stdout.write(`${line}\n`);

function progress(text: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text}`);
}

function readPlan(args: string[]): FuzzPlan | undefined {
  const text = { type: 'string' } as const;
  const options = {
    pairs: text,
    sequences: text,
    filters: text,
    seed: text,
    help: { type: 'boolean', short: 'h' },
  } as const;
  const { values } = parseArgs({ args, options });
  if (values.help === true) return undefined;
  const whole = (name: keyof typeof values, otherwise: number, least: number): number => {
    const value = values[name] === undefined ? otherwise : Number(values[name]);
    if (Number.isInteger(value) && value >= least && value <= 2 ** 31) return value;
    throw new Error(`--${name} is a whole number from ${least} to ${2 ** 31}, not "${String(values[name])}"`);
  };
  const sequences = whole('sequences', 64, 0);
  return {
    seed: whole('seed', Math.floor(Math.random() * 1e9), 0),
    pairs: whole('pairs', 1_000_000, 0),
    sequences,
    mostFilters: whole('filters', 5000, 10),
    weatherUpdates: sequences === 0 ? 0 : 2000,
  };
}

async function main(plan: FuzzPlan): Promise<void> {
  tell(`seed ${plan.seed}`);
  const ends: (() => unknown)[] = [];
  const surroundings = {
    teardown: (end: () => unknown) => void ends.push(end),
    pass: (name: string, { skip }: { skip: string }) => tell(`without a server: ${name}: ${skip}`),
  };
  const started = performance.now();
  try {
    const outcome = await runFuzz(plan, surroundings as unknown as Test, progress);
    progress('');
    const { failure } = outcome;
    summaryOf(outcome, plan).forEach(tell);
    tell(`${Math.round((performance.now() - started) / 1000)} s`);
    const weaknesses =
      failure === undefined && plan.sequences > 0 && plan.pairs > 0 ? weaknessesOf(outcome) : [];
    weaknesses.forEach(tell);
    if (failure !== undefined) tell(`Failed: ${exactText({ ...failure })}`);
    if (failure !== undefined || weaknesses.length > 0) process.exitCode = 1;
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

let plan: FuzzPlan | undefined;
try {
  plan = readPlan(process.argv.slice(2));
  if (plan === undefined) tell(USAGE);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n\n${USAGE}\n`);
  process.exitCode = 2;
}
if (plan !== undefined) await main(plan);
