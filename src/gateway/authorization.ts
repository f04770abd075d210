import { isEndpointId } from '../model/endpoint.js';
import { type Refusal, refuse } from '../model/errors.js';
import type { Retry } from '../model/outcome.js';
import { isDecided, type Scope } from '../security/index.js';
import type { Call, Requirement, RouteDeps } from './table/route.js';

type Asked = Pick<Call, 'caller' | 'context'>;
type Why = Refusal | Retry | undefined;

/** Asks whether the caller has what a route requires. `undefined`: go on. */
export async function isGranted(requirement: Requirement<Call>, call: Call, deps: RouteDeps): Promise<Why> {
  const { on, scope } = requirement;
  if (on === 'each') return undefined;
  if (on === 'endpoint') return (await refuseEndpoints(call, scope, [call.path['endpointId']!], deps))[0];
  const application = on === 'application' ? call.path['app'] : on(call, deps.register);
  // what does not exist can't be granted; the handler says so
  if (application === undefined) return undefined;
  const { tenant } = call.caller;
  const owner = deps.register.catalogue().known.application(application)?.tenant;
  // that of another tenant is unknown rather than forbidden
  if (tenant !== undefined && owner !== undefined && owner !== tenant)
    return refuse('application-not-found', `There is no application "${application.slice(0, 200)}".`);
  const resource = `application-${application}`;
  const decided = await deps.access.decide(call.caller, scope, [resource]);
  if (!isDecided(decided)) return decided;
  return decided[0] === true ? undefined : notGranted(scope, resource);
}

/** Whether it is known without waiting that the caller has it; else {@link isGranted} says whether and why not. */
export function isGrantedAtOnce({ on, scope }: Requirement<Call>, call: Call, deps: RouteDeps): boolean {
  if (on === 'each') return true;
  if (on !== 'endpoint') return false;
  const id = call.path['endpointId']!;
  if (!isEndpointId(id)) return false;
  const decided = deps.access.decide(call.caller, scope, [`endpoint-${id}`]);
  return !(decided instanceof Promise) && isDecided(decided) && decided[0] === true;
}

/** For each endpoint, why the caller may not do it; `undefined`: it may. */
export async function refuseEndpoints(
  call: Asked,
  scope: Scope,
  endpointIds: readonly string[],
  { access, register }: Pick<RouteDeps, 'access' | 'register'>,
): Promise<Why[]> {
  if (!access.authenticates) return endpointIds.map(() => undefined);
  // the name of a resource becomes part of a question
  const proper = endpointIds.filter(isEndpointId);
  const decided =
    proper.length === 0
      ? []
      : await access.decide(
          call.caller,
          scope,
          proper.map((id) => `endpoint-${id}`),
        );
  if (!isDecided(decided)) return endpointIds.map(() => decided);
  let next = 0;
  return Promise.all(
    endpointIds.map(async (id): Promise<Why> => {
      if (!isEndpointId(id)) return refuse('invalid-endpoint-id');
      if (decided[next++] === true) return undefined;
      // an endpoint of another tenant, or none at all, is unknown rather than forbidden
      const found = await register.endpoints.get(call.context, id);
      return found.kind === 'ok' ? notGranted(scope, `endpoint-${id}`) : found;
    }),
  );
}

/** The endpoints that the caller may read; `undefined`: all. */
export async function readableIds(
  call: Pick<Call, 'caller'>,
  { access }: Pick<RouteDeps, 'access'>,
): Promise<ReadonlySet<string> | Refusal | Retry | undefined> {
  if (!access.authenticates) return undefined;
  const granted = await access.granted(call.caller, 'endpoint:read');
  if (granted === 'all') return undefined;
  if ('kind' in granted) return granted;
  const ids = new Set<string>();
  for (const name of granted) if (name.startsWith(ENDPOINT)) ids.add(name.slice(ENDPOINT.length));
  return ids;
}

/** Those applications on which the caller has the scope, in their order. */
export async function grantedApplications(
  call: Pick<Call, 'caller'>,
  scope: Scope,
  names: readonly string[],
  { access }: Pick<RouteDeps, 'access'>,
): Promise<readonly string[] | Refusal | Retry> {
  if (!access.authenticates) return names;
  const decided = await access.decide(
    call.caller,
    scope,
    names.map((name) => `application-${name}`),
  );
  return isDecided(decided) ? names.filter((_name, i) => decided[i] === true) : decided;
}

const ENDPOINT = 'endpoint-';

function notGranted(scope: Scope, resource: string): Refusal {
  return refuse('forbidden', `The caller is not granted ${scope} on ${resource}.`);
}
