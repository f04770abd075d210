import uWS, { type HttpResponse } from 'uWebSockets.js';
import { childArgument, serveParent } from '../children.js';
import { createFleetStore } from './fleet-store.js';

/**
 * As little as can be between the socket and the store: uWebSockets.js takes the body, its bytes go into the bytes of the
 * record, and all that came meanwhile is one batch. Answered after fdatasync. No parsing, no checks, no revision guard, no
 * events.
 */
interface Write {
  endpointId: string;
  record: Buffer;
  value: Buffer;
  response: HttpResponse;
  isGone: () => boolean;
}

/** One batch flushes while the next one is written, as in the service. */
const BATCHES_IN_FLIGHT = 2;

const { folder, endpoints } = childArgument<{ folder: string; endpoints: number }>();
const { db, recordWith } = await createFleetStore(folder, endpoints);

let queue: Write[] = [];
let inFlight = 0;

function writeBatch(): void {
  if (inFlight >= BATCHES_IN_FLIGHT || queue.length === 0) return;
  const batch = queue;
  queue = [];
  inFlight++;
  let flushed: Promise<boolean> | undefined;
  for (const { endpointId, record } of batch) flushed = db.put(endpointId, record);
  void flushed!.then(() => {
    inFlight--;
    for (const { response, value, isGone } of batch) if (!isGone()) answer(response, value);
    writeBatch();
  });
}

function answer(response: HttpResponse, value: Buffer): void {
  response.cork(() => response.writeHeader('content-type', 'application/json').end(value));
}

let scheduled = false;
function add(write: Write): void {
  queue.push(write);
  if (scheduled) return;
  scheduled = true;
  setImmediate(() => {
    scheduled = false;
    writeBatch();
  });
}

uWS
  .App()
  .put('/api/v1/endpoints/:endpointId/metadata/:key', (response, request) => {
    const endpointId = request.getParameter(0) ?? '';
    let gone = false;
    const isGone = () => gone;
    response.onAborted(() => (gone = true));
    let parts: Buffer | undefined;
    response.onData((chunk, isLast) => {
      // The chunk is the library's after this call.
      const copy = Buffer.from(new Uint8Array(chunk).slice());
      parts = parts === undefined ? copy : Buffer.concat([parts, copy]);
      if (!isLast) return;
      const record = recordWith(endpointId, parts);
      if (record === undefined) response.cork(() => response.writeStatus('404 Not Found').end());
      else add({ endpointId, record, value: parts, response, isGone });
    });
  })
  .listen('127.0.0.1', 0, (socket) => {
    if (socket === false) throw new Error('no port');
    serveParent({ port: uWS.us_socket_local_port(socket) });
  });
