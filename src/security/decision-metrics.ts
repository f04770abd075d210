import { Counter, type Registry } from 'prom-client';

export type DecidedBy = 'token' | 'role' | 'cache' | 'auth-server';

export interface DecisionMetrics {
  granted(by: DecidedBy): void;
  decided(by: DecidedBy, granted: boolean): void;
}

export function createDecisionMetrics(registry: Registry): DecisionMetrics {
  const total = new Counter({
    name: 'epr_decisions_total',
    help: 'Whether callers may do what they ask for, by what said so: the token itself, a role, a kept answer, the auth server.',
    labelNames: ['by', 'outcome'],
    registers: [registry],
  });
  return {
    granted: (by) => total.inc({ by, outcome: 'granted' }),
    decided: (by, granted) => total.inc({ by, outcome: granted ? 'granted' : 'denied' }),
  };
}
