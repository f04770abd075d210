import { noApplication } from '../model/catalogue.js';
import { isEndpointId } from '../model/endpoint.js';
import { type Refusal, refuse } from '../model/errors.js';
import type { Retry } from '../model/outcome.js';
import type { CallContext } from '../register/index.js';
import type { Scope } from '../model/scopes.js';
import { isDecided } from '../security/index.js';
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
  const catalogue = deps.register.catalogue();
  const owner = catalogue.known.application(application)?.tenant;
  // that of another tenant is unknown rather than forbidden; and a name that nobody knows is no part of a question
  if (tenant !== undefined && owner !== tenant) return noApplication(catalogue, application);
  const resource = `application-${application}`;
  const decided = await deps.access.decide(call.caller, scope, [resource]);
  if (!isDecided(decided)) return decided;
  return decided[0] === true ? undefined : notGranted(scope, resource);
}

/** Of a version. `undefined`: the version is not there, or another tenant's; the handler says the same of both. */
export function applicationOf(
  { caller }: Pick<Call, 'caller'>,
  register: Pick<RouteDeps['register'], 'catalogue'>,
  versionName: string,
): string | undefined {
  const version = register.catalogue().version(versionName);
  const isAnothers = caller.tenant !== undefined && version?.tenant !== caller.tenant;
  return isAnothers ? undefined : version?.application;
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

/** In whose name a list that names a tenant is read: who sees other tenants reads all of the one that is named. */
export async function listingContext(
  { caller, context }: Asked,
  tenant: string | undefined,
  { access }: Pick<RouteDeps, 'access'>,
): Promise<{ context: CallContext; isOther: boolean } | Refusal | Retry> {
  if (tenant === undefined || caller.tenant === undefined || tenant === caller.tenant)
    return { context, isOther: false };
  const decided = await access.decide(caller, 'kaa:tenant:read', ['kaa-system']);
  if (!isDecided(decided)) return decided;
  if (decided[0] === true) return { context: { ...context, tenant }, isOther: true };
  return refuse('forbidden', `The caller is not granted to see the tenant "${tenant.slice(0, 200)}".`);
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

/** As {@link readableIds}, as a question: for what lasts, since it copies nothing of what may be long. */
export async function readableEndpoint(
  call: Pick<Call, 'caller'>,
  { access }: Pick<RouteDeps, 'access'>,
): Promise<((endpointId: string) => boolean) | Refusal | Retry | undefined> {
  if (!access.authenticates) return undefined;
  const granted = await access.granted(call.caller, 'endpoint:read');
  if (granted === 'all') return undefined;
  return 'kind' in granted ? granted : (endpointId) => granted.has(`${ENDPOINT}${endpointId}`);
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
