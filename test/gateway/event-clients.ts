import { createHash, randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { Test } from 'tap';

/** One event as a client sees it; `type` also of what is no event of the register: welcome, gap, dropped. */
export interface Told {
  id: string;
  type: string;
  data: Record<string, unknown>;
}

/** A client of the live stream, of either protocol. */
export interface EventClient {
  socket: Socket;
  /** events, gaps and farewells */
  told: Told[];
  /** where a client that comes back goes on */
  lastId(): string;
  heartbeats(): number;
  /** resolves when it holds; rejects when the connection closes first */
  until(holds: () => boolean): Promise<void>;
  closed: Promise<void>;
  /** of a WebSocket that the server closed */
  close?: { code: number; reason: string };
}

export type Protocol = 'sse' | 'ws';
export const PROTOCOLS: readonly Protocol[] = ['sse', 'ws'];

interface Open {
  port: number;
  query?: string;
  headers?: Record<string, string>;
}

/** Follows the events; resolves when the stream has begun. */
export function follow(t: Test, protocol: Protocol, options: Open): Promise<EventClient> {
  return protocol === 'sse' ? followServerSent(t, options) : followWebSocket(t, options);
}

class Receiver {
  buffer = Buffer.alloc(0);
  ended = false;
  readonly waiting = new Set<() => void>();
  readonly closed: Promise<void>;

  constructor(
    t: Test,
    readonly socket: Socket,
    private readonly parse: () => void,
  ) {
    socket.on('data', (chunk) => {
      this.buffer = this.buffer.length === 0 ? chunk : Buffer.concat([this.buffer, chunk]);
      this.parse();
      this.check();
    });
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => socket.on('close', () => resolve()));
    void this.closed.then(() => {
      this.ended = true;
      this.check();
    });
    t.teardown(() => socket.destroy());
  }

  check(): void {
    for (const each of [...this.waiting]) each();
  }

  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (holds()) resolve();
        else if (this.ended) reject(new Error('the connection closed before'));
        else return;
        this.waiting.delete(check);
      };
      this.waiting.add(check);
      check();
    });
  }

  /** The head of the answer, taken off the buffer; `undefined` when it is not whole. */
  takeHead(): string | undefined {
    const end = this.buffer.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const head = this.buffer.subarray(0, end).toString('latin1');
    this.buffer = this.buffer.subarray(end + 4);
    return head;
  }
}

function requestHead({ port, query = '', headers = {} }: Open, more: Record<string, string>): string {
  const all = { Host: `127.0.0.1:${port}`, ...more, ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET /api/v1/events${query} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

async function followServerSent(t: Test, options: Open): Promise<EventClient> {
  const told: Told[] = [];
  let id = '';
  let beats = 0;
  let head: string | undefined;
  let text = '';
  const receiver = new Receiver(t, connect(options.port, '127.0.0.1'), () => {
    head ??= receiver.takeHead();
    if (head === undefined) return;
    takeChunks();
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      takeBlock(text.slice(0, end));
      text = text.slice(end + 2);
    }
  });
  // the line end behind a chunk comes with the next one
  function takeChunks(): void {
    for (;;) {
      const start = receiver.buffer.subarray(0, 2).toString('latin1') === '\r\n' ? 2 : 0;
      const line = receiver.buffer.indexOf('\r\n', start);
      if (line < 0) return;
      const length = parseInt(receiver.buffer.subarray(start, line).toString('latin1'), 16);
      const end = line + 2 + length;
      if (receiver.buffer.length < end) return;
      text += receiver.buffer.subarray(line + 2, end).toString('utf8');
      receiver.buffer = receiver.buffer.subarray(end);
    }
  }
  function takeBlock(block: string): void {
    let type = 'message';
    let data: string | undefined;
    for (const line of block.split('\n')) {
      const [, field, value] = /^([a-z]*): ?(.*)$/.exec(line)!;
      if (field === 'id') id = value!;
      else if (field === 'event') type = value!;
      else if (field === 'data') data = value!;
      else if (value === 'heartbeat') beats++;
    }
    if (data !== undefined) told.push({ id, type, data: JSON.parse(data) as Record<string, unknown> });
  }
  receiver.socket.write(requestHead(options, { Accept: 'text/event-stream' }));
  await receiver.until(() => id !== '');
  return {
    socket: receiver.socket,
    told,
    lastId: () => id,
    heartbeats: () => beats,
    until: (holds) => receiver.until(holds),
    closed: receiver.closed,
  };
}

/** RFC 6455, as far as the register speaks it. */
async function followWebSocket(t: Test, options: Open): Promise<EventClient> {
  const key = randomBytes(16).toString('base64');
  const told: Told[] = [];
  let id = '';
  let beats = 0;
  let head: string | undefined;
  const receiver = new Receiver(t, connect(options.port, '127.0.0.1'), () => {
    head ??= receiver.takeHead();
    if (head === undefined) return;
    for (let frame = takeFrame(); frame !== undefined; frame = takeFrame()) take(frame);
  });
  function takeFrame(): { opcode: number; payload: Buffer } | undefined {
    const { buffer } = receiver;
    if (buffer.length < 2) return undefined;
    const short = buffer[1]! & 0x7f;
    const at = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (buffer.length < at) return undefined;
    const length =
      short === 126 ? buffer.readUInt16BE(2) : short === 127 ? Number(buffer.readBigUInt64BE(2)) : short;
    if (buffer.length < at + length) return undefined;
    receiver.buffer = buffer.subarray(at + length);
    return { opcode: buffer[0]! & 0x0f, payload: buffer.subarray(at, at + length) };
  }
  function take({ opcode, payload }: { opcode: number; payload: Buffer }): void {
    if (opcode === 8)
      client.close = { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString('utf8') };
    if (opcode !== 1) return;
    const { id: of, ...data } = JSON.parse(payload.toString('utf8')) as Record<string, unknown>;
    id = of as string;
    if (data['type'] === 'heartbeat') beats++;
    else if (data['type'] !== 'welcome') told.push({ id, type: data['type'] as string, data });
  }
  const client: EventClient = {
    socket: receiver.socket,
    told,
    lastId: () => id,
    heartbeats: () => beats,
    until: (holds) => receiver.until(holds),
    closed: receiver.closed,
  };
  receiver.socket.write(
    requestHead(options, {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': key,
    }),
  );
  await receiver.until(() => head !== undefined);
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  if (
    !head!.startsWith('HTTP/1.1 101 ') ||
    !head!.toLowerCase().includes(`sec-websocket-accept: ${accept.toLowerCase()}`)
  )
    throw new Error(`no WebSocket: ${head}\n${receiver.buffer.toString()}`);
  await receiver.until(() => id !== '');
  return client;
}

/** A frame as clients send it: masked. */
export function clientFrame(opcode: number, payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const head = Buffer.from([0x80 | opcode, 0x80 | (payload.length < 126 ? payload.length : 126)]);
  const length = Buffer.alloc(payload.length < 126 ? 0 : 2);
  if (length.length > 0) length.writeUInt16BE(payload.length);
  return Buffer.concat([head, length, mask, payload.map((byte, i) => byte ^ mask[i % 4]!)]);
}
