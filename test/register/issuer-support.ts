import { pino } from 'pino';
import type { Test } from 'tap';
import { createCredentialManagement } from '../../src/peers/index.js';
import type { Registration } from '../../src/register/index.js';
import type { Store } from '../../src/storage/index.js';
import { type CredentialServer, startCredentialServer } from '../peers/credential-server.js';
import { makeClient } from '../peers/support.js';
import { startMongo } from '../servers/index.js';
import { CONTEXT, type Running, startIn, valueOf } from './support.js';

export const KEEPERS = ['embedded', 'mongodb'] as const;

export interface Place {
  running: Running;
  cm: CredentialServer;
  /** done before what they are named for; they may reject */
  before: Partial<Record<'commit' | 'putAnswer' | 'putTask', () => Promise<void>>>;
  /** another one on the same storage, when this one has stopped; nothing is done before its writes */
  restart(): Promise<Running>;
}

/** A register whose tokens come from credential management. Undefined when the keeper is not installed. */
export async function startPlace(
  t: Test,
  keeper: (typeof KEEPERS)[number] = 'embedded',
  attemptMs = 1000,
): Promise<Place | undefined> {
  const folder = t.testdir({});
  const mongo = keeper === 'mongodb' ? await startMongo(t) : undefined;
  if (keeper === 'mongodb' && mongo === undefined) return undefined;
  const cm = await startCredentialServer(t);
  const { client } = makeClient(t, {
    url: cm.url,
    limits: { attemptMs, callMs: 2 * attemptMs, failuresToOpen: 20, openFirstMs: 20, openMostMs: 20 },
  });
  const before: Place['before'] = {};
  const wrap = (store: Store): Store => ({
    ...store,
    commit: async (writes) => before.commit?.().then(() => store.commit(writes)) ?? store.commit(writes),
    putAnswer: async (kept) =>
      before.putAnswer?.().then(() => store.putAnswer(kept)) ?? store.putAnswer(kept),
    putTask: async (task) => before.putTask?.().then(() => store.putTask(task)) ?? store.putTask(task),
  });
  const begin = () =>
    startIn(t, folder, {
      wrap,
      issuer: createCredentialManagement({ client, log: pino({ level: 'silent' }) }),
      ...(mongo === undefined ? {} : { storageUrl: mongo.url }),
    });
  const running = await begin();
  return {
    running,
    cm,
    before,
    async restart() {
      await running.stop();
      for (const name of Object.keys(before)) delete before[name as keyof typeof before];
      return begin();
    },
  };
}

export function register({ register }: Running, registration: Partial<Registration>, requestId?: string) {
  const context = requestId === undefined ? CONTEXT : { ...CONTEXT, requestId };
  return register.endpoints.register(context, { versionName: 'v1', metadata: {}, ...registration });
}

export async function statusOf({ register }: Running, taskId: string) {
  return valueOf(await register.batches.status(CONTEXT, 'app', taskId));
}
