import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { childArgument, serveParent } from '../children.js';

/** Clients that take their time (Slowloris, R-U-Dead-Yet?): a byte a second each, of headers, of a body, or of a stream of lines. */
const { sockets: wanted } = childArgument<{ sockets: number }>();

export interface SlowFigures {
  /** that are open */
  open: number;
  /** that the server has ended, each replaced by another */
  ended: number;
}

const DRIP_MS = 1000;
const OPENED_AT_ONCE = 100;

const BODY = 'Host: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{"a":"';
const STARTS = [
  'GET /api/v1/endpoints/slow HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ',
  `PATCH /api/v1/endpoints/slow/metadata HTTP/1.1\r\n${BODY}`,
  `POST /api/v1/endpoints HTTP/1.1\r\n${BODY}`,
  'POST /api/v1/endpoints/metadata/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n',
];
const DRIPS = ['x', 'x', 'x', '1\r\n \r\n'];

let slots: (Socket | undefined)[] = [];
let ended = 0;
let dripping: NodeJS.Timeout | undefined;

function open(slot: number, port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(STARTS[slot % STARTS.length]!);
      resolve();
    });
    slots[slot] = socket;
    // what the server says is read, so that it can end the connection as it likes
    socket.resume();
    socket.on('error', () => undefined);
    socket.on('close', () => {
      resolve();
      if (slots[slot] !== socket) return;
      ended++;
      slots[slot] = undefined;
    });
  });
}

/** All are open and have begun their requests when it resolves. */
async function begin(port: number): Promise<void> {
  ended = 0;
  slots = Array.from({ length: wanted });
  for (let at = 0; at < wanted; at += OPENED_AT_ONCE) {
    const some = Math.min(OPENED_AT_ONCE, wanted - at);
    await Promise.all(Array.from({ length: some }, (_, i) => open(at + i, port)));
  }
  let turn = 0;
  // a tenth of them each time, so that the drips are spread as those of strangers are
  dripping = setInterval(() => {
    for (let slot = turn; slot < wanted; slot += 10) {
      const socket = slots[slot];
      if (socket === undefined) void open(slot, port);
      else if (socket.writable) socket.write(DRIPS[slot % DRIPS.length]!);
    }
    turn = (turn + 1) % 10;
  }, DRIP_MS / 10);
}

async function end(): Promise<SlowFigures> {
  clearInterval(dripping);
  const figures = { open: slots.filter((socket) => socket?.readyState === 'open').length, ended };
  const closing = slots;
  slots = [];
  for (const socket of closing) socket?.destroy();
  await sleep(DRIP_MS / 2);
  return figures;
}

serveParent({}, { begin, end });
