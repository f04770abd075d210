import { pino } from 'pino';
import t from 'tap';
import { createSharedRepublication } from '../../src/messaging/shared-republication.js';
import {
  alreadyUnderWay,
  begunStatus,
  type OwnRepublishing,
  type RepublishStatus,
} from '../../src/model/republishing.js';
import { until } from './support.js';

/** One that sends nothing until it is told that it is done. */
function createPart() {
  let status: RepublishStatus | undefined;
  const own: OwnRepublishing = {
    start: (sinceMs) =>
      status?.state === 'running'
        ? alreadyUnderWay(status)
        : (status = begunStatus({ id: 'own', sinceMs, startedMs: Date.now() })),
    status: () => status,
    cancel: async () => end('cancelled'),
  };
  const end = (state: RepublishStatus['state']) => {
    if (status?.state === 'running') status = { ...status, state, endedMs: Date.now() };
  };
  return { own, end };
}

void t.test('one that does not come back in time is given up, and told anew when it does', async (t) => {
  const texts = new Map<string, string>();
  const away = new Set<string>();
  const asleep = new Set<string>();
  const parts = new Map(['a', 'b'].map((id) => [id, createPart()]));
  const make = (id: string) =>
    createSharedRepublication({
      own: parts.get(id)!.own,
      replicas: { id, live: () => ['a', 'b'].filter((each) => !away.has(each)) },
      store: {
        async getText(name) {
          if (asleep.has(id)) await until(() => !asleep.has(id));
          return texts.get(name);
        },
        putText: async (name, text) => void texts.set(name, text),
      },
      log: pino({ level: 'silent' }),
      lookMs: 10,
      goneMs: 300,
    });
  const [a, b] = [make('a'), make('b')] as const;
  for (const each of [a, b]) {
    await each.start();
    t.teardown(() => each.stop());
  }
  const status = async () => (await a.status()) as RepublishStatus;
  await a.begin(1);
  await until(() => parts.get('b')!.own.status() !== undefined);
  await until(() => texts.has('republish-1'));
  t.notOk((await status()).waiting);

  asleep.add('b');
  away.add('b');
  await until(async () => /The replica b does not answer since \d{4}-/.test((await status()).waiting ?? ''));
  parts.get('a')!.end('done');
  t.match(await status(), { state: 'running', missing: [] }, 'it is waited for');
  await until(async () => (await status()).state === 'done');
  const given = await status();
  t.match(given.missing, [
    {
      reason: 'replica-ended',
      message: /^The replica b does not answer since .*, and was given up before its part/,
    },
  ]);
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.same(await status(), given, 'and stays so');

  away.delete('b');
  asleep.delete('b');
  await until(async () => (await status()).state === 'running');
  t.same((await status()).missing, [], 'it is back, and goes on');
  parts.get('b')!.end('done');
  await until(async () => (await status()).state === 'done');
  t.same((await status()).missing, []);
});
