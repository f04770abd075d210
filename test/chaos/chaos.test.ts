import t from 'tap';
import { reportOf } from './report.js';
import { type ChaosPlan, runChaos } from './run.js';

const SEED = Number(process.env['EPR_CHAOS_SEED'] ?? Math.floor(Math.random() * 1e6));

t.setTimeout(300_000);

void t.test('a few kills of service and broker among writes and changes of filters', async (t) => {
  const plan: ChaosPlan = {
    seed: SEED,
    keeper: 'embedded',
    kills: 5,
    calmMs: 400,
    awayMs: 300,
    pauseMs: 800,
    writesBetween: 60,
    endpoints: 24,
    filters: 6,
    writeMs: 40,
    filterMs: 600,
  };
  const told: string[] = [`EPR_CHAOS_SEED=${SEED} makes the same choices again`];
  const outcome = await runChaos(t, plan, { tell: (text) => told.push(text), said: () => undefined });
  if (outcome === undefined) return;
  for (const { says, faults } of outcome.claims) t.same(faults.slice(0, 5), [], says);
  for (const line of t.passing() ? reportOf(plan, outcome) : [...told, ...reportOf(plan, outcome)])
    t.comment(line);
  t.ok(
    outcome.acknowledged.get('PUT') && outcome.filters > 0 && outcome.events > 0,
    'there was something to compare',
  );
});
