import type { Test } from 'tap';
import { reportOf } from './report.js';
import { type ChaosPlan, runChaos } from './run.js';

const SEED = Number(process.env['EPR_CHAOS_SEED'] ?? Math.floor(Math.random() * 1e6));

/** What short forms have in common. */
export const SHORT = {
  seed: SEED,
  calmMs: 400,
  awayMs: 300,
  endpoints: 24,
  writeMs: 40,
  filterMs: 600,
};

/** A run whose claims are assertions. */
export async function runShort(t: Test, plan: ChaosPlan): Promise<void> {
  const told: string[] = [`EPR_CHAOS_SEED=${SEED} makes the same choices again`];
  const outcome = await runChaos(t, plan, { tell: (text) => told.push(text), said: () => undefined });
  if (outcome === undefined) return;
  for (const { says, faults } of outcome.claims) t.same(faults.slice(0, 5), [], says);
  for (const line of t.passing() ? reportOf(plan, outcome) : [...told, ...reportOf(plan, outcome)])
    t.comment(line);
  t.ok(
    outcome.acknowledged.get('PUT') &&
      outcome.acknowledged.get('disconnected') &&
      outcome.filters > 0 &&
      outcome.events > 0,
    'there was something to compare',
  );
}
