import type { Readable } from 'node:stream';

/** One server-sent event (WHATWG HTML, 9.2). */
export interface ServerSentEvent {
  id: string | undefined;
  event: string;
  data: string;
}

/** What came at once: events, and the id that a reader which comes back goes on from, which may move without an event. */
export interface EventBatch {
  events: ServerSentEvent[];
  lastId: string | undefined;
}

/** Comments, such as heartbeats, are passed over. Memory: one event. */
export async function* readEvents(stream: Readable): AsyncGenerator<EventBatch> {
  let rest = '';
  let id: string | undefined;
  let lastId: string | undefined;
  let event = '';
  let data: string[] = [];
  stream.setEncoding('utf8');
  for await (const chunk of stream) {
    const lines = (rest + (chunk as string)).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    const events: ServerSentEvent[] = [];
    const before = lastId;
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0)
          events.push({ id, event: event === '' ? 'message' : event, data: data.join('\n') });
        lastId = id;
        event = '';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'data') data.push(value);
      else if (field === 'event') event = value;
      else if (field === 'id') id = value;
    }
    if (events.length > 0 || lastId !== before) yield { events, lastId };
  }
}
