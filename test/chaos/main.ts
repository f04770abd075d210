import { appendFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Test } from 'tap';
import { reportOf } from './report.js';
import { type ChaosPlan, runChaos } from './run.js';

const USAGE = `npm run chaos -- [options]
Writers over REST, NATS requests and JetStream, filters that come, change and go, and SIGKILL and pauses for the
registers, the broker and the database, at random. Then what was acknowledged, what is stored and what was published are
compared; what does not agree is printed, and ends it with 1.
  --kills N         SIGKILLs in all (100); pauses come on top
  --seed S          the same choices again, though not the same instants (a random one)
  --keeper K        embedded or mongodb (embedded)
  --registers N     1 to 5 processes of the register on one storage (1); more than one with MongoDB only
  --keep-folder     keeps logs, ledger and data of a run that found nothing, too`;

const tell = (line: string): void => void process.stdout.write(`${line}\n`);

interface Options {
  plan: ChaosPlan;
  keepFolder: boolean;
}

function readOptions(args: string[]): Options | undefined {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args,
    options: {
      kills: text,
      seed: text,
      keeper: text,
      registers: text,
      'keep-folder': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) return undefined;
  const whole = (name: 'kills' | 'seed' | 'registers', otherwise: number): number => {
    const value = values[name] === undefined ? otherwise : Number(values[name]);
    if (Number.isInteger(value) && value >= 0 && value <= 1e9) return value;
    throw new Error(`--${name} is a whole number from 0 to a milliard, not "${values[name]}"`);
  };
  const keeper = values.keeper ?? 'embedded';
  if (keeper !== 'embedded' && keeper !== 'mongodb')
    throw new Error(`--keeper is embedded or mongodb, not "${keeper}"`);
  const kills = whole('kills', 100);
  const registers = whole('registers', 1);
  if (registers < 1 || registers > (keeper === 'mongodb' ? 5 : 1))
    throw new Error('--registers is 1, or up to 5 with --keeper mongodb: the embedded store has one process');
  return {
    keepFolder: values['keep-folder'] === true,
    plan: {
      seed: whole('seed', Math.floor(Math.random() * 1e6)),
      keeper,
      kills,
      registers,
      // most pauses are longer
      leaseMs: 3000,
      calmMs: 2500,
      awayMs: 1500,
      pauseMs: 7000,
      writesBetween: 100,
      endpoints: 60,
      // what replicas know of filters is what differs between them
      filters: registers === 1 ? Math.max(6, Math.ceil(kills / 2)) : Math.max(12, 4 * kills),
      writeMs: 60,
      filterMs: registers === 1 ? 4000 : 1000,
    },
  };
}

async function main({ plan, keepFolder }: Options): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'epr-chaos-'));
  // where servers and service put their data
  process.env['TMPDIR'] = folder;
  const ends: (() => unknown)[] = [];
  const t = {
    teardown: (end: () => unknown) => void ends.push(end),
    passing: () => true,
    comment: tell,
    pass: (name: string, { skip }: { skip: string }) => tell(`${name}: ${skip}`),
  };
  tell(`seed ${plan.seed}; logs and data in ${folder}`);
  const startedMs = performance.now();
  const progress = (text: string): void => {
    const line = `${((performance.now() - startedMs) / 1000).toFixed(1)} s: ${text}`;
    appendFileSync(join(folder, 'faults.log'), `${line}\n`);
    tell(line);
  };
  const said = (output: string, register: number): void =>
    appendFileSync(join(folder, `register-${register}.log`), output);
  let failed = true;
  try {
    const outcome = await runChaos(t as unknown as Test, plan, { tell: progress, said });
    if (outcome === undefined) return;
    const report = reportOf(plan, outcome);
    report.forEach(tell);
    writeFileSync(join(folder, 'report.txt'), `${report.join('\n')}\n`);
    failed = outcome.claims.some(({ faults }) => faults.length > 0);
  } finally {
    const kept = `${folder}-kept`;
    if (failed || keepFolder) {
      process.exitCode = failed ? 1 : 0;
      cpSync(folder, kept, { recursive: true });
      tell(`Kept in ${kept}`);
    }
    for (const end of ends.reverse()) await end();
    rmSync(folder, { recursive: true, force: true });
  }
}

let options: Options | undefined;
try {
  options = readOptions(process.argv.slice(2));
  if (options === undefined) tell(USAGE);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n\n${USAGE}\n`);
  process.exitCode = 2;
}
if (options !== undefined) await main(options);
