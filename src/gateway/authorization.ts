import { type Refusal, refuse } from '../model/errors.js';
import type { Retry } from '../model/outcome.js';
import type { Call, Requirement, RouteDeps } from './table/route.js';

/** Asks whether the caller has what a route requires. `undefined`: go on. */
export async function isGranted(
  requirement: Requirement<Call>,
  call: Call,
  deps: RouteDeps,
): Promise<Refusal | Retry | undefined> {
  const { on } = requirement;
  if (on === 'each') return undefined;
  let resource: string;
  if (on === 'endpoint') resource = `endpoint-${call.path['endpointId']!}`;
  else {
    const application = on === 'application' ? call.path['app'] : on(call, deps.register);
    // what does not exist can't be granted; the handler says so
    if (application === undefined) return undefined;
    resource = `application-${application}`;
  }
  const [granted] = await deps.access.decide(call.caller, requirement.scope, [resource]);
  if (granted === true) return undefined;
  if (on === 'endpoint') {
    // an endpoint of another tenant, or none at all, is unknown rather than forbidden
    const answer = await deps.register.endpoints.get(call.context, call.path['endpointId']!);
    if (answer.kind !== 'ok') return answer;
  }
  return refuse('forbidden', `The caller is not granted ${requirement.scope} on ${resource}.`);
}
