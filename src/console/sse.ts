/** One event of the live stream; its data is parsed only where it is shown. */
export interface RawEvent {
  id: string | undefined;
  type: string;
  data: string;
}

export interface EventReader {
  /** Takes the next piece of the stream, answers the events that it completes. */
  read(piece: string): RawEvent[];
}

/** Server-Sent Events as the service writes them: lines end in `\n`, comments are passed over. Memory: one event. */
export function createEventReader(): EventReader {
  let rest = '';
  return {
    read(piece) {
      const blocks = (rest + piece).split('\n\n');
      rest = blocks.pop()!;
      const events: RawEvent[] = [];
      for (const block of blocks) {
        const event = readBlock(block);
        if (event !== undefined) events.push(event);
      }
      return events;
    },
  };
}

function readBlock(block: string): RawEvent | undefined {
  let id: string | undefined;
  let type = 'message';
  let data: string | undefined;
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const value = line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    const field = line.slice(0, colon);
    if (field === 'data') data = data === undefined ? value : `${data}\n${value}`;
    else if (field === 'event') type = value;
    else if (field === 'id') id = value;
  }
  return data === undefined ? undefined : { id, type, data };
}
