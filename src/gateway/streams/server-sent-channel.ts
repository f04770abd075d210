import type { Exchange } from '../wire/exchange.js';
import type { EndCause, EventChannel } from './event-channel.js';
import type { EventText } from './event-text.js';

/** Server-Sent Events (WHATWG HTML, 9.2). An `id` without data moves the client's place and is no event for it. */
export function createServerSentChannel(exchange: Exchange): EventChannel {
  let gone = false;
  const channel: EventChannel = {
    onGone: () => undefined,
    get open() {
      return exchange.open;
    },
    begin(place) {
      const before = exchange.onGone;
      exchange.onGone = () => {
        before?.();
        leave();
      };
      exchange.start(200, [
        ['Content-Type', 'text/event-stream'],
        ['Cache-Control', 'no-store'],
        // nginx holds answers back unless it is told
        ['X-Accel-Buffering', 'no'],
      ]);
      exchange.write(`id: ${place}\n: welcome\n\n`);
    },
    textOf: (event: EventText) => event.serverSent,
    heartbeat: (place) => `id: ${place}\n: heartbeat\n\n`,
    write: (texts) => exchange.write(texts.length === 1 ? texts[0]! : texts.join('')),
    whenWritable: (callback) => exchange.whenWritable(callback),
    end(_cause: EndCause, reason) {
      if (!exchange.open) return;
      exchange.write(`event: dropped\ndata: ${JSON.stringify({ type: 'dropped', reason })}\n\n`);
      exchange.finish();
      leave();
    },
    destroy: () => exchange.destroy(),
  };
  function leave(): void {
    if (gone) return;
    gone = true;
    channel.onGone();
  }
  return channel;
}
