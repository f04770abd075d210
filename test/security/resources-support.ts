import type { Test } from 'tap';
import {
  createConfiguredTenants,
  createEndpointResources,
  createServiceTokens,
  type Tenant,
} from '../../src/security/index.js';
import { watchAuthServers } from './keycloak-support.js';

/** Resources at the real auth servers of the tenants. */
export function realResources(t: Pick<Test, 'teardown'>, tenants: readonly Tenant[]) {
  const { authServers, asked, away, log } = watchAuthServers(t);
  const resources = createEndpointResources({
    tenants: createConfiguredTenants(Object.fromEntries(tenants.map((tenant) => [tenant.name, tenant]))),
    tokens: createServiceTokens({ authServers }),
    changed: () => undefined,
    log,
  });
  return { resources, asked, away };
}
