import type { EndpointLimits } from '../model/endpoint.js';
import { ENDPOINT_TOKEN, isEndpointId, TOKEN_FORM } from '../model/endpoint.js';
import { refuse, type Refusal } from '../model/errors.js';
import type { JsonObject } from '../model/json.js';
import { headOf, isTombstone } from '../model/record.js';
import { metadataFault } from '../workers/index.js';
import type { Registration } from './types.js';

/** What is wrong with the form of a registration's id and token, if anything. */
export function registrationFault(registration: Pick<Registration, 'endpointId' | 'endpointToken'>) {
  if (registration.endpointId !== undefined && !isEndpointId(registration.endpointId))
    return refuse('invalid-endpoint-id');
  if (registration.endpointToken !== undefined && !ENDPOINT_TOKEN.test(registration.endpointToken)) {
    return refuse('invalid-body', `An endpoint token has ${TOKEN_FORM}.`);
  }
  return undefined;
}

/**
 * What will become of a registration, as far as it can be known before: it is asked where a token would be issued that
 * nobody takes back. The pipeline decides again, on what is there when it is written.
 *
 * @param record what is stored under the id
 * @param task as in the command: what it has registered is `done`
 */
export function foresee(
  record: Uint8Array | undefined,
  registration: { endpointId: string; metadata: JsonObject; task: string | undefined },
  limits: EndpointLimits,
): 'new' | 'done' | Refusal {
  const { endpointId, metadata, task } = registration;
  if (record === undefined || isTombstone(record)) return metadataFault(metadata, limits) ?? 'new';
  return task !== undefined && headOf(record).task === task ? 'done' : endpointExists(endpointId);
}

function endpointExists(endpointId: string): Refusal {
  return refuse('endpoint-exists', `The endpoint "${endpointId}" is registered already.`);
}
