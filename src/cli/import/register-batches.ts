import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, ERRORS, statusOf } from '../../model/errors.js';
import { ask, endingFailure, type AskDeps } from '../ask.js';
import { CliFailure, asError } from '../failure.js';
import { errorOf, type HttpAnswer } from '../http.js';
import type { RegistrationItem } from './check-line.js';
import type { Entry, LineResult } from './ledger.js';
import type { Sender } from './sender.js';

export interface RegisterBatchesOptions {
  /** batch tasks in flight */
  concurrency: number;
  onToken: (endpointId: string, token: string) => void;
  /** The register takes no line of it from who asks, so its lines fail; called for each batch of them. */
  onRefusedVersion: (versionName: string, refusal: { code: VersionRefusal; message: string }) => void;
}

/** What is wrong with one version, and says nothing of others. */
const VERSION_REFUSALS = ['application-version-not-found', 'application-not-found', 'forbidden'] as const;
export type VersionRefusal = (typeof VERSION_REFUSALS)[number];

/** Fixed by the contract of `POST /endpoints/batch`. */
const BATCH_ITEMS = 1000;
/** Half of what a register takes as one body by default. */
const BATCH_BYTES = 4 * 1024 * 1024;
/** Lines held for all versions together while their batches fill. */
const HELD_ITEMS = 4 * BATCH_ITEMS;
/** How long a batch may fill. */
const FILL_MS = 500;
const FIRST_POLL_MS = 20;
const LONGEST_POLL_MS = 1000;

interface Item {
  entry: Entry;
  item: RegistrationItem;
}

interface Batch {
  versionName: string;
  items: Item[];
  bytes: number;
  /** sends it though it is not full, so that a slow input is not held back */
  timer: NodeJS.Timeout;
}

interface TaskStatus {
  createdCount: number;
  failedCount: number;
  created: { endpointToken?: string; endpointId?: string }[];
  failed: { endpointId?: string | null; code?: string; statusReason?: string }[];
}

/** Registers by `POST /endpoints/batch`: a task a thousand lines of one application version, several at once. */
export function createRegisterBatches(
  deps: AskDeps,
  options: RegisterBatchesOptions,
): Sender<'registration'> {
  const filling = new Map<string, Batch>();
  const running = new Set<Promise<void>>();
  let held = 0;
  let fault: Error | undefined;

  const start = async (batch: Batch): Promise<void> => {
    clearInterval(batch.timer);
    filling.delete(batch.versionName);
    held -= batch.items.length;
    while (running.size >= options.concurrency) await Promise.race(running);
    if (fault !== undefined) throw fault;
    const run = registerBatch(batch.versionName, batch.items)
      .catch((error: unknown) => (fault ??= asError(error)))
      .then(() => void running.delete(run));
    running.add(run);
  };

  const open = (versionName: string): Batch => {
    const timer = setInterval(() => {
      // a fault is kept, and told by the next call; where all tasks are busy, the batch may as well fill
      if (running.size < options.concurrency) start(batch).catch(() => undefined);
    }, FILL_MS).unref();
    const batch: Batch = { versionName, items: [], bytes: 0, timer };
    filling.set(versionName, batch);
    return batch;
  };

  const registerBatch = async (versionName: string, items: Item[]): Promise<void> => {
    const body = JSON.stringify({
      appVersion: { name: versionName },
      endpoints: items.map(({ item }) => item),
    });
    // a repeated POST whose answer was lost must not start a second task
    const headers = { 'content-type': 'application/json', 'idempotency-key': randomUUID() };
    const answer = await ask(deps, { method: 'POST', path: '/api/v1/endpoints/batch', headers, body });
    if (answer.status === 202) {
      settleAll(items, await followTask(statusPath(answer), items.length));
      return;
    }
    const { code, message } = errorOf(answer);
    const refusal = VERSION_REFUSALS.find((each) => each === code);
    if (refusal !== undefined) {
      options.onRefusedVersion(versionName, { code: refusal, message });
      for (const { entry } of items)
        entry.settle({ kind: 'failed', status: answer.status, code: refusal, message });
      return;
    }
    const ending = endingFailure(answer);
    if (ending !== undefined) throw ending;
    await setFaultyApart(versionName, items, answer);
  };

  /** The whole batch was refused for what is wrong with some items: those fail, the rest is sent again. */
  const setFaultyApart = async (versionName: string, items: Item[], answer: HttpAnswer): Promise<void> => {
    const { code, message, details } = errorOf(answer);
    const faulty = new Map<number, string>();
    for (const detail of details ?? []) {
      const match = /^[/.]?endpoints[/.[](\d+)\b/.exec(detail.path);
      if (match !== null)
        faulty.set(
          Number(match[1]),
          [faulty.get(Number(match[1])), detail.message].filter(Boolean).join(' '),
        );
    }
    if (items.length === 1) faulty.set(0, faulty.get(0) ?? message);
    for (const [index, text] of faulty)
      items[index]?.entry.settle({
        kind: 'failed',
        status: answer.status,
        code: code ?? 'refused',
        message: text,
      });
    const rest = items.filter((_, index) => !faulty.has(index));
    if (rest.length === 0) return;
    if (rest.length < items.length) return registerBatch(versionName, rest);
    const half = Math.ceil(rest.length / 2);
    await registerBatch(versionName, rest.slice(0, half));
    await registerBatch(versionName, rest.slice(half));
  };

  const followTask = async (path: string, sent: number): Promise<TaskStatus> => {
    for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(LONGEST_POLL_MS, pollMs * 1.6)) {
      await sleep(pollMs, undefined, { signal: deps.signal });
      const answer = await ask(deps, { method: 'GET', path });
      if (answer.status === 404) {
        throw new CliFailure(
          `${errorOf(answer).message} The register took a batch, but its status is not found at ${path}.`,
        );
      }
      if (answer.status !== 200) {
        throw (
          endingFailure(answer) ??
          new CliFailure(
            `The status of a batch can not be read (${answer.status}: ${errorOf(answer).message})`,
          )
        );
      }
      const status = JSON.parse(answer.body.toString('utf8')) as TaskStatus;
      if (status.createdCount + status.failedCount >= sent) return status;
    }
  };

  const settleAll = (items: readonly Item[], status: TaskStatus): void => {
    const results = resultsById(status);
    for (const { entry, item } of items) {
      // of lines that repeat an id the first is created, if any is
      const { result, token } = results.get(item.endpointId)?.shift() ?? UNTOLD;
      if (token !== undefined) options.onToken(item.endpointId, token);
      entry.settle(result);
    }
  };

  return {
    async send(entry, checked) {
      if (fault !== undefined) throw fault;
      const bytes = entry.line.bytes.length;
      let batch = filling.get(checked.versionName);
      if (batch !== undefined && batch.bytes + bytes > BATCH_BYTES) {
        await start(batch);
        batch = undefined;
      }
      batch ??= open(checked.versionName);
      batch.items.push({ entry, item: checked.item });
      batch.bytes += bytes;
      held++;
      if (batch.items.length >= BATCH_ITEMS) await start(batch);
      else if (held >= HELD_ITEMS) await start(largest(filling));
    },
    async drain() {
      for (const batch of [...filling.values()]) await start(batch);
      await Promise.all(running);
      if (fault !== undefined) throw fault;
    },
  };
}

function largest(filling: ReadonlyMap<string, Batch>): Batch {
  return [...filling.values()].reduce((a, b) => (b.items.length > a.items.length ? b : a));
}

/**
 * Where `Location` says that the status is. Asked of the register that took the batch, whatever host the address names:
 * behind a proxy that may be one that is not reached from here, and the token is not for others.
 */
function statusPath(answer: HttpAnswer): string {
  const location = /\/api\/v1\/endpoints\/batch\/.*$/.exec(answer.headers.location ?? '');
  if (location !== null) return location[0];
  throw new CliFailure(
    `What answers at --url is no endpoint register of this version (202 for a batch, with the Location ${JSON.stringify(answer.headers.location ?? null)}).`,
  );
}

interface ItemResult {
  result: LineResult;
  token?: string | undefined;
}

const UNTOLD: ItemResult = {
  result: {
    kind: 'failed',
    code: 'batch-item-untold',
    message: 'The register says nothing of this line.',
  },
};

/** What became of each id, in the order of the lines that name it. */
function resultsById({ created, failed }: TaskStatus): Map<string, ItemResult[]> {
  const results = new Map<string, ItemResult[]>();
  const add = (endpointId: string | null | undefined, result: ItemResult): void => {
    if (typeof endpointId !== 'string') return;
    const before = results.get(endpointId);
    if (before === undefined) results.set(endpointId, [result]);
    else before.push(result);
  };
  for (const { endpointId, endpointToken } of created)
    add(endpointId, { result: { kind: 'registered' }, token: endpointToken });
  for (const { endpointId, code, statusReason } of failed) {
    // a line that repeats an id finds it there, be it in its own batch
    if (code === 'endpoint-exists') add(endpointId, { result: { kind: 'alreadyThere' } });
    else {
      const message = statusReason ?? '';
      const status = code !== undefined && code in ERRORS ? { status: statusOf(code as ErrorCode) } : {};
      add(endpointId, { result: { kind: 'failed', ...status, code: code ?? 'refused', message } });
    }
  }
  return results;
}
