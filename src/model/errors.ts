/**
 * What can be wrong, once for all: code, status, and the message that is used when the place that refuses has
 * nothing more exact to say. The status is that of HTTP; NATS responses and batch results carry the same number.
 */
export const ERRORS = {
  'malformed-json': [400, 'The body is not valid JSON.'],
  'invalid-body': [400, 'The body does not have the form that this operation takes.'],
  'invalid-parameter': [400, 'A parameter does not have the form that this operation takes.'],
  'unknown-parameter': [400, 'This operation does not know that parameter.'],
  'invalid-header': [400, 'A header does not have the form that it must have.'],
  'invalid-query': [400, 'The filter query is not valid.'],
  'invalid-patch': [400, 'The patch can not be done.'],
  'invalid-metadata-key': [400, 'A metadata key has characters that are not allowed.'],
  'invalid-endpoint-id': [
    400,
    'An endpoint id has 1 to 256 characters out of a-z, A-Z, 0-9, ".", "_", "~" and "-", and is not "." or "..".',
  ],
  'token-refused': [400, 'Credential management does not take this token, or this endpoint id.'],
  'too-many-keys': [400, 'The endpoint would have more metadata keys than are allowed.'],
  'nested-too-deep': [400, 'The value is nested deeper than is allowed.'],
  unauthenticated: [401, 'A valid access token is needed: Authorization: Bearer <token>.'],
  forbidden: [403, 'The caller is not granted this operation.'],
  'key-restricted': [403, 'The metadata key is restricted and can not be written.'],
  'not-found': [404, 'There is nothing at this path.'],
  'endpoint-not-found': [404, 'There is no such endpoint.'],
  'metadata-key-not-found': [404, 'The endpoint has no such metadata key.'],
  'application-not-found': [404, 'There is no such application.'],
  'application-version-not-found': [404, 'There is no such application version.'],
  'filter-not-found': [404, 'The application has no such filter.'],
  'task-not-found': [404, 'The application has no such batch task.'],
  'republishing-not-found': [404, 'No events were sent again yet, or not since the start of this process.'],
  'method-not-allowed': [405, 'This path does not take that method.'],
  'endpoint-exists': [409, 'An endpoint with this id is registered already.'],
  'token-taken': [409, 'Another endpoint of the application has this token.'],
  'other-application': [409, 'The version belongs to another application.'],
  'patch-test-failed': [409, 'A "test" operation of the patch does not hold.'],
  'filter-name-taken': [409, 'Another filter of the application has this name.'],
  'filter-pending': [
    409,
    'The filter is still pending: its endpoints are being evaluated. Try again when it is active.',
  ],
  'too-many-filters': [409, 'The application has as many filters as are allowed.'],
  'idempotency-key-reused': [
    409,
    'The Idempotency-Key was given with another request within the last 24 h. Nothing was done: give each request a key of its own.',
  ],
  'relation-to-itself': [409, 'An endpoint can not contain itself.'],
  'relation-cycle': [409, 'An endpoint would contain itself by way of others.'],
  'too-many-containers': [
    409,
    'More containers, direct or not, would have to be looked through than is allowed.',
  ],
  'no-broker': [409, 'No broker is configured (nats.urls), so there is nowhere to publish to.'],
  'republishing-already': [409, 'Events are being sent again already.'],
  'precondition-failed': [412, 'The state has changed: If-Match does not name the present ETag.'],
  'body-too-large': [413, 'The body is larger than is allowed.'],
  'endpoint-too-large': [413, 'The endpoint would become larger than is allowed.'],
  'answer-too-large': [413, 'The answer does not fit into one message.'],
  'unsupported-media-type': [415, 'This operation does not take that content type or encoding.'],
  overloaded: [429, 'More is waiting to be written than fits. Try again shortly.'],
  internal: [500, 'Something went wrong here; it is logged under the correlation id.'],
  'storage-unavailable': [
    503,
    'The storage is away. Nothing was changed, or it is unknown whether it was. Try again shortly.',
  ],
  'credentials-unavailable': [
    503,
    'Credential management, which issues tokens, is away or did not answer. Nothing was registered. Try again shortly.',
  ],
  'auth-server-unavailable': [
    503,
    'The auth server is away or did not answer, so it is not known who asks or what they may do. Nothing was done. Try again shortly.',
  ],
  'tenants-unavailable': [
    503,
    'Tenants come from the tenant manager, which could not be read, so it is not known whose token this is. Nothing was done. Try again shortly.',
  ],
  'applications-unavailable': [
    503,
    'Applications and restricted keys come from Tekton, which has not been read yet, so none is known. Nothing was done. Try again shortly.',
  ],
  stopping: [503, 'The service is stopping. Try again shortly.'],
} as const satisfies Record<string, readonly [status: number, message: string]>;

export type ErrorCode = keyof typeof ERRORS;

/** One fault in what a caller sent: where (a JSON pointer, or a parameter's name), and what is wrong there. */
export interface FaultDetail {
  path: string;
  message: string;
}

/** Why something was not done. A value: what a caller can cause is never thrown. */
export interface Refusal {
  kind: 'refused';
  code: ErrorCode;
  message: string;
  details?: readonly FaultDetail[];
}

export function refuse(code: ErrorCode, message?: string, details?: readonly FaultDetail[]): Refusal {
  const refusal: Refusal = { kind: 'refused', code, message: message ?? ERRORS[code][1] };
  if (details !== undefined && details.length > 0) refusal.details = details;
  return refusal;
}

export function statusOf(code: ErrorCode): number {
  return ERRORS[code][0];
}
