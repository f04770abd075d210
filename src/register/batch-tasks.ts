import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Catalogue } from '../model/catalogue.js';
import { type ErrorCode, refuse } from '../model/errors.js';
import type { JsonObject } from '../model/json.js';
import { ok, type Outcome } from '../model/outcome.js';
import type { StoredTask, Store } from '../storage/index.js';
import { registrationFault } from './endpoints.js';
import { guarded } from './guarded.js';
import type { Pipeline } from './pipeline.js';
import type { Tokens } from './tokens.js';
import type { BatchStatus, BatchTasks } from './types.js';

export interface BatchTasksDeps {
  store: Store;
  pipeline: Pipeline;
  catalogue: () => Catalogue;
  tokens: Tokens;
  now: () => number;
  /** how long a complete task can be asked about */
  retentionMs: () => number;
  log: Logger;
}

export interface RunningBatchTasks extends BatchTasks {
  /** Goes on with what a former process left, and begins to expire old tasks. */
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/** A task as it is stored: ids and tokens are made before, so that doing it again after a crash is the same. */
interface TaskBody {
  tenant: string;
  versionName: string;
  items: TaskItem[];
}

interface TaskItem {
  endpointId: string;
  token: string;
  /** whether the caller gave them; what was made here for a failed item means nothing */
  idGiven: boolean;
  tokenGiven: boolean;
  metadata: JsonObject;
  /** absent while it is not done; null when it is registered */
  failure?: Failure | null;
}

interface Failure {
  code: ErrorCode;
  message: string;
}

const RETRY_MS = 500;
/** Items of one task that are under way at a time: the queue is for others, too. */
const WINDOW = 256;
/** An item that fails here so often, for a fault of ours, is given up with that reason. */
const MAX_FAULTS = 5;
const EXPIRE_EVERY_MS = 60_000;

/**
 * Registrations by the thousand, as durable tasks. A task is stored before it is answered and again when it is complete;
 * in between its state is in memory, for after a crash it is simply done again: what it registered bears its id.
 */
export function createBatchTasks(deps: BatchTasksDeps): RunningBatchTasks {
  const { store, pipeline, log } = deps;
  const running = new Map<string, { task: StoredTask; body: TaskBody; done: Promise<void> }>();
  let stopping = false;
  let timer: NodeJS.Timeout | undefined;

  const start: BatchTasks['start'] = (context, batch) =>
    guarded(async () => {
      const version = deps.catalogue().version(batch.versionName);
      if (version === undefined || (context.tenant !== undefined && version.tenant !== context.tenant)) {
        return refuse(
          'application-version-not-found',
          `There is no application version "${batch.versionName}".`,
        );
      }
      const id = context.requestId ?? randomUUID();
      const own = context.requestId === undefined ? undefined : await store.getTask(id);
      if (own !== undefined) return ok({ taskId: own.id, application: own.application });
      const items = batch.endpoints.map((item): TaskItem => ({
        endpointId: item.endpointId ?? randomUUID(),
        token: item.endpointToken ?? deps.tokens.make(),
        idGiven: item.endpointId !== undefined,
        tokenGiven: item.endpointToken !== undefined,
        metadata: item.metadata ?? {},
      }));
      refuseRepeated(items);
      const body: TaskBody = { tenant: version.tenant, versionName: version.version, items };
      const task: StoredTask = {
        id,
        application: version.application,
        createdMs: deps.now(),
        complete: false,
        body: JSON.stringify(body),
      };
      await store.putTask(task);
      run(task, body, context.correlationId);
      return ok({ taskId: task.id, application: task.application });
    });

  function run(task: StoredTask, body: TaskBody, correlationId: string): void {
    const done = register(task, body, correlationId)
      .catch((error: unknown) =>
        log.error({ err: error, taskId: task.id }, 'a batch task failed; it goes on after the next start'),
      )
      .finally(() => running.delete(task.id));
    running.set(task.id, { task, body, done });
  }

  async function register(task: StoredTask, body: TaskBody, correlationId: string): Promise<void> {
    const items = body.items.values();
    const registerSome = async () => {
      for (const item of items) await registerItem(task, body, item, correlationId);
    };
    await Promise.all(Array.from({ length: WINDOW }, registerSome));
    if (stopping && body.items.some((item) => item.failure === undefined)) return;
    const complete = { ...task, complete: true, body: JSON.stringify(body) };
    for (;;) {
      try {
        return await store.putTask(complete);
      } catch (error) {
        if (stopping) throw error;
        await pause(RETRY_MS);
      }
    }
  }

  async function registerItem(
    task: StoredTask,
    body: TaskBody,
    item: TaskItem,
    correlationId: string,
  ): Promise<void> {
    if (item.failure !== undefined) return;
    const fault = registrationFault({ endpointId: item.endpointId, endpointToken: item.token });
    if (fault !== undefined) {
      item.failure = { code: fault.code, message: fault.message };
      return;
    }
    const version = { tenant: body.tenant, application: task.application, version: body.versionName };
    const tokenHash = deps.tokens.hash(task.application, item.token);
    for (let faults = 0; ;) {
      if (stopping) return;
      const outcome: Outcome = await pipeline.submit({
        type: 'register',
        endpointId: item.endpointId,
        correlationId,
        timestampMs: deps.now(),
        version,
        metadataText: JSON.stringify(item.metadata),
        tokenHash,
        task: task.id,
      });
      if (outcome.kind === 'retry') {
        if (outcome.code === 'internal' && ++faults === MAX_FAULTS) {
          item.failure = { code: outcome.code, message: outcome.message };
          return;
        }
        await pause(RETRY_MS);
        continue;
      }
      item.failure = outcome.kind === 'refused' ? { code: outcome.code, message: outcome.message } : null;
      return;
    }
  }

  const status: BatchTasks['status'] = (context, application, taskId) =>
    guarded(async () => {
      const task = running.get(taskId)?.task ?? (await store.getTask(taskId));
      const unknown = refuse(
        'task-not-found',
        `The application "${application}" has no batch task "${taskId}".`,
      );
      if (task === undefined || task.application !== application) return unknown;
      const body = running.get(taskId)?.body ?? (JSON.parse(task.body) as TaskBody);
      if (context.tenant !== undefined && context.tenant !== body.tenant) return unknown;
      return ok(statusOf(body));
    });

  async function resume(): Promise<void> {
    for (const task of await store.openTasks()) {
      log.info({ taskId: task.id }, 'a batch task goes on');
      run(task, JSON.parse(task.body) as TaskBody, randomUUID());
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
      stopping = true;
      clearInterval(timer);
      await Promise.all([...running.values()].map(({ done }) => done));
    },
  };
}

/** The second item with an id is refused here: to the pipeline it would look like the first, done again after a crash. */
function refuseRepeated(items: readonly TaskItem[]): void {
  const seen = new Set<string>();
  for (const item of items) {
    if (seen.has(item.endpointId)) {
      const message = `The batch has an earlier endpoint with the id "${item.endpointId}".`;
      item.failure = { code: 'endpoint-exists', message };
    }
    seen.add(item.endpointId);
  }
}

function statusOf(body: TaskBody): BatchStatus {
  const status: BatchStatus = { createdCount: 0, failedCount: 0, created: [], failed: [] };
  for (const item of body.items) {
    if (item.failure === undefined) continue;
    if (item.failure === null) {
      status.created.push({
        endpointToken: item.token,
        endpointId: item.endpointId,
        metadata: item.metadata,
      });
    } else {
      status.failed.push({
        endpointToken: item.tokenGiven ? item.token : null,
        endpointId: item.idGiven ? item.endpointId : null,
        metadata: JSON.stringify(item.metadata),
        status: 'FAILED',
        code: item.failure.code,
        statusReason: item.failure.message,
      });
    }
  }
  status.createdCount = status.created.length;
  status.failedCount = status.failed.length;
  return status;
}
