import { Readable } from 'node:stream';
import t from 'tap';
import { readEvents, type ServerSentEvent } from '../../src/cli/sse.js';
import { eventLine } from '../../src/cli/watch/event-line.js';

const timestamp = new Date(2022, 9, 22, 3, 4, 5, 67).getTime();

void t.test('an event is one line that says what changed', async (t) => {
  const diff = {
    added: { city: '"Kyiv"', none: null },
    updated: { temp: { oldValue: '4', newValue: '5' } },
    removed: { old: '[1]' },
  };
  t.equal(
    eventLine({ kind: 'metadata-updated', fields: { timestamp, endpointId: 'kettle-1', ...diff } }),
    '03:04:05.067  metadata-updated    kettle-1        temp 4 -> 5, +city "Kyiv", +none null, -old (was [1])',
  );
  t.match(
    eventLine({
      kind: 'ep-matched',
      fields: { timestamp, endpointId: 'e', filterId: 'f-1', filterName: 'heat' },
    }),
    /ep-matched +e +heat$/,
  );
  t.match(
    eventLine({
      kind: 'appversion-updated',
      fields: { timestamp, endpointId: 'e', appVersionName: 'v2', previousAppVersionName: 'v1' },
    }),
    /v1 -> v2$/,
  );
  t.match(
    eventLine({
      kind: 'filter-activated',
      fields: { timestamp, filterId: 'f-1', filterName: 'heat', applicationName: 'app' },
    }),
    /heat +app$/,
  );
});

void t.test('what a device wrote can not move the cursor, and does not fill the screen', async (t) => {
  const nasty = eventLine({
    kind: 'metadata-updated',
    fields: { timestamp, endpointId: 'e', added: { k: '"\u001b[2J\u009b"' } },
  });
  t.notMatch(nasty, /\p{Cc}/u);
  t.match(nasty, /\\u001b\[2J/);
  const long = eventLine({
    kind: 'metadata-updated',
    fields: { timestamp, endpointId: 'e', added: { k: 'x'.repeat(1000) } },
  });
  t.ok(long.length < 150);
});

void t.test('events are read whatever the pieces they come in', async (t) => {
  const text =
    ': welcome\n\nid: 1\nevent: a\ndata: {"x":\ndata: 1}\n\n: heartbeat\n\nevent: b\r\ndata:2\r\n\r\nid: 3\n: heartbeat\n\nid: 4\ndata: cut off';
  for (const size of [1, 2, 3, 7, 1000]) {
    const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
      Buffer.from(text.slice(i * size, (i + 1) * size)),
    );
    const found: ServerSentEvent[] = [];
    let last: string | undefined;
    for await (const { events, lastId } of readEvents(Readable.from(pieces, { objectMode: false }))) {
      found.push(...events);
      last = lastId;
    }
    t.equal(last, '3', 'an id may come without an event');
    t.same(
      found,
      [
        { id: '1', event: 'a', data: '{"x":\n1}' },
        { id: '1', event: 'b', data: '2' },
      ],
      `in pieces of ${size}`,
    );
  }
});
