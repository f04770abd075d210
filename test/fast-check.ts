import fc from 'fast-check';

/**
 * The seed of random choices in tests: the same in each run, so that a red test is news of ours, not of a judge. `EPR_TEST_SEED=<number>`
 * makes other choices, `EPR_TEST_SEED=random` new ones each time. A failure prints its seed.
 */
export const SEED = seedOf(process.env['EPR_TEST_SEED'] ?? '1');

function seedOf(wanted: string): number {
  if (wanted === 'random') return Math.floor(Math.random() * 2 ** 31);
  const seed = Number(wanted);
  if (!Number.isInteger(seed))
    throw new Error(`EPR_TEST_SEED is a whole number or "random", found "${wanted}"`);
  return seed;
}

fc.configureGlobal({ seed: SEED });

export default fc;
