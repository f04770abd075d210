import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BSON, MongoClient } from 'mongodb';
import t, { type Test } from 'tap';
import { headOf } from '../../src/model/record.js';
import { createOwnTokens } from '../../src/register/own-tokens.js';
import { createSeal } from '../../src/register/seal.js';
import type { Issued } from '../../src/register/index.js';
import { startMongo } from '../servers/index.js';
import { codeOf, command, CONTEXT, type Running, startIn, until, valueOf } from './support.js';

const key = randomBytes(32);
const WISH = { tenant: 'kaa', application: 'app', endpointId: 'e', correlationId: 'test' };

function issued(from: ReturnType<typeof createOwnTokens>, wish: object = {}) {
  const answer = from.issue({ ...WISH, ...wish }) as Issued;
  if (answer.kind !== 'issued') throw new Error(answer.kind);
  return answer;
}

void t.test('a token has 20 characters out of 62, each place every one of them', async (t) => {
  const tokens = createOwnTokens(key);
  for (const way of ['made', 'for a request']) {
    const made = Array.from({ length: 5000 }, (_, i) =>
      issued(tokens, way === 'made' ? {} : { requestId: `r${i}` }),
    ).map(({ token }) => token);
    t.ok(
      made.every((token) => /^[A-Za-z0-9]{20}$/.test(token)),
      way,
    );
    t.equal(new Set(made).size, made.length, `${way}: no two are the same`);
    for (let place = 0; place < 20; place++) {
      const seen = new Map<string, number>();
      for (const token of made) seen.set(token[place]!, (seen.get(token[place]!) ?? 0) + 1);
      // 81 each are expected: less than 20 or more than 200 is a chance of 1e-15
      const counts = [...seen.values()];
      if (seen.size !== 62 || Math.min(...counts) < 20 || Math.max(...counts) > 200)
        t.fail(`${way}: place ${place} has ${JSON.stringify([...seen])}`);
    }
  }
});

void t.test('what is the same each time, and what is not', async (t) => {
  const [tokens, others] = [createOwnTokens(key), createOwnTokens(randomBytes(32))];
  t.same(issued(tokens, { requestId: 'r' }), issued(tokens, { requestId: 'r' }), 'a wish that is made again');
  t.not(issued(others, { requestId: 'r' }).token, issued(tokens, { requestId: 'r' }).token);
  const given = issued(tokens, { token: 'given' });
  t.equal(given.token, 'given');
  t.match(given.hash, /^[0-9a-f]{64}$/);
  t.not(
    issued(tokens, { token: 'given', application: 'other' }).hash,
    given.hash,
    'an application has its own',
  );
  t.not(issued(others, { token: 'given' }).hash, given.hash, 'it can not be found out without the key');
});

void t.test('a seal', async (t) => {
  const seal = createSeal(key);
  const text = 'täxt "and" more';
  const sealed = seal.close(text);
  t.notMatch(sealed, /xt|and/);
  t.not(seal.close(text), sealed);
  t.equal(seal.open(sealed), text);
  t.equal(seal.open(seal.close('')), '');
  const last = sealed.at(-2) === 'A' ? 'B' : 'A';
  t.throws(() => seal.open(`${sealed.slice(0, -2)}${last}${sealed.at(-1)}`), 'nobody can change it');
  t.throws(() => createSeal(randomBytes(32)).open(sealed));
});

/** A register on a keeper, and what its storage holds as text. */
interface Place {
  running: Running;
  stored(): Promise<string>;
}

async function startPlace(t: Test, keeper: 'embedded' | 'mongodb'): Promise<Place | undefined> {
  const folder = t.testdir({});
  const mongo = keeper === 'mongodb' ? await startMongo(t) : undefined;
  if (keeper === 'mongodb' && mongo === undefined) return undefined;
  const storage = mongo === undefined ? {} : { storageUrl: mongo.url };
  const running = await startIn(t, folder, storage);
  return {
    running,
    stored: mongo === undefined ? async () => readFolder(folder) : () => dump(mongo.url),
  };
}

function readFolder(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'))
    .join('\n');
}

async function dump(url: string): Promise<string> {
  const client = await MongoClient.connect(url);
  try {
    const collections = await client.db().collections();
    const documents = await Promise.all(collections.map((each) => each.find().toArray()));
    return documents
      .flat()
      .map((document) => Buffer.from(BSON.serialize(document)).toString('latin1'))
      .join('\n');
  } finally {
    await client.close();
  }
}

for (const keeper of ['embedded', 'mongodb'] as const) {
  void t.test(`${keeper}: a token belongs to one endpoint of an application`, async (t) => {
    const place = await startPlace(t, keeper);
    if (place === undefined) return;
    const { register } = place.running;
    const registering = (endpointId: string, endpointToken: string, versionName = 'v1') =>
      register.endpoints.register(CONTEXT, { endpointId, endpointToken, versionName, metadata: {} });
    const all = await Promise.all(Array.from({ length: 40 }, (_, i) => registering(`e${i}`, 'same')));
    t.equal(all.filter(({ kind }) => kind === 'ok').length, 1, 'of many at once, one gets it');
    t.equal(all.filter((answer) => codeOf(answer) === 'token-taken').length, 39);
    t.equal(codeOf(await registering('o', 'same', 'w1')), 'ok', 'another application has its own');
    t.equal(codeOf(await registering('p', 'same', 'v2')), 'token-taken', 'another version has not');
    const holder = `e${all.findIndex(({ kind }) => kind === 'ok')}`;
    const [record] = await place.running.store.load([holder]);
    t.match(headOf(record!).tokenHash, /^[0-9a-f]{64}$/);
    await register.endpoints.submit(command(holder, { type: 'unregister' }));
    t.equal(codeOf(await registering('p', 'same')), 'ok', 'it is free again');
  });

  void t.test(`${keeper}: tokens are in no storage as they are`, async (t) => {
    const place = await startPlace(t, keeper);
    if (place === undefined) return;
    const { register } = place.running;
    const secrets = ['given-to-one', 'given-under-a-key', 'given-in-a-batch', 'given-and-refused'];
    const one = valueOf(
      await register.endpoints.register(CONTEXT, {
        endpointToken: secrets[0]!,
        versionName: 'v1',
        metadata: { city: 'to-be-seen-here' },
      }),
    );
    t.equal(one.token, secrets[0]);
    secrets.push(
      valueOf(await register.endpoints.register(CONTEXT, { versionName: 'v1', metadata: {} })).token,
    );
    for (const endpointToken of [secrets[1], undefined]) {
      const body = {
        versionName: 'v1',
        metadata: {},
        ...(endpointToken === undefined ? {} : { endpointToken }),
      };
      const once = () =>
        register.requests.once(
          CONTEXT,
          { key: `k-${endpointToken}`, content: JSON.stringify(body) },
          async (requestId) => {
            const answer = await register.endpoints.register({ ...CONTEXT, requestId }, body);
            return { answer: JSON.stringify(valueOf(answer)), keep: true };
          },
        );
      const answer = valueOf(await once());
      t.equal(valueOf(await once()), answer, 'it is answered again');
      secrets.push((JSON.parse(answer) as { token: string }).token);
    }
    const endpoints = [
      { endpointToken: secrets[2]! },
      {},
      { endpointToken: secrets[3]!, metadata: { 'bad.key': 1 } },
    ];
    const { taskId } = valueOf(await register.batches.start(CONTEXT, { versionName: 'v1', endpoints }));
    const status = async () => valueOf(await register.batches.status(CONTEXT, 'app', taskId));
    await until(async () => (await place.running.store.getTask(taskId))?.complete === true);
    const { created, failed } = await status();
    t.equal(created.length, 2);
    t.equal(created[0]!.endpointToken, secrets[2]);
    t.equal(failed[0]!.endpointToken, secrets[3]);
    secrets.push(...created.map(({ endpointToken }) => endpointToken));

    await place.running.stop();
    const stored = await place.stored();
    t.ok(stored.includes('to-be-seen-here') && stored.includes(taskId), 'the storage is looked through');
    for (const secret of secrets) t.notOk(stored.includes(secret), `${secret} is not stored`);
  });
}
