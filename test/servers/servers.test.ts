import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { MongoClient } from 'mongodb';
import { connect } from 'nats';
import t from 'tap';
import { startMongo, startNats } from './index.js';

/** True while a process of that pid runs; a zombie that nobody has waited for does not count. */
async function runs(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<void> {
  // The limit is the test's own.
  while (await runs(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
}

void t.test('nats: what JetStream acknowledged is there after SIGKILL and restart', async (t) => {
  const nats = await startNats(t, { jetstream: true, config: 'max_payload: 2MB' });
  if (nats === undefined || !nats.managed) return;
  const connection = await connect({ servers: nats.url });
  t.equal(connection.info?.max_payload, 2 * 1024 * 1024);
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: 'kept', subjects: ['kept.>'] });
  await connection.jetstream().publish('kept.one', 'text', { msgID: 'one' });
  const firstPid = nats.pid;
  await nats.kill();
  await gone(firstPid);
  await connection.close();
  await nats.restart();
  t.not(nats.pid, firstPid);
  const again = await connect({ servers: nats.url });
  const kept = await (await again.jetstreamManager()).streams.getMessage('kept', { seq: 1 });
  t.equal(kept.string(), 'text');
  await again.close();
});

void t.test('nats: ended at teardown', async (t) => {
  let pid = 0;
  await t.test('inner', async (t) => {
    const nats = await startNats(t);
    if (nats?.managed) pid = nats.pid;
  });
  if (pid > 0) t.notOk(await runs(pid));
});

void t.test('mongo: guarded updates, pages and snapshots', async (t) => {
  const mongo = await startMongo(t);
  if (mongo === undefined) return;
  const client = await new MongoClient(mongo.url).connect();
  t.teardown(() => client.close());
  const records = client.db().collection<{ _id: string; revision: number; app: string }>('endpoints');
  await records.insertMany(['c', 'a', 'b', 'd'].map((_id) => ({ _id, revision: 1, app: 'x' })));

  const written = await records.bulkWrite(
    [
      { updateOne: { filter: { _id: 'a', revision: 1 }, update: { $set: { revision: 2 } } } },
      { updateOne: { filter: { _id: 'b', revision: 7 }, update: { $set: { revision: 8 } } } },
    ],
    { ordered: false, writeConcern: { w: 'majority', journal: true } },
  );
  t.equal(written.matchedCount, 1, 'the guard refuses the second');
  t.strictSame(await records.findOne({ _id: 'b' }), { _id: 'b', revision: 1, app: 'x' });

  const page = await records
    .find({ app: 'x', _id: { $gt: 'a' } })
    .sort({ _id: 1 })
    .limit(2)
    .toArray();
  t.strictSame(
    page.map((record) => record._id),
    ['b', 'c'],
  );
  t.strictSame(
    (await records.find({ _id: { $in: ['d', 'a', 'none'] }, revision: 1 }).toArray()).map(
      (record) => record._id,
    ),
    ['d'],
  );
  await t.rejects(records.insertOne({ _id: 'a', revision: 1, app: 'x' }), { code: 11000 });

  const other = await new MongoClient(mongo.freshUrl()).connect();
  t.equal(await other.db().collection('endpoints').countDocuments(), 0, 'a fresh database is empty');
  await other.close();
});

void t.test('mongo: what was acknowledged is there after SIGKILL and restart', async (t) => {
  const mongo = await startMongo(t, { persistent: true });
  if (mongo === undefined || !mongo.managed) return;
  const first = await new MongoClient(mongo.url).connect();
  await first.db().collection('endpoints').createIndex({ name: 1 }, { unique: true });
  // In the background, so that SIGKILL comes in the middle of a write.
  let acknowledged = 0;
  const writing = (async (): Promise<never> => {
    for (;;) {
      const documents = Array.from({ length: 10 }, (_, i) => ({ name: acknowledged + i }));
      await first.db().collection('endpoints').insertMany(documents);
      acknowledged += 10;
    }
  })();
  const failure = writing.catch((error: unknown) => error);
  const enough = (async () => {
    while (acknowledged < 500) await new Promise((resolve) => setTimeout(resolve, 1));
  })();
  t.equal(await Promise.race([enough, failure]), undefined);
  await mongo.kill();
  await first.close();
  t.ok(await failure, 'the write that was under way fails');
  await mongo.restart();

  const again = await new MongoClient(mongo.url).connect();
  t.teardown(() => again.close());
  const collection = again.db().collection('endpoints');
  const names = (await collection.find().sort({ name: 1 }).toArray()).map(
    (document) => document['name'] as number,
  );
  t.ok(names.length >= acknowledged, `${names.length} are there, ${acknowledged} were acknowledged`);
  t.equal(names.at(-1), names.length - 1, 'none is missing in between');
  await t.rejects(collection.insertOne({ name: 0 }), { code: 11000 }, 'the unique index is there again');
});

void t.test('a server does not outlive a test process that is killed', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined || !nats.managed) return;
  const script = `
    import { startNats, startMongo } from ${JSON.stringify(new URL('./index.js', import.meta.url).href)};
    const t = { teardown() {}, pass() {} };
    const nats = await startNats(t);
    const mongo = await startMongo(t);
    console.log(JSON.stringify([nats, mongo].flatMap((server) => (server?.managed ? [server.pid] : []))));
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    // What the killed process cannot remove goes with this test.
    env: { ...process.env, TMPDIR: t.testdir() },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const pids = JSON.parse(line.toString()) as number[];
  t.ok(pids.length > 0);
  for (const pid of pids) t.ok(await runs(pid));
  child.kill('SIGKILL');
  for (const pid of pids) await gone(pid);
  t.pass('all ended');
});

void t.test('without a server: a skip, or an error where servers are required', async (t) => {
  const script = `
    import t from 'tap';
    import { startNats, startMongo } from ${JSON.stringify(new URL('./index.js', import.meta.url).href)};
    await t.test('nats', async (t) => { if (await startNats(t)) throw new Error('found one'); });
    await t.test('mongo', async (t) => { if (await startMongo(t)) throw new Error('found one'); });`;
  const tryIt = async (required: string): Promise<{ code: number; output: string }> => {
    const env = {
      ...process.env,
      PATH: '/nonexistent',
      EPR_TEST_CACHE: '/nonexistent',
      EPR_TESTS_REQUIRE_SERVERS: required,
      NATS_URL: '',
      MONGODB_URI: '',
    };
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { env, cwd: process.cwd() });
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    const [code] = (await once(child, 'close')) as [number];
    return { code, output };
  };
  const skipped = await tryIt('');
  t.equal(skipped.code, 0);
  t.match(skipped.output, /# SKIP no nats-server here; run: npm run test:servers/);
  t.match(skipped.output, /# SKIP no MongoDB here; run: npm run test:servers/);
  const required = await tryIt('1');
  t.not(required.code, 0);
  t.match(required.output, /EPR_TESTS_REQUIRE_SERVERS=1, but no nats-server here/);
});
