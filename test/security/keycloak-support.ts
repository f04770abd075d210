import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { Test } from 'tap';
import { createPeerClient, createPeerMetrics, type PeerOptions } from '../../src/peers/index.js';
import {
  type AuthServer,
  type AuthServerEndpoint,
  type AuthServerRequest,
  createAuthServers,
  type Tenant,
} from '../../src/security/index.js';

export interface Asked {
  endpoint: AuthServerEndpoint;
  method: string;
  /** of a form: `<resource>#<scope>`; of a list without the resource */
  permissions: readonly string[];
  authorization: string | undefined;
}

/** The real auth servers, with an eye on what goes out; while `away.is`, nothing does. Answers come when `held.until` does. */
export function watchAuthServers(t: Pick<Test, 'teardown'>) {
  const registry = new Registry();
  const metrics = createPeerMetrics(registry);
  const log = pino({ level: 'silent' });
  const authServers = createAuthServers({
    connect: (options: PeerOptions) =>
      createPeerClient({ ...options, limits: { ...options.limits, attempts: 1 } }, { log, metrics }),
  });
  t.teardown(() => authServers.close());
  const asked: Asked[] = [];
  const away = { is: false };
  const held: { until?: Promise<void>; answers: number } = { answers: 0 };
  const watch = (server: AuthServer): AuthServer => ({
    ...server,
    ask(endpoint, request) {
      asked.push(askedOf(endpoint, request));
      const { until } = held;
      if (!away.is)
        return server.ask(endpoint, request).then(async (answer) => {
          held.answers++;
          await until;
          return answer;
        });
      return Promise.resolve({
        kind: 'unavailable',
        cause: 'unreachable',
        message: 'away',
        mayBeDone: false,
      });
    },
  });
  return {
    authServers: { of: (tenant: Tenant) => watch(authServers.of(tenant)) },
    asked,
    away,
    held,
    registry,
    log,
  };
}

function askedOf(
  endpoint: AuthServerEndpoint,
  { method, form = [], authorization }: Pick<AuthServerRequest<never>, 'method' | 'form' | 'authorization'>,
): Asked {
  const permissions = form.filter(([name]) => name === 'permission').map(([, value]) => value);
  return { endpoint, method, permissions, authorization };
}

export function tenantOf(
  realm: { issuer: string; clientId: string; clientSecret: string },
  name = 'kaa',
): Tenant {
  const { issuer, clientId, clientSecret } = realm;
  return { name, issuer, authServerUrl: issuer, clientId, clientSecret };
}
