import type { Logger } from 'pino';
import type { Command } from '../model/command.js';
import { type Refusal, refuse } from '../model/errors.js';
import { hashText } from '../model/hash.js';
import { type Done, type Outcome, retry, type Retry } from '../model/outcome.js';
import { ABSENT, guardOf } from '../model/record.js';
import { type OutboxEntry, type RecordWrite, StorageUnavailable, type Store } from '../storage/index.js';
import {
  createVersionAnswer,
  type EvaluatedGroup,
  type FilterSetSource,
  NoThreads,
  type WorkerPool,
  type WorkerSettings,
} from '../workers/index.js';
import { type Group, type Pending, takeBatch } from './batch.js';
import { createGate } from './gate.js';
import type { PipelineMetrics } from './metrics.js';
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

const NOT_COMPUTED = retry('internal', 'Something went wrong while this was computed; it is logged.');
const NOTHING_TO_CHECK = new Map<number, never>();

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
      const evaluated = await evaluate(groups, records);
      await commit(partition, groups, { records, fresh }, evaluated);
    } catch (error) {
      deps.doubt();
      const outcome = retryFor(error);
      if (outcome.code === 'internal') log.error({ err: error, commands: groups.length }, 'a batch failed');
      for (const group of groups) for (const pending of group.pending) answer(pending, outcome);
    }
  }

  /** Computes a batch; when a worker fails on it, each group by itself, so that one bad group takes no other with it. */
  async function evaluate(
    groups: Group[],
    records: (Uint8Array | undefined)[],
  ): Promise<(EvaluatedGroup | Retry)[]> {
    const requests = groups.map((group, i) => {
      const commands = group.pending.map((pending) => pending.command);
      const record = records[i];
      return record === undefined ? { commands } : { record, commands };
    });
    const settings = deps.settings();
    try {
      return await pool.evaluate(requests, deps.filters, settings);
    } catch (error) {
      metrics.workerFailures.inc();
      log.error(
        { err: error, groups: groups.length },
        'a worker failed on a batch; its groups are tried one by one',
      );
    }
    const results: (EvaluatedGroup | Retry)[] = [];
    for (const request of requests) {
      try {
        results.push(...(await pool.evaluate([request], deps.filters, settings)));
      } catch (error) {
        metrics.workerFailures.inc();
        const [command] = request.commands;
        log.error(
          { err: error, endpointId: command?.endpointId, correlationId: command?.correlationId },
          'a worker failed on the commands of one endpoint',
        );
        results.push({ ...NOT_COMPUTED, ...(error instanceof NoThreads ? {} : { failsAlone: true }) });
      }
    }
    return results;
  }

  async function commit(
    partition: Partition,
    groups: Group[],
    loaded: { records: (Uint8Array | undefined)[]; fresh: boolean },
    evaluated: (EvaluatedGroup | Retry)[],
  ): Promise<void> {
    const { records } = loaded;
    const writes: RecordWrite[] = [];
    const written: number[] = [];
    evaluated.forEach((result, i) => {
      if ('kind' in result || result.write === undefined) return;
      const record = records[i];
      writes.push({
        endpointId: groups[i]!.endpointId,
        expected: record === undefined ? ABSENT : guardOf(record),
        ...result.write,
      });
      written.push(i);
    });
    const checking = loaded.fresh ? NOTHING_TO_CHECK : check(groups, records, evaluated);
    const results = writes.length === 0 ? [] : await store.commit(writes);
    const entries: OutboxEntry[] = [];
    const again: Pending[] = [];
    const taken = new Set<number>();
    const conflicting = new Set<number>();
    const rejected = new Map<number, Retry>();
    results.forEach((result, k) => {
      const i = written[k]!;
      if (result.kind === 'conflict') conflicting.add(i);
      else if (result.kind === 'token-taken') taken.add(i);
      else if (result.kind === 'rejected') {
        const { endpointId } = groups[i]!;
        log.error({ endpointId, reason: result.message }, 'the storage can not hold what a write would make');
        rejected.set(i, retry('storage-unavailable', result.message));
      } else if (result.outbox !== undefined)
        entries.push({
          position: result.outbox,
          events: writes[k]!.events!,
          ...(result.previous === undefined ? {} : { previous: result.previous }),
        });
    });
    if (entries.length > 0) deps.committed(entries);
    const checked = await checking;
    groups.forEach((group, i) => {
      const computed = evaluated[i]!;
      group.pending.forEach((pending, k) => {
        const doubt = checked.get(i) ?? rejected.get(i);
        if (doubt === 'again' || conflicting.has(i)) again.push(pending);
        else if (doubt !== undefined) answer(pending, doubt);
        // the registration is the first of its group; what came behind it has yet to find that there is no endpoint
        else if (taken.has(i) && k === 0) answer(pending, refuse('token-taken'));
        else if (taken.has(i)) again.push(pending);
        else answer(pending, 'kind' in computed ? computed : (computed.outcomes[k] ?? NOT_COMPUTED));
      });
    });
    if (again.length > 0) repeat(partition, again);
  }

  /**
   * What comes to no write has no guard, so the records it was decided on are compared with the storage's. Answers for
   * those groups only that have to be done again, or could not be checked. Never rejects.
   */
  async function check(
    groups: Group[],
    records: (Uint8Array | undefined)[],
    evaluated: (EvaluatedGroup | Retry)[],
  ): Promise<Map<number, 'again' | Retry>> {
    const unwritten: number[] = [];
    evaluated.forEach((result, i) => {
      if (!('kind' in result) && result.write === undefined) unwritten.push(i);
    });
    if (unwritten.length === 0) return new Map();
    try {
      const stored = await store.load(
        unwritten.map((i) => groups[i]!.endpointId),
        { fresh: true },
      );
      const outdated = unwritten.filter((i, k) => !isSameState(records[i], stored[k]));
      return new Map(outdated.map((i) => [i, 'again']));
    } catch (error) {
      return new Map(unwritten.map((i) => [i, retryFor(error)]));
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

/** What is answered when a write was given up for this. */
export function retryFor(error: unknown): Retry {
  if (error instanceof StorageUnavailable)
    return retry(
      'storage-unavailable',
      `${error.message} Whether this write was made is not known; it may be sent again.`,
    );
  return retry('internal', 'Something went wrong here; it is logged under the correlation id.');
}

function isSameState(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  const [one, other] = [a, b].map((record) => (record === undefined ? ABSENT : guardOf(record)));
  return one!.revision === other!.revision && one!.filterSet === other!.filterSet;
}
