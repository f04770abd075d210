import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { type Catalogue, noVersion } from '../model/catalogue.js';
import type { VersionRef } from '../model/command.js';
import type { EndpointLimits } from '../model/endpoint.js';
import type { Refusal } from '../model/errors.js';
import { type Answer, ok, type Outcome, retry, type Retry } from '../model/outcome.js';
import type { Relation } from '../model/relation.js';
import type { Store } from '../storage/index.js';
import { guarded } from './guarded.js';
import { createIdTurns } from './id-turns.js';
import type { Pipeline } from './pipeline.js';
import { foresee, registrationFault } from './registration-checks.js';
import type { RunningRelations } from './relations.js';
import type { ResourceCare } from './resource-care.js';
import type { Issued, TokenIssuer, Unissued } from './token-issuer.js';
import type { CallContext, Endpoints, Registered, Registration } from './types.js';
import { createUnusedTokens } from './unused-tokens.js';

export interface RegistrationsDeps {
  store: Store;
  pipeline: Pipeline;
  catalogue: () => Catalogue;
  issuer: TokenIssuer;
  relations: Pick<RunningRelations, 'attach' | 'detach'>;
  /** absent: endpoints have nothing elsewhere */
  care: Pick<ResourceCare, 'registering'> | undefined;
  limits: () => EndpointLimits;
  now: () => number;
  log: Logger;
}

/** A registration whose version is known and whose form is checked. */
interface Wanted extends Registration {
  endpointId: string;
  version: VersionRef;
}

/**
 * Registers one endpoint at a time: resource, links, token, endpoint. Each step can be done without the next without anybody seeing
 * it, and what can't be taken back is done as late as may be. Nothing here holds a place in the pipeline while somebody
 * is asked for a token.
 */
export function createRegistrations(deps: RegistrationsDeps): Endpoints['register'] {
  const { store, pipeline, issuer, relations, log } = deps;
  const turns = createIdTurns();
  const unused = createUnusedTokens(deps.now);

  async function register(context: CallContext, registration: Registration): Promise<Answer<Registered>> {
    const catalogue = deps.catalogue();
    const version = catalogue.version(registration.versionName);
    if (version === undefined || (context.tenant !== undefined && version.tenant !== context.tenant))
      return noVersion(catalogue, registration.versionName);
    const endpointId = registration.endpointId ?? context.requestId ?? randomUUID();
    const wanted: Wanted = { ...registration, endpointId, version };
    const fault = registrationFault(wanted);
    if (fault !== undefined) return fault;
    if (deps.care === undefined) return registerChecked(context, wanted);
    const { tenant } = version;
    const { correlationId, subject } = context;
    const of = { tenant, endpointId, correlationId, ...(subject === undefined ? {} : { creator: subject }) };
    return deps.care.registering(of, () => registerChecked(context, wanted));
  }

  async function registerChecked(context: CallContext, wanted: Wanted): Promise<Answer<Registered>> {
    const { endpointId } = wanted;
    if (issuer.repeatable) return registerWith(context, wanted, () => issue(context, wanted));
    const answer = await turns.take(endpointId, () => registerForeseen(context, wanted));
    return answer ?? retry('overloaded', `Registrations of "${endpointId}" wait already. Try again shortly.`);
  }

  /** One after the other for an id: the second of two would come to a token for the endpoint of the first. */
  async function registerForeseen(context: CallContext, wanted: Wanted): Promise<Answer<Registered>> {
    const { endpointId, metadata } = wanted;
    const foreseen = await guarded(async () => {
      const [record] = await store.load([endpointId]);
      return ok(foresee(record, { endpointId, metadata, task: context.requestId }, deps.limits()));
    });
    if (foreseen.kind !== 'ok') return foreseen;
    if (typeof foreseen.value === 'object') return inRegistration(foreseen.value);
    const { endpointToken: given } = wanted;
    // its token was issued before it was registered
    if (foreseen.value === 'done' && given !== undefined)
      return registerWith(context, wanted, () => ({ kind: 'issued', token: given }));
    const place = { application: wanted.version.application, endpointId };
    return registerWith(
      context,
      wanted,
      () => {
        const token = unused.take(place, given);
        return token === undefined ? issue(context, wanted) : { kind: 'issued', token };
      },
      (token, outcome) => {
        if (outcome.kind === 'refused' && outcome.code === 'endpoint-exists') {
          log.warn(
            { endpointId },
            'another replica has registered this endpoint at the same moment: it has one more token, which nobody knows',
          );
        } else if (outcome.kind === 'refused' || outcome.kind === 'retry') {
          unused.keep(place, { token, wasGiven: given !== undefined });
        }
      },
    );
  }

  function issue(context: CallContext, wanted: Wanted): Issued | Promise<Issued> {
    return issuer.issue({
      tenant: wanted.version.tenant,
      application: wanted.version.application,
      endpointId: wanted.endpointId,
      correlationId: context.correlationId,
      ...(wanted.endpointToken === undefined ? {} : { token: wanted.endpointToken }),
      ...(context.requestId === undefined ? {} : { requestId: context.requestId }),
    });
  }

  /**
   * Links first, to the very registration that is to come: until it is there nobody sees them, and a crash in between
   * leaves nothing that anybody sees. So an endpoint is registered with all of its relations, or not at all.
   *
   * @param used told what became of a token that was issued
   */
  async function registerWith(
    { correlationId, requestId: task }: CallContext,
    { endpointId, version, metadata, relations: wished = [] }: Wanted,
    tokenOf: () => Issued | Promise<Issued>,
    used: (token: string, outcome: Outcome) => void = () => undefined,
  ): Promise<Answer<Registered>> {
    const timestampMs = deps.now();
    const { tenant } = version;
    let links: readonly Relation[] = [];
    if (wished.length > 0) {
      const attached = await relations.attach(tenant, { endpointId, createdMs: timestampMs }, wished, task);
      if (attached.kind !== 'ok') return attached;
      links = attached.value;
    }
    const issuing = tokenOf();
    // at once where it can: commands on one endpoint take effect in the order of the calls
    const issued = issuing instanceof Promise ? await issuing : issuing;
    if (issued.kind !== 'issued') {
      if (links.length > 0) await relations.detach(tenant, links);
      return issued.kind === 'refused' ? issued : retryOf(issued);
    }
    const outcome = await pipeline.submit({
      type: 'register',
      endpointId,
      correlationId,
      timestampMs,
      version,
      metadataText: JSON.stringify(metadata),
      ...(issued.hash === undefined ? {} : { tokenHash: issued.hash }),
      ...(task === undefined ? {} : { task }),
      ...(wished.length === 0 ? {} : { relations: otherEnds(endpointId, links) }),
    });
    used(issued.token, outcome);
    if (links.length > 0 && isUndone(outcome)) await relations.detach(tenant, links);
    if (outcome.kind === 'refused') return inRegistration(outcome);
    return outcome.kind === 'retry' ? outcome : ok({ endpointId, token: issued.token });
  }

  return register;
}

export function retryOf({ cause, message }: Unissued): Retry {
  return retry(cause === 'too-many' ? 'overloaded' : 'credentials-unavailable', message);
}

function otherEnds(endpointId: string, links: readonly Relation[]): string[] {
  return [
    ...new Set(
      links.map(({ from, to }) => (from.endpointId === endpointId ? to.endpointId : from.endpointId)),
    ),
  ];
}

/** Whether it is certain that this very registration did not come to be. Of other failures nothing is known. */
function isUndone(outcome: Outcome): boolean {
  if (outcome.kind === 'retry') return outcome.code === 'overloaded' || outcome.code === 'stopping';
  return outcome.kind !== 'applied';
}

/** What the pipeline says is about the metadata. */
function inRegistration(refusal: Refusal): Refusal {
  if (refusal.details === undefined) return refusal;
  const details = refusal.details.map(({ path, message }) => ({ path: `/metadata${path}`, message }));
  return { ...refusal, details };
}
