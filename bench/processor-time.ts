import { readFileSync } from 'node:fs';

/** Processes by what they are: `server`, `client`, `NATS`. */
export type Processes = Record<string, number>;

// USER_HZ, the same on every Linux that Node runs on.
const MICROS_A_TICK = 10_000;

/**
 * Processor time that each process has used since its start, all threads, in microseconds. It says more
 * than a rate on a machine that does other things besides. Empty where there is no /proc.
 */
export function readProcessorTime(processes: Processes): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [name, pid] of Object.entries(processes)) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      // The second field is the name of the program, in parentheses, and may hold spaces.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      found[name] = (Number(fields[11]) + Number(fields[12])) * MICROS_A_TICK;
    } catch {
      // No such file here: that figure is left out.
    }
  }
  return found;
}

/** What each has used between two readings, for one of so many operations. */
export function processorTimeEach(
  before: Record<string, number>,
  after: Record<string, number>,
  operations: number,
): Record<string, number> {
  const each = Object.entries(after).map(([name, micros]) => [
    name,
    Math.round(((micros - (before[name] ?? 0)) / operations) * 10) / 10,
  ]);
  return Object.fromEntries(each) as Record<string, number>;
}

/** What a process has in memory now, as a figure by its name; nothing where there is no /proc. */
export function residentMegabytes(pid: number): Record<string, number> {
  try {
    const kibibytes = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
    return { 'MB resident': Math.round((kibibytes * 1024) / 1e6) };
  } catch {
    return {};
  }
}
