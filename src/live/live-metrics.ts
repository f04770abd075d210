import { Counter, Gauge, type Registry } from 'prom-client';

export interface LiveMetrics {
  gaps: Counter<'reason'>;
  failures: Counter;
}

export function createLiveMetrics(
  registry: Registry,
  kept: () => { bytes: number; groups: number },
): LiveMetrics {
  const registers = [registry];
  new Gauge({
    name: 'epr_live_events_recent_bytes',
    help: 'Bytes of the recent events that are kept for who resumes.',
    registers,
    collect() {
      this.set(kept().bytes);
    },
  });
  new Gauge({
    name: 'epr_live_events_recent_changes',
    help: 'Changes whose events are kept for who resumes.',
    registers,
    collect() {
      this.set(kept().groups);
    },
  });
  return {
    gaps: new Counter({
      name: 'epr_live_events_gaps_total',
      help: 'Places in the sequence of live events where some may be missing, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    failures: new Counter({
      name: 'epr_live_events_log_failures_total',
      help: 'Times that recent events could not be kept on disk.',
      registers,
    }),
  };
}
