import type { HttpRequest } from 'uWebSockets.js';

/**
 * What is kept of a request's line and headers. uWebSockets.js lets a request be read only until its handler
 * returns, so that all of it is read at once.
 */
export interface RequestHead {
  method: string;
  /** path as it came, percent-encoded */
  path: string;
  /** after the `?`; `''` when there is none */
  query: string;
  /** the first fault found in the headers */
  fault: string | undefined;
  authorization: string | undefined;
  contentType: string | undefined;
  contentEncoding: string | undefined;
  contentLength: number | undefined;
  transferEncoding: string | undefined;
  /** lists of several headers are joined; an empty one is `''`, an absent one `undefined` */
  ifMatch: string | undefined;
  ifNoneMatch: string | undefined;
  acceptEncoding: string | undefined;
  idempotencyKey: string | undefined;
  correlationId: string | undefined;
  host: string | undefined;
  forwardedProto: string | undefined;
  origin: string | undefined;
  lastEventId: string | undefined;
  upgrade: string | undefined;
  webSocketKey: string | undefined;
  webSocketVersion: string | undefined;
  /** several are joined */
  webSocketProtocol: string | undefined;
}

export function readHead(request: HttpRequest): RequestHead {
  const head: RequestHead = {
    query: request.getQuery() ?? '',
    path: request.getUrl(),
    method: request.getCaseSensitiveMethod(),
    fault: undefined,
    authorization: undefined,
    contentType: undefined,
    contentEncoding: undefined,
    contentLength: undefined,
    transferEncoding: undefined,
    ifMatch: undefined,
    ifNoneMatch: undefined,
    acceptEncoding: undefined,
    idempotencyKey: undefined,
    correlationId: undefined,
    host: undefined,
    forwardedProto: undefined,
    origin: undefined,
    lastEventId: undefined,
    upgrade: undefined,
    webSocketKey: undefined,
    webSocketVersion: undefined,
    webSocketProtocol: undefined,
  };
  // getHeader answers '' for absent and for empty, and only the first of two: forEach tells
  request.forEach((name, value) => readHeader(head, name, value));
  return head;
}

function readHeader(head: RequestHead, name: string, value: string): void {
  switch (name) {
    case 'authorization':
      head.authorization = single(head, 'Authorization', head.authorization, value);
      break;
    case 'content-type':
      head.contentType = single(head, 'Content-Type', head.contentType, value);
      break;
    case 'content-encoding':
      head.contentEncoding = head.contentEncoding === undefined ? value : `${head.contentEncoding}, ${value}`;
      break;
    case 'content-length': {
      const length = /^[0-9]{1,15}$/.test(value) ? Number(value) : NaN;
      if (Number.isNaN(length))
        head.fault ??= `Content-Length must be a number; found "${value.slice(0, 40)}".`;
      else if (head.contentLength !== undefined && head.contentLength !== length) {
        head.fault ??= `There are two Content-Length headers that differ, ${head.contentLength} and ${length}; send one.`;
      } else head.contentLength = length;
      break;
    }
    case 'transfer-encoding':
      head.transferEncoding = single(head, 'Transfer-Encoding', head.transferEncoding, value);
      if (value.toLowerCase() !== 'chunked')
        head.fault ??= `Transfer-Encoding may only be "chunked"; found "${value.slice(0, 40)}".`;
      break;
    case 'if-match':
      head.ifMatch = head.ifMatch === undefined ? value : `${head.ifMatch},${value}`;
      break;
    case 'if-none-match':
      head.ifNoneMatch = head.ifNoneMatch === undefined ? value : `${head.ifNoneMatch},${value}`;
      break;
    case 'accept-encoding':
      head.acceptEncoding = head.acceptEncoding === undefined ? value : `${head.acceptEncoding},${value}`;
      break;
    case 'idempotency-key':
      head.idempotencyKey = single(head, 'Idempotency-Key', head.idempotencyKey, value);
      break;
    case 'x-correlation-id':
      head.correlationId = single(head, 'X-Correlation-ID', head.correlationId, value);
      break;
    case 'host':
      head.host = single(head, 'Host', head.host, value);
      break;
    case 'x-forwarded-proto':
      head.forwardedProto ??= value;
      break;
    case 'origin':
      head.origin = single(head, 'Origin', head.origin, value);
      break;
    case 'last-event-id':
      head.lastEventId = single(head, 'Last-Event-ID', head.lastEventId, value);
      break;
    case 'upgrade':
      head.upgrade = value;
      break;
    case 'sec-websocket-key':
      head.webSocketKey = single(head, 'Sec-WebSocket-Key', head.webSocketKey, value);
      break;
    case 'sec-websocket-version':
      head.webSocketVersion = single(head, 'Sec-WebSocket-Version', head.webSocketVersion, value);
      break;
    case 'sec-websocket-protocol':
      head.webSocketProtocol =
        head.webSocketProtocol === undefined ? value : `${head.webSocketProtocol},${value}`;
      break;
  }
}

function single(head: RequestHead, name: string, before: string | undefined, value: string): string {
  if (before !== undefined) head.fault ??= `There are two ${name} headers; send one.`;
  return value;
}
