import type { Logger } from 'pino';
import type { EndpointLimits } from '../model/endpoint.js';
import type { Outcome } from '../model/outcome.js';
import type { StoredTask, Store } from '../storage/index.js';
import type { TaskBody, TaskItem } from './batch-task-body.js';
import { each } from '../model/each.js';
import { createIdTurns } from './id-turns.js';
import { pause } from './pace.js';
import type { Pipeline } from './pipeline.js';
import { foresee } from './registration-checks.js';
import { retryOf } from './registrations.js';
import type { ResourceCare } from './resource-care.js';
import type { Issued, TokenIssuer } from './token-issuer.js';

export interface BatchRunDeps {
  store: Pick<Store, 'load'>;
  pipeline: Pick<Pipeline, 'submit'>;
  issuer: TokenIssuer;
  care: Pick<ResourceCare, 'registering'> | undefined;
  limits: () => EndpointLimits;
  now: () => number;
  log: Logger;
}

export interface BatchRun {
  task: StoredTask;
  body: TaskBody;
  correlationId: string;
  /** stores the body as it is now; tried until it is done, or the service stops */
  save: () => Promise<void>;
  /** aborted when the service stops: what is left is done after the next start */
  stopping: AbortSignal;
}

const RETRY_MS = 500;
/** Items of one task that are under way at a time: the queue is for others, too. */
const WINDOW = 256;
/** The same, where each needs a resource first: a few of them are made at a time, whoever asks, and the rest would only wait. */
const WINDOW_WITH_RESOURCES = 8;
/** An auth server that is away, or has too much to do, is asked less and less often. */
const AWAY_FIRST_MS = 500;
const AWAY_MOST_MS = 15_000;
/** Tokens that are issued before they are stored at once, and may be issued again after a crash in between. */
const ROUND = 500;
/** Tokens of one task that are asked for at a time. */
const ASKED_AT_ONCE = 64;
/** An item that fails here so often, for a fault of ours or of who issues tokens, is given up with that reason. */
const MAX_FAULTS = 5;

interface Ready {
  item: TaskItem;
  hash: string | undefined;
}

/**
 * Does what a task has left. In rounds, where tokens are issued that nobody takes back: a round's tokens are issued, then
 * stored, then used, so that after a crash an item that is done, and all whose tokens are stored, get no other one.
 * Returns early, with items left, when the service stops.
 */
export async function runBatch(run: BatchRun, deps: BatchRunDeps): Promise<void> {
  const { issuer, pipeline, log } = deps;
  const { task, body, correlationId, stopping } = run;
  const version = { tenant: body.tenant, application: task.application, version: body.versionName };
  const places = new Map(body.items.map((item, i) => [item, i]));
  const faults = new Map<TaskItem, number>();
  const turns = createIdTurns(Infinity);
  const window = deps.care === undefined ? WINDOW : WINDOW_WITH_RESOURCES;
  let isWaiting = false;

  /** Those that were given one token one after the other: the first of them gets it, not whichever is faster. */
  const inTurn = ({ tokenGiven, token }: TaskItem, work: () => Promise<void>): Promise<void> =>
    tokenGiven ? turns.take(token!, work)! : work();

  /** True: it is given up. */
  const giveUp = (item: TaskItem, failure: NonNullable<TaskItem['failure']>): boolean => {
    const count = (faults.get(item) ?? 0) + 1;
    faults.set(item, count);
    if (count < MAX_FAULTS) return false;
    item.failure = { code: failure.code, message: failure.message };
    return true;
  };

  async function askFor(item: TaskItem): Promise<Issued> {
    if (item.issued) return { kind: 'issued', token: item.token! };
    return issuer.issue({
      tenant: body.tenant,
      application: task.application,
      endpointId: item.endpointId,
      correlationId,
      requestId: `${task.id}/${places.get(item)!}`,
      isOfTask: true,
      signal: stopping,
      ...(item.token === undefined ? {} : { token: item.token }),
    });
  }

  /** Those that have a token, and those that are to be tried again. Others have failed. */
  async function issueAll(items: readonly TaskItem[]): Promise<{ ready: Ready[]; again: TaskItem[] }> {
    const ready: Ready[] = [];
    const again: TaskItem[] = [];
    let isAway = false;
    const issue = async (item: TaskItem) => {
      const issued: Issued = isAway ? AWAY : await askFor(item);
      if (issued.kind === 'issued') {
        item.token = issued.token;
        ready.push({ item, hash: issued.hash });
      } else if (issued.kind === 'refused') {
        item.failure = { code: issued.code, message: refusalOf(item, issued.message) };
      } else if (issued.cause !== 'failed' || !giveUp(item, retryOf(issued))) {
        isAway ||= issued.cause !== 'failed';
        again.push(item);
      }
    };
    await each(items, ASKED_AT_ONCE, (item) => inTurn(item, () => issue(item)));
    if (isAway !== isWaiting && !stopping.aborted) {
      isWaiting = isAway;
      if (isAway) log.warn({ taskId: task.id }, 'a batch task waits for tokens');
      else log.info({ taskId: task.id }, 'a batch task gets tokens again');
    }
    return { ready, again };
  }

  /** An earlier try of a given token may have come to something, though its answer was lost. */
  function refusalOf(item: TaskItem, message: string): string {
    if (!item.tokenGiven || !faults.has(item)) return message;
    return `${message} It may have been issued to this very endpoint: an earlier try had no answer.`;
  }

  /** Those whose tokens are worth asking for. Others are done already, or have failed. */
  async function foreseen(items: readonly TaskItem[]): Promise<TaskItem[]> {
    const records = await untilDone(
      () => deps.store.load(items.map(({ endpointId }) => endpointId)),
      stopping,
    );
    const limits = deps.limits();
    return items.filter((item, i) => {
      const { endpointId, metadata } = item;
      const found = foresee(records[i], { endpointId, metadata, task: task.id }, limits);
      if (typeof found === 'object') item.failure = { code: found.code, message: found.message };
      // its token was issued before it was registered
      else if (found === 'done' && item.tokenGiven) item.issued = true;
      return typeof found !== 'object';
    });
  }

  async function register({ item, hash }: Ready): Promise<void> {
    for (let awayMs = AWAY_FIRST_MS; !stopping.aborted;) {
      const outcome = await submit(item, hash);
      if (outcome.kind !== 'retry') {
        item.failure = outcome.kind === 'refused' ? { code: outcome.code, message: outcome.message } : null;
        return;
      }
      if (outcome.code === 'internal' && giveUp(item, outcome)) return;
      const isAway = outcome.code === 'auth-server-unavailable';
      await pause(isAway ? awayMs * (0.5 + Math.random() / 2) : RETRY_MS, stopping);
      if (isAway) awayMs = Math.min(AWAY_MOST_MS, 2 * awayMs);
    }
  }

  function submit({ endpointId, metadata }: TaskItem, hash: string | undefined): Promise<Outcome> {
    const work = () =>
      pipeline.submit({
        type: 'register',
        endpointId,
        correlationId,
        timestampMs: deps.now(),
        version,
        metadataText: JSON.stringify(metadata),
        ...(hash === undefined ? {} : { tokenHash: hash }),
        task: task.id,
      });
    if (deps.care === undefined) return work();
    const creator = body.creator === undefined ? {} : { creator: body.creator };
    const { tenant } = body;
    const of = { tenant, endpointId, correlationId, ...creator, isOfTask: true, signal: stopping } as const;
    return deps.care.registering(of, work);
  }

  let open = body.items.filter(({ failure }) => failure === undefined);
  while (open.length > 0 && !stopping.aborted) {
    const round = issuer.repeatable ? open : open.slice(0, ROUND);
    const later = open.slice(round.length);
    const { ready, again } = await issueAll(issuer.repeatable ? round : await foreseen(round));
    if (!issuer.repeatable && ready.some(({ item }) => item.issued !== true)) {
      for (const { item } of ready) item.issued = true;
      await run.save();
    }
    await each(ready, window, (one) => inTurn(one.item, () => register(one)));
    open = [...later, ...again];
    if (again.length > 0 && (ready.length === 0 || later.length === 0)) await pause(RETRY_MS, stopping);
  }
}

/** Tries until it is done; rejects as the work did when the service stops before. */
export async function untilDone<T>(work: () => Promise<T>, stopping: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (stopping.aborted) throw error;
      await pause(RETRY_MS, stopping);
    }
  }
}

const AWAY: Issued = { kind: 'unissued', cause: 'away', message: '' };
