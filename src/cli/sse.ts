import type { Readable } from 'node:stream';

/** One server-sent event (WHATWG HTML, 9.2). */
export interface ServerSentEvent {
  id: string | undefined;
  event: string;
  data: string;
}

/** Comments, such as heartbeats, are passed over. Memory: one event. */
export async function* readEvents(stream: Readable): AsyncGenerator<ServerSentEvent[]> {
  let rest = '';
  let id: string | undefined;
  let event = '';
  let data: string[] = [];
  stream.setEncoding('utf8');
  for await (const chunk of stream) {
    const lines = (rest + (chunk as string)).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    const events: ServerSentEvent[] = [];
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0)
          events.push({ id, event: event === '' ? 'message' : event, data: data.join('\n') });
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
    if (events.length > 0) yield events;
  }
}
