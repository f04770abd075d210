import { type FaultDetail, type Refusal, refuse } from '../../model/errors.js';
import type { Retry } from '../../model/outcome.js';
import { refuseEndpoints } from '../authorization.js';
import type { Call, RouteDeps } from '../table/route.js';

/**
 * Why a caller may not change relations of these endpoints, if so, with every one that is not granted; an endpoint of
 * another tenant, or none at all, is unknown rather than forbidden.
 */
export async function refuseUngranted(
  call: Pick<Call, 'caller' | 'context'>,
  named: readonly { endpointId: string; path: string }[],
  deps: RouteDeps,
): Promise<Refusal | Retry | undefined> {
  if (!deps.access.authenticates || named.length === 0) return undefined;
  const ids = [...new Set(named.map(({ endpointId }) => endpointId))];
  const refused = await refuseEndpoints(call, 'endpoint:update', ids, deps);
  const denied = new Map<string, Refusal>();
  for (const [i, id] of ids.entries()) {
    const why = refused[i];
    // nothing is known of any of them
    if (why?.kind === 'retry' || why?.code === 'unauthenticated') return why;
    if (why !== undefined) denied.set(id, why);
  }
  let first: Refusal | undefined;
  const details: FaultDetail[] = [];
  for (const { endpointId, path } of named) {
    const reason = denied.get(endpointId);
    if (reason === undefined) continue;
    first ??= reason;
    details.push({ path, message: reason.message });
  }
  return first && refuse(first.code, `${first.message} Nothing was changed.`, details);
}
