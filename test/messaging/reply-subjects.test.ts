import t, { type Test } from 'tap';
import { fill, start } from '../register/support.js';
import { type NatsServer, startNats } from '../servers/index.js';
import { hearLog } from './heard-log.js';
import { createClient, encode, json, startServing, subjectOf, untilAnswered } from './served-support.js';
import { connectTo, until } from './support.js';

const KEYS = 'ep-metadata-keys-get-request';
const UPDATE = 'ep-metadata-key-update-request';
const ask = encode('epmmp', KEYS, { endpointId: 'e1' });

const lists = (allow: string[]) => `{ allow: ${JSON.stringify(allow)} }`;
/** What the documentation says that each needs. */
const OWN = `publish: ${lists(['_INBOX.>', 'kaa.v1.events.epr.>', '$JS.API.STREAM.LIST'])}, subscribe: ${lists(['_INBOX.>', 'kaa.v1.service.epr.>'])}`;
const REQUESTER = `publish: ${lists(['kaa.v1.service.epr.epmmp.>', 'kaa.v1.service.epr.efmp.>', 'kaa.v1.service.epr.eprmp.>'])}, subscribe: ${lists(['_INBOX.>'])}`;

async function serve(t: Test, nats: NatsServer) {
  const running = await start(t);
  await fill(t, running, { e1: { n: 0 } });
  const heard = hearLog();
  const signIn = { username: 'epr', password: 'p' };
  const serving = await startServing(t, nats.url, running.register, signIn, {}, heard.log);
  const requester = createClient(await connectTo(t, nats.url, { user: 'requester', pass: 'p' }));
  await untilAnswered(requester);
  return { ...serving, ...heard, requester };
}

/** What comes at a subject, seen by another user. */
async function watch(t: Test, url: string, user: string, subjects: string[]) {
  const connection = await connectTo(t, url, { user, pass: 'p' });
  const seen: string[] = [];
  for (const each of subjects)
    connection.subscribe(each, { callback: (_error, { subject }) => void seen.push(subject) });
  await connection.flush();
  return { connection, seen };
}

void t.test('an answer that lands on a request subject of ours ends there', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const running = await start(t);
  await fill(t, running, { e1: { n: 0 } });
  const { count } = await startServing(t, nats.url, running.register);
  const client = createClient(await connectTo(t, nats.url));
  await untilAnswered(client);
  const subjects = [
    ['epmmp', KEYS],
    ['epmmp', UPDATE],
    ['epmmp', 'ep-metadata-patch-request'],
    ['epmmp', 'ep-metadata-key-batch-update-request'],
    ['efmp', 'ep-filters-request'],
  ] as const;
  const handled = async () =>
    (await count('epr_nats_requests_total')) + (await count('epr_nats_requests_dropped_total'));
  const before = await handled();
  const more = { endpointId: 'e1', metadataKey: 'n', metadataValue: json(1) };
  for (const [protocol, name] of subjects) {
    client.connection.publish(subjectOf('epmmp', KEYS), ask, { reply: subjectOf(protocol, name) });
    client.connection.publish(subjectOf('epmmp', UPDATE), encode('epmmp', UPDATE, more), {
      reply: subjectOf(protocol, name),
    });
  }
  // two requests each, and what came of them once
  await until(async () => (await handled()) >= before + subjects.length * 4);
  for (let i = 0; i < 10; i++) await client.epmmp(KEYS, { endpointId: 'e1' });
  t.equal(await handled(), before + subjects.length * 4 + 10, 'no more comes of them');
});

void t.test('reply subjects that the broker does not let us publish to', async (t) => {
  const users = (own: string) => `authorization { users: [
    { user: admin, password: p },
    { user: epr, password: p, permissions: { ${own} } },
    { user: requester, password: p, permissions: { ${REQUESTER} } }] }`;
  const bad = ['$JS.API.STREAM.PURGE.EVENTS', 'kaa.v1.service.epr.epmmp.x', 'other.service'];

  await t.test('by a list of subjects, as documented', async (t) => {
    const nats = await startNats(t, { config: users(OWN) });
    if (nats === undefined || !nats.managed) return;
    const { requester, count } = await serve(t, nats);
    const handover = 'kaa.v1.service.epr.replica.r1.outbox';
    const { connection, seen } = await watch(t, nats.url, 'admin', [...bad, handover]);
    for (const reply of bad) requester.connection.publish(subjectOf('epmmp', KEYS), ask, { reply });
    requester.connection.publish(handover, ask);
    await until(async () => (await count('epr_nats_denials_total', { operation: 'publish' })) === bad.length);
    t.match(await requester.epmmp(KEYS, { endpointId: 'e1' }), { statusCode: 200 }, 'others are answered');
    await connection.flush();
    t.same(seen, [], 'nor reaches who asks what is between replicas');
  });

  await t.test('what is no subject is not to be permitted, whatever it begins with', async (t) => {
    const nats = await startNats(t, { config: users(OWN) });
    if (nats === undefined || !nats.managed) return;
    const { requester, count, texts, messaging } = await serve(t, nats);
    const none = ['foo..bar', '_INBOX..x', '$JS..x', 'kaa.v1.events.epr..x', 'x.'];
    for (const reply of none) requester.connection.publish(subjectOf('epmmp', KEYS), ask, { reply });
    await until(
      async () => (await count('epr_nats_denials_total', { operation: 'publish' })) === none.length,
    );
    const about = texts.filter((text) => /does not let us publish/.test(text));
    t.match(about, [/publish to foo\.\.bar\. No permission helps, .* whoever sends it has to name another/]);
    t.equal(about.length, 1);
    t.notMatch(messaging.status().details.error, /publish/, 'nothing is wrong with the permissions');
  });

  await t.test('allow_responses is no such list: it permits any of them', async (t) => {
    const own = `publish: { deny: [">"] }, subscribe: ${lists(['kaa.v1.service.epr.>'])}, allow_responses: true`;
    const nats = await startNats(t, { config: users(own) });
    if (nats === undefined || !nats.managed) return;
    const { requester } = await serve(t, nats);
    const { seen } = await watch(t, nats.url, 'admin', bad);
    for (const reply of bad) requester.connection.publish(subjectOf('epmmp', KEYS), ask, { reply });
    await until(() => seen.length === bad.length);
    t.same([...seen].sort(), [...bad].sort());
  });
});

void t.test('who asks from an account of its own reaches no subject of ours by a reply', async (t) => {
  const services = ['epmmp', 'efmp', 'eprmp'].map((each) => `kaa.v1.service.epr.${each}.>`);
  const exports = services.map((each) => `{ service: "${each}" }`).join(', ');
  const imports = services.map((each) => `{ service: { account: EPR, subject: "${each}" } }`).join(', ');
  const config = `accounts {
    EPR: { users: [{ user: epr, password: p }, { user: admin, password: p }], exports: [${exports}] }
    OTHERS: { users: [{ user: requester, password: p }, { user: neighbour, password: p }], imports: [${imports}] }
  }`;
  const nats = await startNats(t, { config });
  if (nats === undefined || !nats.managed) return;
  const { requester } = await serve(t, nats);
  const bad = ['$JS.API.STREAM.PURGE.EVENTS', 'kaa.v1.events.epr.endpoint.lifecycle.registered'];
  const ours = await watch(t, nats.url, 'admin', bad);
  const theirs = await watch(t, nats.url, 'neighbour', bad);
  for (const reply of bad) requester.connection.publish(subjectOf('epmmp', KEYS), ask, { reply });
  await until(() => theirs.seen.length === bad.length);
  t.match(await requester.epmmp(KEYS, { endpointId: 'e1' }), { statusCode: 200 });
  await ours.connection.flush();
  t.same(ours.seen, [], 'the answers are in the account of who asked');
});
