import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { type Catalogue, noVersion } from '../model/catalogue.js';
import { refuse } from '../model/errors.js';
import { ok } from '../model/outcome.js';
import type { Replicas } from '../replicas/index.js';
import type { StoredTask, Store } from '../storage/index.js';
import { type BatchRunDeps, runBatch, untilDone } from './batch-run.js';
import {
  failFaulty,
  isDone,
  noteOf,
  readBody,
  statusOf,
  type TaskBody,
  type TaskItem,
  writeBody,
} from './batch-task-body.js';
import { guarded } from './guarded.js';
import type { Seal } from './seal.js';
import { startTaskNotes } from './task-notes.js';
import type { BatchTasks } from './types.js';

export interface BatchTasksDeps extends BatchRunDeps {
  store: Store;
  replicas: Pick<Replicas, 'takeLease' | 'releaseLease' | 'live'>;
  catalogue: () => Catalogue;
  /** of tokens in what is stored of a task */
  seal: Seal;
  /** how long a complete task can be asked about */
  retentionMs: () => number;
}

export interface RunningBatchTasks extends BatchTasks {
  /** Goes on with what a former process left, and begins to expire old tasks. */
  resume(): Promise<void>;
  stop(): Promise<void>;
}

const EXPIRE_EVERY_MS = 60_000;
const LOOK_EVERY_MS = 5_000;

/**
 * Registrations by the thousand, as durable tasks. A task is stored before it is answered and again when it is complete;
 * in between its state is in memory, but for tokens that must not be issued twice: after a crash it is simply done again,
 * and what it registered bears its id. Where there are several replicas, how far it is is stored now and then, and all of them
 * go by that, so that it never goes back, whichever is asked.
 */
export function createBatchTasks(deps: BatchTasksDeps): RunningBatchTasks {
  const { store, seal, log } = deps;
  const stopping = new AbortController();
  // one for each token that is asked for
  setMaxListeners(0, stopping.signal);
  const running = new Map<string, { task: StoredTask; body: TaskBody; done: Promise<void> }>();
  let timer: NodeJS.Timeout | undefined;
  let looking: NodeJS.Timeout | undefined;

  const start: BatchTasks['start'] = (context, batch) =>
    guarded(async () => {
      const catalogue = deps.catalogue();
      const version = catalogue.version(batch.versionName);
      if (version === undefined || (context.tenant !== undefined && version.tenant !== context.tenant))
        return noVersion(catalogue, batch.versionName);
      const id = context.requestId ?? randomUUID();
      const own = context.requestId === undefined ? undefined : await store.getTask(id);
      if (own !== undefined) return ok({ taskId: own.id, application: own.application });
      const items = batch.endpoints.map((item): TaskItem => ({
        endpointId: item.endpointId ?? randomUUID(),
        idGiven: item.endpointId !== undefined,
        tokenGiven: item.endpointToken !== undefined,
        metadata: item.metadata ?? {},
        ...(item.endpointToken === undefined ? {} : { token: item.endpointToken }),
      }));
      failFaulty(items);
      const body: TaskBody = {
        tenant: version.tenant,
        ...(context.subject === undefined ? {} : { creator: context.subject }),
        versionName: version.version,
        items,
      };
      const task: StoredTask = {
        id,
        application: version.application,
        createdMs: deps.now(),
        complete: false,
        body: writeBody(body, seal),
      };
      await deps.replicas.takeLease(leaseOf(id));
      await store.putTask(task);
      run(task, body, context.correlationId);
      return ok({ taskId: task.id, application: task.application });
    });

  function run(task: StoredTask, body: TaskBody, correlationId: string): void {
    const done = register(task, body, correlationId)
      .catch((error: unknown) =>
        log.error({ err: error, taskId: task.id }, 'a batch task failed; it goes on after the next start'),
      )
      .finally(() => {
        running.delete(task.id);
        // one that can't be released belongs to a session, and goes with it
        deps.replicas.releaseLease(leaseOf(task.id)).catch(() => undefined);
      });
    running.set(task.id, { task, body, done });
  }

  async function register(task: StoredTask, body: TaskBody, correlationId: string): Promise<void> {
    const write = (complete: boolean, stored: TaskBody) =>
      store.putTask({ ...task, complete, body: writeBody(stored, seal) });
    const save = async (complete: boolean) => {
      // an older state must not come behind it
      await notes.stop();
      await untilDone(() => write(complete, body), stopping.signal);
      notes = startNotes();
    };
    const startNotes = () =>
      startTaskNotes({
        done: () => body.items.filter(isDone).length,
        isWanted: isShared,
        write: () => write(false, noteOf(body)),
      });
    let notes = startNotes();
    try {
      await runBatch({ task, body, correlationId, save: () => save(false), stopping: stopping.signal }, deps);
      if (body.items.every(isDone)) await save(true);
    } finally {
      await notes.stop();
    }
  }

  const isShared = () => deps.replicas.live().length > 1;

  const status: BatchTasks['status'] = (context, application, taskId) =>
    guarded(async () => {
      const own = isShared() ? undefined : running.get(taskId);
      const task = own?.task ?? (await store.getTask(taskId));
      const unknown = refuse(
        'task-not-found',
        `The application "${application}" has no batch task "${taskId}".`,
      );
      if (task === undefined || task.application !== application) return unknown;
      const body = own?.body ?? readBody(task.body, seal);
      if (context.tenant !== undefined && context.tenant !== body.tenant) return unknown;
      return ok(statusOf(body));
    });

  /** Tasks that nobody works on: a process that did has died. */
  async function takeUp(): Promise<void> {
    for (const { id } of await store.openTasks()) {
      if (running.has(id) || stopping.signal.aborted || !(await deps.replicas.takeLease(leaseOf(id))))
        continue;
      // it may have been completed between the two
      const task = await store.getTask(id);
      if (task === undefined || task.complete) {
        await deps.replicas.releaseLease(leaseOf(id));
        continue;
      }
      log.info({ taskId: id }, 'a batch task goes on');
      run(task, readBody(task.body, seal), randomUUID());
    }
  }

  async function resume(): Promise<void> {
    await takeUp();
    if (store.replication !== undefined) {
      const look = () =>
        takeUp().catch((error: unknown) =>
          log.warn({ err: error }, 'batch tasks of dead replicas could not be looked for; trying again'),
        );
      looking = setInterval(() => void look(), LOOK_EVERY_MS);
      looking.unref();
    }
    const expire = () => {
      store
        .expireTasks(deps.now() - deps.retentionMs())
        .catch((error: unknown) =>
          log.warn({ err: error }, 'old batch tasks could not be removed; tried again in a minute'),
        );
    };
    expire();
    timer = setInterval(expire, EXPIRE_EVERY_MS);
    timer.unref();
  }

  return {
    start,
    status,
    resume,
    async stop() {
      stopping.abort();
      clearInterval(timer);
      clearInterval(looking);
      await Promise.all([...running.values()].map(({ done }) => done));
    },
  };
}

function leaseOf(taskId: string): string {
  return `task/${taskId}`;
}
