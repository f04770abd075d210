import { type ErrorCode, refuse } from '../model/errors.js';
import type { JsonObject } from '../model/json.js';
import { registrationFault } from './registration-checks.js';
import type { Seal } from './seal.js';
import type { BatchStatus } from './types.js';

/** What a batch task is to do, and what it has done. */
export interface TaskBody {
  tenant: string;
  /** who asked for it; absent: nobody was asked who they are */
  creator?: string;
  versionName: string;
  items: TaskItem[];
}

export interface TaskItem {
  /** made before the task is stored, so that doing it again after a crash is the same */
  endpointId: string;
  /** whether the caller gave it; what was made here for a failed item means nothing */
  idGiven: boolean;
  tokenGiven: boolean;
  metadata: JsonObject;
  /** absent until it is issued, where it is made */
  token?: string;
  /** it was issued by who would not issue it again, and is stored since: after a crash it is not asked for any more */
  issued?: true;
  /** absent while it is not done; null when it is registered */
  failure?: Failure | null;
}

export interface Failure {
  code: ErrorCode;
  message: string;
}

/** As it is stored: tokens apart, sealed, in the places of their items. */
interface StoredBody extends Omit<TaskBody, 'items'> {
  items: Omit<TaskItem, 'token'>[];
  tokens: string;
}

export function writeBody({ items, ...rest }: TaskBody, seal: Seal): string {
  const stored: StoredBody = {
    ...rest,
    items: items.map(({ token: _sealed, ...item }) => item),
    tokens: seal.close(JSON.stringify(items.map(({ token }) => token ?? null))),
  };
  return JSON.stringify(stored);
}

export function isDone({ failure }: TaskItem): boolean {
  return failure !== undefined;
}

/**
 * What is stored of one that goes on: without tokens that were made for items that are not done, for whoever does them again
 * would take those for given ones.
 */
export function noteOf({ items, ...rest }: TaskBody): TaskBody {
  const keeps = (item: TaskItem) => isDone(item) || item.tokenGiven || item.issued === true;
  const withoutToken = ({ token: _made, ...item }: TaskItem): TaskItem => item;
  return { ...rest, items: items.map((item) => (keeps(item) ? item : withoutToken(item))) };
}

export function readBody(text: string, seal: Seal): TaskBody {
  const { tokens: sealed, items, ...rest } = JSON.parse(text) as StoredBody;
  // tasks of an earlier version have tokens in their items
  if (sealed === undefined) return { ...rest, items };
  const tokens = JSON.parse(seal.open(sealed)) as (string | null)[];
  return {
    ...rest,
    items: items.map((item, i) => {
      const token = tokens[i];
      return token == null ? item : { ...item, token };
    }),
  };
}

/** Fails what can be seen to be wrong: nothing is asked or written for it. */
export function failFaulty(items: readonly TaskItem[]): void {
  const seen = new Set<string>();
  for (const item of items) {
    const fault = registrationFault({
      endpointId: item.endpointId,
      ...(item.token === undefined ? {} : { endpointToken: item.token }),
    });
    // the second item with an id would look to the pipeline like the first, done again after a crash
    const repeated = seen.has(item.endpointId)
      ? refuse('endpoint-exists', `The batch has an earlier endpoint with the id "${item.endpointId}".`)
      : undefined;
    const refusal = repeated ?? fault;
    if (refusal !== undefined) item.failure = { code: refusal.code, message: refusal.message };
    seen.add(item.endpointId);
  }
}

export function statusOf(body: TaskBody): BatchStatus {
  const status: BatchStatus = { createdCount: 0, failedCount: 0, created: [], failed: [] };
  for (const item of body.items) {
    if (item.failure === undefined) continue;
    if (item.failure === null) {
      status.created.push({
        endpointToken: item.token!,
        endpointId: item.endpointId,
        metadata: item.metadata,
      });
    } else {
      status.failed.push({
        endpointToken: item.tokenGiven ? item.token! : null,
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
