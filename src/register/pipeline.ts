import type { Logger } from 'pino';
import type { Command } from '../model/command.js';
import type { Refusal } from '../model/errors.js';
import { hashText } from '../model/hash.js';
import { type Done, type Outcome, retry } from '../model/outcome.js';
import type { OutboxEntry, Store } from '../storage/index.js';
import {
  createVersionAnswer,
  type FilterSetSource,
  type WorkerPool,
  type WorkerSettings,
} from '../workers/index.js';
import { type Group, type Pending, takeBatch } from './batch.js';
import { commitBatch } from './batch-commit.js';
import { evaluateBatch } from './batch-evaluation.js';
import { createGate } from './gate.js';
import type { PipelineMetrics } from './metrics.js';
import { retryFor } from './retry-for.js';
import { createTurns } from './turns.js';
import { createUnderWay } from './under-way.js';

/** Where every write goes through: batched, computed by workers, committed under guards, answered when durable. */
export interface Pipeline {
  /** Never rejects. Commands on one endpoint take effect in the order of the calls. */
  submit(command: Command): Promise<Outcome>;
  /**
   * The answer for a command that changes nothing, without waiting behind other endpoints' commands: where none is under
   * way on its own. Undefined: to be submitted, the answer takes more than a look. O(1), but for the record's head.
   */
  answerNow(command: Command): Done | Refusal | undefined;
  /**
   * Runs a task while no batch is under way, and lets batches go on after it: for changes of the filter sets. Tasks run
   * one after the other.
   */
  exclusively<T>(task: () => Promise<T>): Promise<T>;
  /** Runs a task as a batch is run: while the filter sets stay as they are. */
  amongBatches<T>(task: () => Promise<T>): Promise<T>;
  /** commands that wait or are under way */
  readonly load: number;
  /** Refuses new commands, and resolves when all under way are answered. */
  stop(): Promise<void>;
}

export interface PipelineDeps {
  store: Store;
  pool: WorkerPool;
  filters: FilterSetSource;
  /** Where others write, too: whether a record was written by one that knows filters which are not known here yet. */
  isAhead?: (record: Uint8Array) => boolean;
  /** takes up the filters that others have changed */
  catchUp?: () => Promise<void>;
  /** read for each batch, so that a change is taken up at once */
  settings: () => WorkerSettings;
  /** how many commands may wait */
  queueLimit: () => number;
  /** called after each durable commit, before the callers are answered */
  committed: (entries: readonly OutboxEntry[]) => void;
  /** called when it is not known what a commit came to */
  doubt: () => void;
  metrics: PipelineMetrics;
  log: Logger;
}

/** Commands in one batch at most: bounds the time a batch takes and the memory it needs. */
const MAX_BATCH = 512;
/** A command that meets a changed record this often is given back to its caller. */
const MAX_CONFLICTS = 50;

interface Partition {
  queue: Pending[];
  running: boolean;
  /** it met a record that is ahead */
  behind: boolean;
}

/**
 * Endpoints are hashed to partitions; a partition has one batch under way, and what arrives meanwhile is its next batch.
 * So an idle service answers at once, and a loaded one batches by itself, with no timers.
 */
export function createPipeline(deps: PipelineDeps): Pipeline {
  const { store, pool, metrics, log } = deps;
  // two a thread: under load, while one batch is computed, another is loaded or committed
  const partitions = Array.from({ length: pool.threads * 2 }, (): Partition => ({
    queue: [],
    running: false,
    behind: false,
  }));
  let load = 0;
  let stopping = false;
  const gate = createGate();
  const turns = createTurns(pool.threads);
  const underWay = createUnderWay();
  const versionAnswer = createVersionAnswer();
  /** how many commands had ended when the storage was last asked for a fresh look */
  let seen = -1;

  function submit(command: Command): Promise<Outcome> {
    if (stopping) return Promise.resolve(retry('stopping', 'The service is stopping. Try again shortly.'));
    if (load >= deps.queueLimit()) {
      metrics.overloaded.inc();
      return Promise.resolve(
        retry('overloaded', `${load} commands wait to be written already. Try again shortly.`),
      );
    }
    load++;
    underWay.begin(command.endpointId);
    return new Promise((resolve) => {
      const partition = partitions[hashText(command.endpointId) % partitions.length]!;
      partition.queue.push({ command, resolve, conflicts: 0 });
      turns.grown(partition.queue);
      start(partition);
    });
  }

  /**
   * Where this process writes alone, a record changes by commands that are under way here, and by no others: the record of
   * a quiet endpoint is what the last of them left.
   */
  function answerNow(command: Command): Done | Refusal | undefined {
    if (!store.soleWriter || store.peek === undefined) return undefined;
    if (stopping || !underWay.isQuiet(command.endpointId)) return undefined;
    let outcome: Done | Refusal | undefined;
    try {
      outcome = versionAnswer(store.peek(command.endpointId, underWay.ended !== seen), command);
    } catch {
      return undefined; // it fails again where that is told
    }
    seen = underWay.ended;
    if (outcome !== undefined) metrics.tally[outcome.kind]++;
    return outcome;
  }

  function start(partition: Partition): void {
    if (partition.running) return;
    partition.running = true;
    // after this turn of the event loop: what arrived in the same turn is in the batch
    setImmediate(() => void runPartition(partition));
  }

  async function runPartition(partition: Partition): Promise<void> {
    while (partition.queue.length > 0) {
      await turns.take(partition.queue);
      await gate.enter();
      try {
        await runBatch(partition, takeBatch(partition.queue, MAX_BATCH));
      } finally {
        gate.leave();
        turns.end();
      }
      if (partition.behind) await catchUp(partition);
    }
    partition.running = false;
  }

  /** Not inside of a batch: filters change when none is under way. */
  async function catchUp(partition: Partition): Promise<void> {
    partition.behind = false;
    try {
      await deps.catchUp?.();
    } catch (error) {
      // the next batch finds out by itself
      log.warn({ err: error }, 'filters that others have changed can not be read; trying again');
    }
  }

  /** Takes out what can't be computed yet; it comes again when the filters are known. */
  function takeOutAhead(
    partition: Partition,
    groups: Group[],
    records: (Uint8Array | undefined)[],
  ): { groups: Group[]; records: (Uint8Array | undefined)[] } {
    const isAhead = records.map((record) => record !== undefined && deps.isAhead?.(record) === true);
    if (!isAhead.includes(true)) return { groups, records };
    partition.behind = true;
    repeat(
      partition,
      groups.flatMap(({ pending }, i) => (isAhead[i] ? pending : [])),
    );
    return {
      groups: groups.filter((_, i) => !isAhead[i]),
      records: records.filter((_, i) => !isAhead[i]),
    };
  }

  async function runBatch(partition: Partition, taken: Group[]): Promise<void> {
    metrics.batchSize.observe(taken.length);
    let groups = taken;
    try {
      // what met a change that a cache had not seen is not asked of the cache again
      const fresh = groups.some(({ pending }) => pending.some(({ conflicts }) => conflicts > 0));
      const loaded = await store.load(
        groups.map((group) => group.endpointId),
        { fresh },
      );
      const ready = takeOutAhead(partition, groups, loaded);
      groups = ready.groups;
      if (groups.length === 0) return;
      const { records } = ready;
      const batch = { groups, records, isFresh: fresh };
      const evaluated = await evaluateBatch(batch, deps);
      const again = await commitBatch(batch, evaluated, { store, committed: deps.committed, answer, log });
      if (again.length > 0) repeat(partition, again);
    } catch (error) {
      deps.doubt();
      const outcome = retryFor(error);
      if (outcome.code === 'internal') log.error({ err: error, commands: groups.length }, 'a batch failed');
      for (const group of groups) for (const pending of group.pending) answer(pending, outcome);
    }
  }

  /** Puts commands that met a changed record back to the head of the queue, before later ones on the same endpoint. */
  function repeat(partition: Partition, conflicted: Pending[]): void {
    metrics.conflicts.inc(conflicted.length);
    const again: Pending[] = [];
    for (const pending of conflicted) {
      pending.conflicts++;
      if (pending.conflicts < MAX_CONFLICTS) again.push(pending);
      else
        answer(
          pending,
          retry('overloaded', 'The endpoint is changed by others all the time. Try again shortly.'),
        );
    }
    partition.queue.unshift(...again);
  }

  function answer(pending: Pending, outcome: Outcome): void {
    load--;
    underWay.end(pending.command.endpointId);
    metrics.tally[outcome.kind]++;
    pending.resolve(outcome);
  }

  return {
    submit,
    answerNow,
    exclusively: (task) => gate.exclusively(task),
    async amongBatches(task) {
      await gate.enter();
      try {
        return await task();
      } finally {
        gate.leave();
      }
    },
    get load() {
      return load;
    },
    async stop() {
      stopping = true;
      while (load > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    },
  };
}
