import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Outcome } from '../model/outcome.js';
import type { WorkerPool } from '../workers/index.js';

/** What the write pipeline measures. */
export interface PipelineMetrics {
  /** commands carried out so far; plain numbers, for the hot path: they become a metric when the metrics are read */
  tally: Record<Outcome['kind'], number>;
  batchSize: { observe(value: number): void };
  conflicts: { inc(count?: number): void };
  overloaded: { inc(): void };
  workerFailures: { inc(): void };
}

export function createPipelineMetrics(registry: Registry, load: () => number): PipelineMetrics {
  const registers = [registry];
  const tally: PipelineMetrics['tally'] = { applied: 0, unchanged: 0, refused: 0, retry: 0 };
  new Counter({
    name: 'epr_commands_total',
    help: 'Commands carried out, by what they came to.',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset();
      for (const [outcome, count] of Object.entries(tally)) this.inc({ outcome }, count);
    },
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
    tally,
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

export function watchRelations(registry: Registry, rounds: { readonly load: number }): void {
  new Gauge({
    name: 'epr_relation_changes_pending',
    help: 'Changes of relations that wait or are under way.',
    registers: [registry],
    collect() {
      this.set(rounds.load);
    },
  });
}

/** Memory of the filter index: shared by all threads, so that it is there once. */
export function watchFilterSets(registry: Registry, sets: { readonly bytes: number }): void {
  new Gauge({
    name: 'epr_filter_index_bytes',
    help: 'Bytes of memory that the index of saved filters takes, shared by all threads.',
    registers: [registry],
    collect() {
      this.set(sets.bytes);
    },
  });
}

export function watchWorkers(registry: Registry, pool: Pick<WorkerPool, 'status'>): void {
  const registers = [registry];
  new Counter({
    name: 'epr_worker_deaths_total',
    help: 'Worker threads that died: what they had is done again, or refused with a 500.',
    registers,
    collect() {
      this.reset();
      this.inc(pool.status().deaths);
    },
  });
}
