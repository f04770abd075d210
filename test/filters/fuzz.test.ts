import t from 'tap';
import { SEED } from '../fast-check.js';
import { runFuzz, summaryOf, weaknessesOf } from './fuzz/run.js';
import { exactText } from './fuzz/shrink.js';

void t.test('random filters, documents and updates: every answer is that of the judges', async (t) => {
  t.comment(`EPR_TEST_SEED=${SEED}`);
  const plan = { seed: SEED, pairs: 50_000, sequences: 48, mostFilters: 1000, weatherUpdates: 200 };
  const outcome = await runFuzz(plan, t, () => undefined);
  summaryOf(outcome, plan).forEach((line) => t.comment(line));
  const { failure } = outcome;
  t.equal(failure && exactText({ ...failure }), undefined, 'no difference');
  if (failure === undefined) t.same(weaknessesOf(outcome), [], 'enough was asked');
});
