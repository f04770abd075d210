import { type ErrorCode, type FaultDetail, type Refusal, refuse } from '../../model/errors.js';
import type { Retry } from '../../model/outcome.js';
import type { Call, RouteDeps } from '../table/route.js';

/**
 * Why a caller may not change relations of these endpoints, if so, with every one that is not granted; an endpoint of
 * another tenant, or none at all, is unknown rather than forbidden.
 */
export async function refuseUngranted(
  call: Pick<Call, 'caller' | 'context'>,
  named: readonly { endpointId: string; path: string }[],
  { access, register }: RouteDeps,
): Promise<Refusal | Retry | undefined> {
  if (!access.authenticates || named.length === 0) return undefined;
  const ids = [...new Set(named.map(({ endpointId }) => endpointId))];
  const resources = ids.map((id) => `endpoint-${id}`);
  const granted = await access.decide(call.caller, 'endpoint:update', resources);
  const denied = new Map<string, { code: ErrorCode; message: string }>();
  for (const [i, id] of ids.entries()) {
    if (granted[i] === true) continue;
    const found = await register.endpoints.get(call.context, id);
    if (found.kind === 'retry') return found;
    denied.set(
      id,
      found.kind === 'refused'
        ? found
        : { code: 'forbidden', message: `The caller is not granted endpoint:update on endpoint-${id}.` },
    );
  }
  let first: { code: ErrorCode; message: string } | undefined;
  const details: FaultDetail[] = [];
  for (const { endpointId, path } of named) {
    const reason = denied.get(endpointId);
    if (reason === undefined) continue;
    first ??= reason;
    details.push({ path, message: reason.message });
  }
  return first && refuse(first.code, `${first.message} Nothing was changed.`, details);
}
