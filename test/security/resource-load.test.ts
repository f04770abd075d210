/** A batch makes thousands of resources; the auth server that makes them decides for everybody else at the same time. */
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import t, { type Test } from 'tap';
import { createPeerClient, createPeerMetrics, type PeerLimits } from '../../src/peers/index.js';
import {
  createAuthServers,
  createConfiguredTenants,
  createEndpointResources,
  createServiceTokens,
  createUma,
  type VerifiedToken,
} from '../../src/security/index.js';
import { answer, type Behaviour, reset } from '../peers/support.js';
import { CONTEXT, type Running, start, valueOf } from '../register/support.js';
import { type Issuer, startIssuer } from './issuer.js';

/** A register with resources at this auth server, and who else asks that server. */
async function startWith(t: Test, issuer: Issuer, limits: Partial<PeerLimits> = {}) {
  const lines: { level: number; msg: string }[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[number]);
  const log = pino({ level: 'info' }, { write });
  const metrics = createPeerMetrics(new Registry());
  const silent = pino({ level: 'silent' });
  const authServers = createAuthServers({
    connect: (peer) =>
      createPeerClient({ ...peer, limits: { ...peer.limits, ...limits } }, { log: silent, metrics }),
  });
  t.teardown(() => authServers.close());
  const { url } = issuer;
  const tenants = createConfiguredTenants({ kaa: { issuer: url, authServerUrl: url, clientSecret: 's' } });
  const tokens = createServiceTokens({ authServers });
  const resources = createEndpointResources({ tenants, tokens, changed: () => undefined, log });
  const running = await start(t, { resources });
  const uma = createUma({ authServers, log });
  const token: VerifiedToken = {
    tenant: tenants.byName('kaa')!,
    subject: 'alice',
    realmRoles: new Set(),
    permissions: [],
    expiresMs: Infinity,
    token: 'a.b.c',
  };
  issuer.decide(answer(200, { result: true }));
  return { running, lines, decide: () => uma.ask(token, 'endpoint:read', ['endpoint-x']) };
}

const idsOf = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);

async function startBatch({ register }: Running, ids: readonly string[]) {
  const endpoints = ids.map((endpointId) => ({ endpointId }));
  const { application, taskId } = valueOf(
    await register.batches.start(CONTEXT, { versionName: 'v1', endpoints }),
  );
  return async () => valueOf(await register.batches.status(CONTEXT, application, taskId)).createdCount;
}

const registerOne = ({ register }: Running, endpointId: string) =>
  register.endpoints.register(CONTEXT, { endpointId, versionName: 'v1', metadata: {} });

const until = async (is: () => boolean | Promise<boolean>) => {
  while (!(await is())) await pause(10);
};

/** Makes resources when it is let. */
function createMaker() {
  const made = answer(201, { _id: 'id' });
  const held = new Map<string, () => void>();
  let most = 0;
  let isFree = false;
  const behave: Behaviour = (response, asked) => {
    if (asked.method !== 'POST' || isFree) return made(response, asked);
    const { name } = JSON.parse(asked.body) as { name: string };
    held.set(name, () => {
      held.delete(name);
      made(response, asked);
    });
    most = Math.max(most, held.size);
  };
  return {
    behave,
    held,
    most: () => most,
    goOn() {
      isFree = true;
      for (const go of [...held.values()]) go();
    },
  };
}

void t.test('a slow auth server: few are under way, others are served between them', async (t) => {
  const issuer = await startIssuer(t);
  const maker = createMaker();
  issuer.keep(maker.behave);
  const { running, decide, lines } = await startWith(t, issuer);
  const created = await Promise.all([1, 2, 3].map((n) => startBatch(running, idsOf(`task-${n}`, 40))));
  await until(() => maker.held.size === 4);
  const singles = idsOf('single', 6).map((id) => registerOne(running, id));
  await until(() => maker.held.size === 8);
  t.same(await decide(), [true], 'who asks for a decision does not wait for them');
  const isSingle = (name: string) => name.startsWith('endpoint-single');
  t.equal([...maker.held.keys()].filter(isSingle).length, 4, 'registrations do not wait for batches');
  let singlesDone = false;
  void Promise.all(singles).then(() => (singlesDone = true));
  await until(() => {
    for (const [name, go] of [...maker.held]) if (isSingle(name)) go();
    return singlesDone;
  });
  for (const single of singles) t.equal((await single).kind, 'ok');
  t.same(await Promise.all(created.map((count) => count())), [0, 0, 0], 'while batches wait');
  t.same(await decide(), [true]);
  for (let n = 0; n < 30; n++) {
    await until(() => maker.held.size > 0);
    [...maker.held.values()][0]!();
  }
  t.equal(maker.most(), 8);
  maker.goOn();
  await until(async () => (await Promise.all(created.map((count) => count()))).every((n) => n === 40));
  t.same(lines, []);
});

for (const [how, behaviour, told] of [
  ['does not answer', reset, /is away, or too slow/],
  ['is too slow', () => undefined, /is away, or too slow/],
  ['refuses', answer(403, { error: 'access_denied' }), /its client needs authorization with UMA protection/],
] as const)
  void t.test(`a batch while its auth server ${how}`, async (t) => {
    const issuer = await startIssuer(t);
    issuer.keep(behaviour);
    const { running, decide, lines } = await startWith(t, issuer, {
      ...(how === 'is too slow' ? { attemptMs: 100 } : {}),
      attempts: 1,
      openFirstMs: 100,
      openMostMs: 100,
    });
    const created = await startBatch(running, idsOf('e', 100));
    await until(() => lines.length > 0);
    for (let n = 0; n < 20; n++) {
      t.same(await decide(), [true], 'that it makes none keeps nobody from being let in');
      await pause(20);
    }
    t.match(lines, [{ msg: told }], 'one line, whatever comes of how many');
    t.match(await registerOne(running, 'single'), { kind: 'retry', code: 'auth-server-unavailable' });
    issuer.keep(answer(201, { _id: 'id' }));
    await until(async () => (await created()) === 100);
    t.equal((await registerOne(running, 'later')).kind, 'ok');
  });

void t.test('credentials that are not given for a while: nothing is wrong with the client', async (t) => {
  const issuer = await startIssuer(t);
  const { running, lines } = await startWith(t, issuer, { attempts: 1 });
  issuer.server.server.close();
  issuer.server.server.closeAllConnections();
  t.match(await registerOne(running, 'a'), { kind: 'retry', code: 'auth-server-unavailable' });
  t.match(lines, [{ level: 40, msg: /is away, or too slow/ }]);
});
