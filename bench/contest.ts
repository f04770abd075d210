import type { Station } from './fleet.js';
import { processorTimeEach, readProcessorTime, type Processes } from './processor-time.js';
import { median } from './statistics.js';

/** What one run of one contestant came to. */
export interface Sample {
  ratePerSecond: number;
  /** absent where single operations have no time of their own */
  p50Ms?: number;
  p99Ms?: number;
  operations: number;
  seconds: number;
  /** processor time for one operation in microseconds, by process, what goes on after the answers included */
  processorMicros?: Record<string, number>;
  /** further figures, by what they are */
  notes?: Record<string, number>;
}

/** One that takes part: its server is running when it is handed over. */
export interface Contestant {
  name: string;
  /** what it does for each operation, in one line */
  what: string;
  /** the service itself, not something to compare it with */
  own: boolean;
  /** those that work for an operation */
  processes: () => Processes;
  /** One run. Rejects when an operation failed. */
  measure(run: Run): Promise<Sample>;
  /** Reads back what was acknowledged, in all runs; answers what was checked, rejects with what is missing. */
  verify(): Promise<string>;
}

export interface Run {
  seconds: number;
  /** not counted: it may be smaller */
  isWarmUp: boolean;
}

export interface Contest {
  id: string;
  title: string;
  /** of the rate, such as `requests/s` */
  unit: string;
  /** the aims, as text */
  aim?: string;
  /** how many times as long as others its servers need to be warm; 1 when absent */
  warmUpTimes?: number;
  /** Starts all; what is to be ended goes to `teardown`. Undefined: a server that it needs is not installed; `tell` has been told. */
  open(surroundings: Surroundings): Promise<Contestant[] | undefined>;
}

export interface Surroundings {
  /** the endpoints that are registered with each contestant */
  fleet: readonly Station[];
  connections: number;
  messages: number;
  /** generated alerts, of those that count filters */
  alerts: number;
  /** a folder of this contest; it is removed at the end */
  folder: string;
  /** where CPU profiles of the service go */
  profileFolder?: string;
  teardown: (end: () => Promise<unknown> | void) => void;
  tell: (line: string) => void;
}

export interface Ratio {
  to: string;
  /** median of the ratios within each round: what slows the machine down for a while slows both */
  median: number;
  least: number;
  greatest: number;
}

export interface Standing {
  name: string;
  what: string;
  own: boolean;
  samples: Sample[];
  ratePerSecond: number;
  p50Ms?: number;
  p99Ms?: number;
  /** medians */
  processorMicros: Record<string, number>;
  ratios: Ratio[];
  checked: string;
}

export interface ContestResult {
  id: string;
  title: string;
  unit: string;
  aim?: string;
  standings: Standing[];
}

export interface Plan {
  rounds: number;
  seconds: number;
  warmUpSeconds: number;
}

/** Runs A B C A B C, after a warm-up of each, and checks at the end what is stored. */
export async function runContest(
  contest: Contest,
  surroundings: Surroundings,
  { rounds, seconds, warmUpSeconds }: Plan,
): Promise<ContestResult | undefined> {
  const { tell } = surroundings;
  tell(`\n${contest.title}`);
  const contestants = await contest.open(surroundings);
  if (contestants === undefined) return undefined;
  for (const contestant of contestants) {
    const { ratePerSecond } = await contestant.measure({
      seconds: warmUpSeconds * (contest.warmUpTimes ?? 1),
      isWarmUp: true,
    });
    tell(`  warm-up  ${contestant.name}: ${describe(ratePerSecond, contest.unit)}`);
  }
  const samples = contestants.map((): Sample[] => []);
  for (let round = 1; round <= rounds; round++) {
    for (const [i, contestant] of contestants.entries()) {
      const sample = await measureWithProcessors(contestant, seconds);
      samples[i]!.push(sample);
      tell(`  ${round} of ${rounds}  ${contestant.name}: ${describeSample(sample, contest.unit)}`);
    }
  }
  const standings: Standing[] = [];
  for (const [i, contestant] of contestants.entries()) {
    const checked = await contestant.verify();
    tell(`  checked  ${contestant.name}: ${checked}`);
    standings.push(standingOf(contestant, samples[i]!, checked));
  }
  for (const own of standings.filter((standing) => standing.own)) {
    own.ratios = standings.filter((standing) => !standing.own).map((other) => ratioOf(own, other));
    for (const ratio of own.ratios)
      tell(
        `  ${own.name}: ${percent(ratio.median)} of ${ratio.to} (${percent(ratio.least)} to ${percent(ratio.greatest)})`,
      );
  }
  const { id, title, unit, aim } = contest;
  return { id, title, unit, ...(aim === undefined ? {} : { aim }), standings };
}

async function measureWithProcessors(contestant: Contestant, seconds: number): Promise<Sample> {
  const processes = contestant.processes();
  const before = readProcessorTime(processes);
  const sample = await contestant.measure({ seconds, isWarmUp: false });
  const after = readProcessorTime(processes);
  return { ...sample, processorMicros: processorTimeEach(before, after, sample.operations) };
}

function standingOf({ name, what, own }: Contestant, samples: Sample[], checked: string): Standing {
  const p50s = samples.flatMap(({ p50Ms }) => (p50Ms === undefined ? [] : [p50Ms]));
  const p99s = samples.flatMap(({ p99Ms }) => (p99Ms === undefined ? [] : [p99Ms]));
  return {
    name,
    what,
    own,
    samples,
    ratePerSecond: median(samples.map((sample) => sample.ratePerSecond)),
    ...(p50s.length === 0 ? {} : { p50Ms: median(p50s) }),
    ...(p99s.length === 0 ? {} : { p99Ms: median(p99s) }),
    processorMicros: medianOfEach(samples.map((sample) => sample.processorMicros ?? {})),
    ratios: [],
    checked,
  };
}

function ratioOf(own: Standing, other: Standing): Ratio {
  const ratios = own.samples.map((sample, i) => sample.ratePerSecond / other.samples[i]!.ratePerSecond);
  return {
    to: other.name,
    median: median(ratios),
    least: Math.min(...ratios),
    greatest: Math.max(...ratios),
  };
}

function medianOfEach(figures: Record<string, number>[]): Record<string, number> {
  const names = Object.keys(figures[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, median(figures.map((each) => each[name]!))]));
}

export function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}

export function describe(ratePerSecond: number, unit: string): string {
  return `${Math.round(ratePerSecond).toLocaleString('en-US')} ${unit}`;
}

function describeSample(
  { ratePerSecond, p50Ms, p99Ms, processorMicros, notes }: Sample,
  unit: string,
): string {
  const times =
    p50Ms === undefined || p99Ms === undefined
      ? []
      : [`p50 ${p50Ms.toFixed(2)} ms`, `p99 ${p99Ms.toFixed(2)} ms`];
  const micros = describeMicros(processorMicros ?? {});
  const others = Object.entries(notes ?? {}).map(
    ([name, value]) => `${name} ${value.toLocaleString('en-US')}`,
  );
  return [describe(ratePerSecond, unit), ...times, ...(micros === '' ? [] : [micros]), ...others].join(', ');
}

/** `µs: server 35.1, client 40.2`; empty where nothing is known. */
export function describeMicros(micros: Record<string, number>): string {
  const parts = Object.entries(micros).map(([name, value]) => `${name} ${value}`);
  return parts.length === 0 ? '' : `processor µs: ${parts.join(' ')}`;
}
