import t from 'tap';
import { createSparingLog } from '../../src/messaging/sparing-log.js';
import { startNats } from '../servers/index.js';
import { communicationService, connectedSubject } from './connectivity-support.js';
import { hearLog } from './heard-log.js';
import { startAnswering, subjectOf } from './served-support.js';
import { start } from '../register/support.js';
import { connectTo, createMemoryOutbox, startMessaging, until } from './support.js';

void t.test('the first at once, then the last of an interval and how many there were', async (t) => {
  const { lines, log } = hearLog();
  const sparing = createSparingLog(log, 50);
  for (let i = 0; i < 1000; i++) sparing.tell('a', { error: `e${i}` }, 'A.');
  sparing.tell('b', { error: 'b' }, 'B.', 'error');
  t.match(
    lines,
    [
      { level: 40, msg: 'A.', error: 'e0' },
      { level: 50, msg: 'B.', error: 'b' },
    ],
    'of each kind',
  );
  t.equal(lines.length, 2);
  await until(() => lines.length === 3);
  t.match(lines[2], { level: 40, msg: /^A\. .* last of 999 /, error: 'e999', count: 999 });
  sparing.tell('a', { error: 'late' }, 'A.');
  t.equal(lines.length, 3, 'the interval goes on');
  await until(() => lines.length === 4);
  t.match(lines[3], { msg: /^A\. .* last of 1 /, error: 'late' });
  // an interval without any: it begins anew, which can not be seen but by trying
  for (let i = 0; lines.length === 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 120));
    sparing.tell('a', { error: 'anew' }, 'A.');
    if (lines.length === 4) t.ok(i < 50, 'not yet');
  }
  t.match(lines[4], { msg: /^A\./, error: 'anew' });
  sparing.stop();
});

void t.test('what was left out is said at the end', (t) => {
  const { lines, log } = hearLog();
  const sparing = createSparingLog(log);
  sparing.tell('a', {}, 'A.');
  sparing.stop();
  t.equal(lines.length, 1);
  sparing.tell('a', {}, 'A.');
  sparing.tell('a', {}, 'A.');
  sparing.tell('a', {}, 'A.');
  sparing.stop();
  t.match(
    lines.map(({ msg }) => msg),
    ['A.', 'A.', /the last of 2 like it/],
  );
  t.end();
});

void t.test('that it is over is said behind what was left out, in the order of that', async (t) => {
  const { lines, texts, log } = hearLog();
  const sparing = createSparingLog(log, 50);
  sparing.over(['a'], {}, 'Nothing was wrong.');
  for (const kind of ['a', 'b', 'other', 'b', 'a', 'a', 'other'])
    sparing.tell(kind, {}, `${kind.toUpperCase()}.`);
  sparing.over(['a', 'b'], { seconds: 1 }, 'Over.');
  t.match(texts, [
    'Nothing was wrong.',
    'A.',
    'B.',
    'OTHER.',
    /^B\. .* last of 1 /,
    /^A\. .* last of 2 /,
    'Over.',
  ]);
  t.equal(texts.length, 7, 'of another kind nothing is said');
  t.match(lines[6], { level: 30, seconds: 1 });

  // again and again in the same interval: two lines of it
  for (let i = 0; i < 100; i++) {
    sparing.tell('a', { i }, 'A.');
    sparing.over(['a', 'b'], {}, 'Over again.');
  }
  t.equal(texts.length, 7);
  await until(() => texts.includes('Over again.'));
  t.match(texts.filter((text) => !text.startsWith('OTHER')).slice(6), [
    /^A\. .* last of 100 /,
    'Over again.',
  ]);
  t.equal(texts.filter((text) => text === 'Over again.').length, 1);

  sparing.tell('a', {}, 'A.');
  sparing.over(['a'], {}, 'Over.');
  sparing.tell('a', {}, 'A.');
  sparing.stop();
  t.match(texts.at(-1), /^A\. .* last of 2 |^A\.$/, 'it is not over any more');
  sparing.tell('c', {}, 'C.');
  sparing.over(['c'], {}, 'Over.');
  sparing.tell('c', {}, 'C.');
  sparing.over(['c'], {}, 'Over.');
  sparing.stop();
  t.match(texts.slice(-4), ['C.', 'Over.', /^C\. .* last of 1 /, 'Over.']);
});

void t.test(
  'floods of what does not decode, on every way in: each counted, a line or two each',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const each = 2000;
    const nothing = { changed: () => undefined, missed: () => undefined };
    const running = await start(t);
    const connection = await connectTo(t, nats.url);
    await (
      await connection.jetstreamManager()
    ).streams.add({ name: 'KPC', subjects: ['kaa.v1.events.kpc.>'] });

    const served = hearLog();
    const { count: countServed, served: requests } = await startAnswering(
      t,
      nats.url,
      running.register,
      {},
      {},
      served.log,
    );
    const events = hearLog();
    const options = { communicationService, tenantManager: 'tenants' };
    const { messaging, count } = await startMessaging(
      t,
      nats.url,
      createMemoryOutbox(),
      options,
      undefined,
      events.log,
      { onTenant: nothing },
    );
    await until(() => messaging.status().details.announcements === 'heard');
    for (let i = 0; i < each; i++) {
      connection.publish(subjectOf('epmmp', 'ep-metadata-patch-request'), 'no', { reply: 'back' });
      connection.publish(connectedSubject, 'no');
      connection.publish('kaa.v1.events.tenants.tenant.lifecycle.updated', 'no');
    }
    await until(
      async () =>
        (await countServed('epr_nats_requests_dropped_total', { reason: 'undecodable' })) === each &&
        (await count('epr_connectivity_messages_total', { result: 'undecodable' })) === each &&
        (await count('epr_broadcasts_total', { result: 'undecodable' })) === each,
    );
    t.equal(served.said(/request does not decode/).length, 1);
    t.equal(events.said(/message does not decode: dead letter/).length, 1);
    t.equal(events.said(/message does not decode; nothing is done/).length, 1);
    await requests.stop(1000);
    await messaging.stop();
    for (const pattern of [/does not decode: dead letter/, /does not decode; nothing is done/])
      t.match(events.said(pattern)[1], { count: each - 1 }, 'how many were left out is said at the end');
  },
);
