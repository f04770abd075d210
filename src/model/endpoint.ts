/** Rules for what names an endpoint, its keys and its tokens. */

export const ENDPOINT_ID = /^[a-zA-Z0-9._~-]{1,256}$/;
export const ENDPOINT_TOKEN = /^[^+#/.]{1,256}$/;
export const NAME = /^[a-z0-9_-]+$/;

/** `.` and `..` would change the path of a URL. */
export function isEndpointId(text: string): boolean {
  return ENDPOINT_ID.test(text) && text !== '.' && text !== '..';
}

/** Limits on one endpoint, from configuration. */
export interface EndpointLimits {
  metadataKeys: number;
  /** of the metadata's JSON text in UTF-8 */
  endpointBytes: number;
  /** source of the regular expression that a metadata key must match */
  metadataKeyPattern: string;
  /** levels of arrays and objects in one metadata value */
  nesting: number;
  /** keys that can't be written over REST or NATS */
  restrictedKeys: readonly string[];
}
