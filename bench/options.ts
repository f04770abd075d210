import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Plan } from './contest.js';

export interface BenchOptions extends Plan {
  only: string[];
  endpoints: number;
  connections: number;
  messages: number;
  alerts: number;
  resultsFolder: string;
  profileFolder?: string;
}

const USAGE = `npm run bench -- [options]
  --seconds N      length of a measured run (10)
  --warm-up N      length of the run before the first round (3)
  --rounds N       A B C, A B C, ... (3)
  --only a,b       contests: CONTESTS (all)
  --endpoints N    weather stations that are registered, at most 30533 (30533)
  --connections N  of the client of single writes (64)
  --messages N     connected events, or changes whose events the relay publishes, of a run (20000)
  --alerts N       generated alerts of the contests of filters (100000)
  --results DIR    where bench.md, bench.svg and bench.json go (bench/results;
                   bench/results/parts when not all contests are run)
  --profile DIR    runs the service with --cpu-prof; SIGTERM takes the place of SIGKILL`;

export class UsageError extends Error {}

/** @throws UsageError whose message is what to print */
export function readOptions(args: string[], contests: string[], defaultResults: string): BenchOptions {
  const usage = USAGE.replace('CONTESTS', contests.join(', '));
  const { values } = parse(args, usage);
  if (values.help === true) throw new UsageError(usage);
  const whole = (name: string, text: string | undefined, otherwise: number, most?: number): number =>
    readWholeNumber(name, text, otherwise, usage, most);
  const only = values.only?.split(',') ?? contests;
  const unknown = only.find((id) => !contests.includes(id));
  if (unknown !== undefined) throw new UsageError(`There is no contest "${unknown}"\n\n${usage}`);
  return {
    seconds: whole('seconds', values.seconds, 10),
    warmUpSeconds: whole('warm-up', values['warm-up'], 3),
    rounds: whole('rounds', values.rounds, 3),
    only,
    endpoints: whole('endpoints', values.endpoints, 30_533, 30_533),
    connections: whole('connections', values.connections, 64),
    messages: whole('messages', values.messages, 20_000),
    alerts: whole('alerts', values.alerts, 100_000),
    resultsFolder: values.results ?? resultsOf(values.only === undefined, defaultResults),
    ...(values.profile === undefined ? {} : { profileFolder: values.profile }),
  };
}

/** What is kept with the project is of whole runs: a part of one, for a try, does not take its place. */
export function resultsOf(isWhole: boolean, folder: string): string {
  return isWhole ? folder : join(folder, 'parts');
}

/** @throws UsageError */
export function readWholeNumber(
  name: string,
  text: string | undefined,
  otherwise: number,
  usage: string,
  most = Infinity,
): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw new UsageError(
      `--${name} is a whole number from 1${most === Infinity ? '' : ` to ${most}`}, not "${text}"\n\n${usage}`,
    );
  return value;
}

function parse(args: string[], usage: string) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args,
      options: {
        seconds: text,
        'warm-up': text,
        rounds: text,
        only: text,
        endpoints: text,
        connections: text,
        messages: text,
        alerts: text,
        results: text,
        profile: text,
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${usage}`);
  }
}
