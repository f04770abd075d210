import type { Test } from 'tap';
import { answer, type Asked, type Behaviour, type PeerServer, startPeerServer } from './support.js';

/** Stands in for credential management, which can't be had: the part of its contract that this service uses. */
export interface CredentialServer extends PeerServer {
  /** does what it should */
  works: Behaviour;
  /** of an endpoint, in the order in which they were issued */
  tokensOf(endpointId: string): string[];
  /** ids of the endpoints that have tokens */
  endpoints(): string[];
}

const PATH = /^\/api\/v1\/endpoints\/([^/]+)\/tokens$/;

export async function startCredentialServer(t: Test): Promise<CredentialServer> {
  const holders = new Map<string, string>();
  const tokens = new Map<string, string[]>();
  let made = 0;

  const works: Behaviour = (response, asked) => {
    const endpointId = endpointOf(asked);
    if (asked.method !== 'POST' || endpointId === undefined)
      return answer(404, { message: 'nothing here' })(response, asked);
    const body = JSON.parse(asked.body) as { applicationName: string; token?: string };
    const token = body.token ?? `cm-${++made}`;
    const place = `${body.applicationName}/${token}`;
    if (holders.has(place)) return answer(409, { message: `Token '${token}' exists` })(response, asked);
    holders.set(place, endpointId);
    tokens.set(endpointId, [...(tokens.get(endpointId) ?? []), token]);
    answer(201, { token, endpointId, status: 'Inactive', createdDate: '2026-01-01T00:00:00Z' })(
      response,
      asked,
    );
  };
  const server = await startPeerServer(t, works);
  return {
    ...server,
    works,
    tokensOf: (endpointId) => tokens.get(endpointId) ?? [],
    endpoints: () => [...tokens.keys()],
  };
}

export function endpointOf({ url }: Asked): string | undefined {
  const segment = PATH.exec(url)?.[1];
  return segment === undefined ? undefined : decodeURIComponent(segment);
}
