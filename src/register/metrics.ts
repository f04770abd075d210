import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Outcome } from '../model/outcome.js';

/** What the write pipeline measures. Children are bound once: the hot path looks up no labels. */
export interface PipelineMetrics {
  commands: Record<Outcome['kind'], { inc(count?: number): void }>;
  batchSize: { observe(value: number): void };
  conflicts: { inc(count?: number): void };
  overloaded: { inc(): void };
  workerFailures: { inc(): void };
}

export function createPipelineMetrics(registry: Registry, load: () => number): PipelineMetrics {
  const registers = [registry];
  const commands = new Counter({
    name: 'epr_commands_total',
    help: 'Commands carried out, by what they came to.',
    labelNames: ['outcome'],
    registers,
  });
  new Gauge({
    name: 'epr_commands_pending',
    help: 'Commands that wait or are under way.',
    registers,
    collect() {
      this.set(load());
    },
  });
  return {
    commands: {
      applied: commands.labels('applied'),
      unchanged: commands.labels('unchanged'),
      refused: commands.labels('refused'),
      retry: commands.labels('retry'),
    },
    batchSize: new Histogram({
      name: 'epr_batch_endpoints',
      help: 'Endpoints in one batch of the write pipeline.',
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
      registers,
    }),
    conflicts: new Counter({
      name: 'epr_conflicts_total',
      help: 'Commands computed anew because the record had changed.',
      registers,
    }),
    overloaded: new Counter({
      name: 'epr_overloaded_total',
      help: 'Commands refused because the queue was full.',
      registers,
    }),
    workerFailures: new Counter({
      name: 'epr_worker_failures_total',
      help: 'Batches on which a worker thread failed.',
      registers,
    }),
  };
}
