import { createSlots, type Slots } from '../peers/index.js';
import type { Tenant } from './tenants.js';

/**
 * Resources of one tenant that are made or removed at a time. A Keycloak does not make more of them a second when it is
 * asked for more at once: it makes everybody wait who asks it for anything.
 */
export const RESOURCES_AT_ONCE = { singles: 4, background: 4 } as const;

/** A caller who waits longer is not there any more. */
const SINGLE_WAIT_MS = 10_000;
const MOST_WAITING = 1_000;

/** Registrations whose callers wait, and all else: batch tasks and removals. The one never waits for the other. */
export interface ResourceSlots {
  singles: Slots;
  background: Slots;
}

/** For each tenant its own, as long as nothing of the tenant changes. */
export function createResourceSlots(): (tenant: Tenant) => ResourceSlots {
  const known = new WeakMap<Tenant, ResourceSlots>();
  return (tenant) => {
    let slots = known.get(tenant);
    if (slots === undefined) {
      slots = {
        singles: createSlots({
          atOnce: RESOURCES_AT_ONCE.singles,
          maxWaiting: MOST_WAITING,
          waitMs: SINGLE_WAIT_MS,
        }),
        background: createSlots({ atOnce: RESOURCES_AT_ONCE.background }),
      };
      known.set(tenant, slots);
    }
    return slots;
  };
}
