import { parseArgs } from 'node:util';
import fc, { SEED } from '../fast-check.js';
import t, { type Test } from 'tap';
import { type ContractService, type Keeper, startContractService } from './service.js';

/** How a property is tried, from flags or, where there are none, from the environment. */
interface Settings {
  runs: number | undefined;
  seed: number | undefined;
  path: string | undefined;
  keepers: Keeper[];
}

function readSettings(): Settings {
  const texts = {
    runs: { type: 'string' },
    seed: { type: 'string' },
    path: { type: 'string' },
    keeper: { type: 'string' },
  } as const;
  const { values } = parseArgs({ options: texts, strict: false, allowPositionals: true });
  const text = (name: keyof typeof texts) =>
    (values[name] as string | undefined) ?? process.env[`EPR_CONTRACT_${name.toUpperCase()}`];
  const number = (name: 'runs' | 'seed') => (text(name) === undefined ? undefined : Number(text(name)));
  const keeper = text('keeper') as Keeper | undefined;
  return {
    runs: number('runs'),
    seed: number('seed'),
    path: text('path'),
    keepers: keeper === undefined ? ['embedded', 'mongodb'] : [keeper],
  };
}

/** Ample for the runs of a test on a machine that is not busy; then what was tried so far is the result. */
const TIME_LIMIT_MS = 10_000;

/**
 * Tries a property on both keepers. Few runs and a limit of time, unless the settings say how many; a failure says how
 * to have it again.
 */
export function tryOnKeepers<T>(
  name: 'sequences' | 'concurrent',
  what: string,
  runs: Record<Keeper, number>,
  arbitrary: fc.Arbitrary<T>,
  property: (service: ContractService, value: T) => Promise<void>,
): void {
  const settings = readSettings();
  t.setTimeout(0);
  for (const keeper of settings.keepers) {
    void t.test(`${what}, ${keeper}`, async (t) => {
      const service = await startContractService(t, keeper);
      if (service === undefined) return;
      const isLong = settings.runs !== undefined || settings.path !== undefined;
      const details = await fc.check(
        fc.asyncProperty(arbitrary, (value) => property(service, value)),
        {
          numRuns: settings.runs ?? runs[keeper],
          // a long run looks for what is new
          seed: settings.seed ?? (isLong ? Math.floor(Math.random() * 2 ** 31) : SEED),
          ...(settings.path === undefined ? {} : { path: settings.path }),
          ...(isLong ? {} : { interruptAfterTimeLimit: TIME_LIMIT_MS }),
        },
      );
      report(t, name, keeper, details);
      if (isLong)
        t.comment(
          [...service.tally]
            .sort()
            .map(([answer, count]) => `${count} x ${answer}`)
            .join('\n'),
        );
      t.same(service.logged, [], 'nothing was logged as a warning or an error');
    });
  }
}

function report<T>(t: Test, name: string, keeper: Keeper, details: fc.RunDetails<[T]>): void {
  const { failed, numRuns, seed, counterexamplePath, counterexample, errorInstance, interrupted } = details;
  t.comment(`seed ${seed}, ${numRuns} runs${interrupted ? ', interrupted by the limit of time' : ''}`);
  if (!failed) return void t.ok(numRuns > 0, `${numRuns} runs`);
  const steps = [counterexample?.[0]].flat() as unknown[];
  const replay = `npm run test:contract -- ${name} --keeper ${keeper} --seed ${seed} --path ${counterexamplePath}`;
  t.fail(
    [
      (errorInstance as Error | undefined)?.message ?? 'failed',
      ...steps.map((step) => JSON.stringify(step)),
      `again: ${replay}`,
    ].join('\n'),
    { stack: (errorInstance as Error | undefined)?.stack ?? '' },
  );
}
