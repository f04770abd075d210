import { type Refusal, refuse } from '../../model/errors.js';

/** What a client that sends a token as a subprotocol asks for beside it: a server answers with one of those that it was asked for. */
export const EVENTS_PROTOCOL = 'epr-events';
const BEARER = 'bearer.';
/** RFC 9110, 5.6.3: other white space is part of what is offered, and no token has any */
const OUTER_SPACE = /^[ \t]+|[ \t]+$/g;

export interface WebSocketProtocol {
  /** to be answered; `''` is none */
  protocol: string;
  token: string | undefined;
}

/**
 * Browsers can't send headers with a WebSocket, but subprotocols: `new WebSocket(url, ['epr-events', 'bearer.' + token])`.
 *
 * @param header - of `Sec-WebSocket-Protocol`, several joined by commas
 */
export function readWebSocketProtocol(header: string | undefined): WebSocketProtocol | Refusal {
  if (header === undefined) return { protocol: '', token: undefined };
  const offered = header.split(',').map((each) => each.replace(OUTER_SPACE, ''));
  const tokens = offered.filter((each) => each.startsWith(BEARER)).map((each) => each.slice(BEARER.length));
  const protocol = offered.includes(EVENTS_PROTOCOL) ? EVENTS_PROTOCOL : '';
  if (tokens.length > 1) return refuse('invalid-header', 'Sec-WebSocket-Protocol has two tokens; send one.');
  if (tokens.length === 1 && protocol === '')
    return refuse(
      'invalid-header',
      `Sec-WebSocket-Protocol has a token and no "${EVENTS_PROTOCOL}", which is what is answered: send both.`,
    );
  return { protocol, token: tokens[0] };
}
