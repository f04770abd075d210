import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What is measured of recalculations. Applications are configured, so there are few of them. */
export interface RecalculationMetrics {
  registry: Registry;
  evaluated: { inc(labels: { application: string }, count: number): void };
  rounds: { inc(labels: { application: string }): void };
  seconds: { observe(value: number): void };
}

/** What is looked up when the metrics are read. */
export interface RecalculationState {
  filters: () => Iterable<{ application: string; pending: number; active: number }>;
  /** under way, or about to begin */
  passes: () => Iterable<{ application: string; evaluated: number; total: number; idleMs: number }>;
  /** of the time that recalculations take now; 0: none is under way */
  share: () => number;
}

export function createRecalculationMetrics(registry: Registry): RecalculationMetrics {
  const registers = [registry];
  return {
    registry,
    evaluated: new Counter({
      name: 'epr_recalculation_endpoints_evaluated_total',
      help: 'Endpoints evaluated by recalculations of filters.',
      labelNames: ['application'],
      registers,
    }),
    rounds: new Counter({
      name: 'epr_recalculations_total',
      help: 'Rounds that came to their end: one serves all filters that begin at one place of a recalculation.',
      labelNames: ['application'],
      registers,
    }),
    seconds: new Histogram({
      name: 'epr_recalculation_seconds',
      help: 'How long rounds took, since this process began them: from the place where filters began until there again.',
      buckets: [0.01, 0.1, 1, 10, 60, 300, 1800, 7200],
      registers,
    }),
  };
}

export function watchRecalculation({ registry }: RecalculationMetrics, state: RecalculationState): void {
  const registers = [registry];
  new Gauge({
    name: 'epr_filters',
    help: 'Saved filters.',
    labelNames: ['application', 'status'],
    registers,
    collect() {
      this.reset();
      for (const { application, pending, active } of state.filters()) {
        this.set({ application, status: 'pending' }, pending);
        this.set({ application, status: 'active' }, active);
      }
    },
  });
  new Gauge({
    name: 'epr_recalculation_endpoints',
    help: 'Endpoints of the recalculation under way: evaluated against the newest filters that have begun, and left for them.',
    labelNames: ['application', 'state'],
    registers,
    collect() {
      this.reset();
      for (const { application, evaluated, total } of state.passes()) {
        this.set({ application, state: 'evaluated' }, evaluated);
        this.set({ application, state: 'left' }, total - evaluated);
      }
    },
  });
  new Gauge({
    name: 'epr_recalculation_idle_seconds',
    help: 'How long nothing has come of the recalculation under way: no record was read, screened or written.',
    labelNames: ['application'],
    registers,
    collect() {
      this.reset();
      for (const { application, idleMs } of state.passes()) this.set({ application }, idleMs / 1000);
    },
  });
  new Gauge({
    name: 'epr_recalculation_share',
    help: 'Share of the time that recalculations take now: 1 while nothing else is done, 0 while there are none.',
    registers,
    collect() {
      this.set(state.share());
    },
  });
}
