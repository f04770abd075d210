import { Counter, type Registry } from 'prom-client';

const BY = ['token', 'role', 'cache', 'auth-server'] as const;
export type DecidedBy = (typeof BY)[number];

export interface DecisionMetrics {
  granted(by: DecidedBy): void;
  decided(by: DecidedBy, granted: boolean): void;
}

export function createDecisionMetrics(registry: Registry): DecisionMetrics {
  const tallies = BY.map((by) => ({ by, granted: 0, denied: 0 }));
  const tallyOf = Object.fromEntries(tallies.map((tally) => [tally.by, tally])) as Record<
    DecidedBy,
    (typeof tallies)[number]
  >;
  new Counter({
    name: 'epr_decisions_total',
    help: 'Whether callers may do what they ask for, by what said so: the token itself, a role, a kept answer, the auth server.',
    labelNames: ['by', 'outcome'],
    registers: [registry],
    // counting by labels is a good part of what a known decision costs
    collect() {
      for (const tally of tallies)
        for (const outcome of ['granted', 'denied'] as const) {
          if (tally[outcome] > 0) this.inc({ by: tally.by, outcome }, tally[outcome]);
          tally[outcome] = 0;
        }
    },
  });
  return {
    granted: (by) => void tallyOf[by].granted++,
    decided: (by, granted) => void tallyOf[by][granted ? 'granted' : 'denied']++,
  };
}
