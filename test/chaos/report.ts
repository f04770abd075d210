import type { ChaosOutcome, ChaosPlan } from './run.js';
import type { Kind } from './ledger.js';

const SHOWN = 10;

/** What a run came to, in lines. */
export function reportOf(plan: ChaosPlan, outcome: ChaosOutcome): string[] {
  const { acknowledged, unknown, refused, events, repeated, endpoints, filters, pairs, flips } = outcome;
  const kinds = [...acknowledged.keys()];
  const of = (counts: ReadonlyMap<Kind, number>, kind: Kind) =>
    (counts.get(kind) ?? 0).toLocaleString('en-US');
  const failed = outcome.claims.filter(({ faults }) => faults.length > 0);
  return [
    `seed ${plan.seed}, ${plan.keeper} keeper, registers: ${plan.registers}, ${outcome.seconds} s`,
    `SIGKILL: ${countsOf(outcome.kills)}; paused: ${countsOf(outcome.pauses)}`,
    'writes (acknowledged / not known / refused):',
    ...kinds.map(
      (kind) => `  ${kind}: ${of(acknowledged, kind)} / ${of(unknown, kind)} / ${of(refused, kind)}`,
    ),
    `events: ${events.toLocaleString('en-US')}, of which ${repeated.toLocaleString('en-US')} had been there before`,
    `filters: ${filters}, over ${endpoints} endpoints: ${pairs.toLocaleString('en-US')} pairs, ${flips.toLocaleString('en-US')} flips`,
    `claims: ${outcome.claims.length}, of which ${failed.length} do not hold`,
    ...failed.flatMap(({ says, faults }) => [
      `NOT SO (${faults.length} times): ${says}`,
      ...faults
        .slice(0, SHOWN)
        .map((fault) => `  ${typeof fault === 'string' ? fault : JSON.stringify(fault)}`),
    ]),
  ];
}

function countsOf(counts: ReadonlyMap<string, number>): string {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const each = [...counts].sort().map(([name, count]) => `${name} ${count}`);
  return total === 0 ? 'none' : `${total} (${each.join(', ')})`;
}
