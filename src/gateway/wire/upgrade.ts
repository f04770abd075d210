import { isIP } from 'node:net';
import type { HttpResponse } from 'uWebSockets.js';
import { type Refusal, refuse } from '../../model/errors.js';
import type { RequestHead } from './request-head.js';

/** What the server needs to make a connection a WebSocket; it goes with the request that asks for one. */
export type UpgradeContext = Parameters<HttpResponse['upgrade']>[4];

/** What the answer to a request for a WebSocket is made of. */
export interface UpgradeTo {
  key: string;
  /** the subprotocol that is answered; `''` is none */
  protocol: string;
  context: UpgradeContext;
}

export interface OriginRules {
  publicUrl: string | undefined;
  /** nobody is asked who they are, and only this machine is listened to: then a name that anybody can make point here is no proof */
  isOpenOnLoopback: boolean;
}

/** Whether a request asks for a WebSocket, and not just has one of its headers. */
export function asksForWebSocket(head: RequestHead): boolean {
  return head.webSocketKey !== undefined && head.upgrade?.toLowerCase() === 'websocket';
}

/** What is wrong with a request for a WebSocket (RFC 6455, 4.2.1), its origin included. */
export function refuseUpgrade(head: RequestHead, rules: OriginRules): Refusal | undefined {
  if (head.webSocketVersion !== '13')
    return refuse(
      'invalid-header',
      `Sec-WebSocket-Version must be 13; found "${head.webSocketVersion?.slice(0, 40) ?? ''}".`,
    );
  if (!/^[A-Za-z0-9+/]{22}==$/.test(head.webSocketKey!))
    return refuse('invalid-header', 'Sec-WebSocket-Key must be 16 bytes as base64.');
  return refuseOrigin(head, rules);
}

/**
 * Browsers let any page open a WebSocket to anywhere, and say whose page it is; what they would keep from it of an
 * ordinary request is kept from it here. A page of the register's own host may, as the request names it, or as
 * `server.public-url` does. Who is no browser says no origin.
 */
function refuseOrigin(head: RequestHead, { publicUrl, isOpenOnLoopback }: OriginRules): Refusal | undefined {
  if (head.origin === undefined) return undefined;
  const origin = hostOf(head.origin);
  if (origin !== undefined && publicUrl !== undefined && origin === hostOf(publicUrl)) return undefined;
  const isOwn = origin !== undefined && origin === hostOf(`http://${head.host ?? ''}`);
  if (isOwn && (!isOpenOnLoopback || isOfThisMachine(origin))) return undefined;
  const remedy =
    isOwn && isOpenOnLoopback
      ? 'a host name that is not "localhost" may belong to anybody, and nobody is asked who they are here'
      : 'its host is not that of the request';
  return refuse(
    'forbidden',
    `A page of "${head.origin.slice(0, 200)}" may not read this stream: ${remedy}. If it is the register's own address, set server.public-url.`,
  );
}

/** Host and port; those that schemes have by themselves left out. */
function hostOf(url: string): string | undefined {
  try {
    const { protocol, host } = new URL(url);
    return protocol === 'http:' || protocol === 'https:' ? host.replace(/:(80|443)$/, '') : undefined;
  } catch {
    return undefined;
  }
}

function isOfThisMachine(host: string): boolean {
  const name = host.replace(/:\d+$/, '');
  return name === 'localhost' || name.endsWith('.localhost') || isIP(name.replace(/^\[|\]$/g, '')) !== 0;
}
