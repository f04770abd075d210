import type { Command } from '../model/command.js';
import { type Outcome, retry, type Retry } from '../model/outcome.js';
import type { ConnectivityMetrics } from './connectivity-metrics.js';
import type { SparingLog } from './sparing-log.js';

export type ConnectivityCommand = Extract<Command, { type: 'set-version' | 'set-connectivity' }>;

/** A command that can not be computed, and what was said of it. */
export interface TaskFault {
  command: ConnectivityCommand;
  text: string;
}

/**
 * Commands on their way through the register: an endpoint has one under way, later ones wait for it, in their order; what
 * must be tried again is tried here.
 */
export interface ConnectivityTasks<Owner> {
  /** those that are not finished */
  readonly count: number;
  /** whether one on this endpoint is not finished */
  has(endpointId: string): boolean;
  add(command: ConnectivityCommand, owner: Owner): void;
  /** Gives the register as many as it may have. */
  give(): void;
  /** Gives no more; resolves when what was given is answered. */
  stop(): Promise<void>;
}

export interface ConnectivityTasksDeps<Owner> {
  submit: (commands: Command[]) => Promise<readonly Outcome[]>;
  metrics: Pick<ConnectivityMetrics, 'endpoint'>;
  sparing: SparingLog;
  maxCommands: number;
  /** one has come to something, or it failed by itself again and again */
  finished: (owner: Owner, fault: TaskFault | undefined) => void;
  /** there may be something to give now */
  schedule: () => void;
}

interface Task<Owner> {
  command: ConnectivityCommand;
  owner: Owner;
  attempts: number;
  /** how often in a row it failed, or killed, who computed it */
  fatal: number;
}

const BATCH = 512;
const RETRY_FIRST_MS = 50;
const RETRY_MOST_MS = 2_000;
/** so often in a row a command may fail by itself, or kill a thread */
const MOST_FATAL = 2;

export function createConnectivityTasks<Owner>(deps: ConnectivityTasksDeps<Owner>): ConnectivityTasks<Owner> {
  const { submit, metrics, sparing, maxCommands, finished, schedule } = deps;
  /** by endpoint with a command under way: those that wait for it */
  const waiting = new Map<string, Task<Owner>[] | undefined>();
  const timers = new Set<NodeJS.Timeout>();
  let ready: Task<Owner>[] = [];
  let count = 0;
  let submitted = 0;
  let stopped = false;
  let quiet: (() => void) | undefined;

  const carryOut = async (given: Task<Owner>[]) => {
    let outcomes: readonly Outcome[];
    try {
      outcomes = await submit(given.map((task) => task.command));
    } catch (error) {
      sparing.tell(
        'register failed',
        { err: error as Error },
        'The register failed on connected events; they will be tried again.',
        'error',
      );
      const outcome = retry('internal', (error as Error).message);
      outcomes = given.map(() => outcome);
    }
    submitted -= given.length;
    const again: Task<Owner>[] = [];
    given.forEach((task, i) => {
      const outcome = outcomes[i]!;
      if (outcome.kind === 'retry') {
        metrics.endpoint('retried');
        task.fatal = outcome.failsAlone === true ? task.fatal + 1 : 0;
        if (task.fatal < MOST_FATAL) return void again.push(task);
        return finish(task, { command: task.command, text: outcome.message });
      }
      metrics.endpoint(nameOf(outcome, task.command));
      finish(task, undefined);
    });
    if (again.length > 0) tryAgain(again);
    schedule();
    if (submitted === 0) quiet?.();
  };

  const finish = ({ command, owner }: Task<Owner>, fault: TaskFault | undefined) => {
    count--;
    const next = waiting.get(command.endpointId)?.shift();
    if (next === undefined) waiting.delete(command.endpointId);
    else ready.push(next);
    finished(owner, fault);
  };

  const tryAgain = (failed: Task<Owner>[]) => {
    const attempts = Math.max(...failed.map((task) => ++task.attempts));
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        ready = failed.concat(ready);
        schedule();
      },
      Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** (attempts - 1)),
    );
    timers.add(timer);
  };

  return {
    get count() {
      return count;
    },
    has: (endpointId) => waiting.has(endpointId),
    add(command, owner) {
      const { endpointId } = command;
      const task: Task<Owner> = { command, owner, attempts: 0, fatal: 0 };
      count++;
      if (!waiting.has(endpointId)) {
        waiting.set(endpointId, undefined);
        ready.push(task);
        return;
      }
      const behind = waiting.get(endpointId);
      if (behind === undefined) waiting.set(endpointId, [task]);
      else behind.push(task);
    },
    give() {
      while (!stopped && ready.length > 0 && submitted < maxCommands) {
        const given = ready.splice(0, Math.min(BATCH, maxCommands - submitted));
        submitted += given.length;
        void carryOut(given);
      }
    },
    async stop() {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
      if (submitted > 0) await new Promise<void>((resolve) => (quiet = resolve));
    },
  };
}

/** What came of a command, as it is counted. */
export function nameOf(outcome: Exclude<Outcome, Retry>, command: ConnectivityCommand): string {
  if (outcome.kind === 'refused') return outcome.code;
  const stale =
    outcome.kind === 'unchanged' &&
    command.type === 'set-version' &&
    command.unlessNewer === true &&
    outcome.versionSinceMs > (command.sinceMs ?? command.timestampMs);
  return stale ? 'stale' : outcome.kind;
}
