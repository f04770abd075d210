import type { WebSocket, WebSocketBehavior } from 'uWebSockets.js';
import type { Exchange } from '../wire/exchange.js';
import type { EndCause, EventChannel } from './event-channel.js';

/** What a connection carries along. */
export interface SocketData {
  connection: SocketEvents;
}

/** What the server tells of one connection. */
interface SocketEvents {
  opened(socket: WebSocket<SocketData>): void;
  drained(): void;
  received(): void;
  closed(): void;
}

/** RFC 6455, 7.4.1, and of the registry that goes with it 1013 (try again later) and 3000 (unauthorized). */
const CLOSE_CODES: Record<EndCause, number> = {
  stopping: 1001,
  'not-allowed': 1008,
  failed: 1011,
  'too-slow': 1013,
  undecided: 1013,
  expired: 3000,
};
/** A close frame has room for this, in bytes. */
const REASON_BYTES = 123;
/** No message is taken at all. A longer one than this closes the connection without a word. */
const MOST_MESSAGE_BYTES = 4096;
/** The server pings before, and closes what does not answer: a half-open connection. */
const IDLE_SECONDS = 60;

/** How the server is to treat WebSockets, but for their beginning and their end. */
export const socketBehavior: Omit<WebSocketBehavior<SocketData>, 'upgrade' | 'close'> = {
  maxPayloadLength: MOST_MESSAGE_BYTES,
  idleTimeout: IDLE_SECONDS,
  sendPingsAutomatically: true,
  // what waits is bounded by the subscriber, who says why it drops a reader
  maxBackpressure: 0,
  open: (socket) => socket.getUserData().connection.opened(socket),
  drain: (socket) => socket.getUserData().connection.drained(),
  message: (socket) => socket.getUserData().connection.received(),
};

/** Events as messages of a WebSocket, one JSON object each. */
export function createWebSocketChannel(exchange: Exchange): EventChannel {
  let socket: WebSocket<SocketData> | undefined;
  let welcome = '';
  let writable: (() => void) | undefined;

  const connection: SocketEvents = {
    opened(opened) {
      socket = opened;
      channel.write([welcome]);
    },
    drained() {
      if (socket?.getBufferedAmount() === 0) goOn();
    },
    received() {
      channel.end('not-allowed', 'this stream takes no messages: what is wanted is said in its URL');
    },
    closed() {
      socket = undefined;
      exchange.closed();
      goOn();
      channel.onGone();
    },
  };

  function goOn(): void {
    const callback = writable;
    writable = undefined;
    callback?.();
  }

  const channel: EventChannel = {
    onGone: () => undefined,
    get open() {
      return socket !== undefined;
    },
    begin(place) {
      welcome = JSON.stringify({ id: place, type: 'welcome' });
      const before = exchange.onGone;
      exchange.onGone = () => {
        before?.();
        channel.onGone();
      };
      exchange.upgrade({ connection });
    },
    textOf: (event) => event.message,
    heartbeat: (place) => JSON.stringify({ id: place, type: 'heartbeat' }),
    write(texts) {
      const to = socket;
      if (to === undefined) return false;
      let bytes = 0;
      to.cork(() => {
        for (const text of texts) {
          to.send(text);
          bytes += text.length;
        }
      });
      exchange.bytesOut += bytes;
      return to.getBufferedAmount() === 0;
    },
    whenWritable(callback) {
      if (socket === undefined) return callback();
      writable = callback;
    },
    end: (cause, reason) => socket?.end(CLOSE_CODES[cause], reason.slice(0, REASON_BYTES)),
    destroy: () => socket?.close(),
  };
  return channel;
}
