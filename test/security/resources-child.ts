import type { Test } from 'tap';
import { CONTEXT, startIn } from '../register/support.js';
import { realResources } from './resources-support.js';
import type { Tenant } from '../../src/security/index.js';

/** Registers or unregisters an endpoint, and is killed when that is half done: between the auth server and the storage. */
const [folder, doing, tenantText] = [process.argv[2]!, process.argv[3]!, process.argv[4]!];
const t = { teardown: () => undefined } as unknown as Test;
const { resources } = realResources(t, [JSON.parse(tenantText) as Tenant]);
const stall = (): Promise<never> => {
  process.send!('in the middle');
  return new Promise(() => undefined);
};
const running = await startIn(t, folder, {
  resources: doing === 'unregister' ? { ...resources, remove: stall } : resources,
  ...(doing === 'register' ? { wrap: (store) => ({ ...store, commit: stall }) } : {}),
});
const endpointId = `killed-${doing}`;
await running.register.endpoints.register(CONTEXT, { endpointId, versionName: 'v1', metadata: {} });
await running.register.endpoints.submit({
  type: 'unregister',
  endpointId,
  correlationId: 'test',
  timestampMs: Date.now(),
});
