/** Rules for what names an endpoint, its keys and its tokens. */

export const ENDPOINT_ID = /^[a-zA-Z0-9._~-]{1,256}$/;

/** `+`, `#`, `/` and `.` for the sake of topics and subjects; what nobody sees for that of headers and logs. */
const NOT_IN_TOKENS =
  '+#/.\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff0-\\ufffb\\ufffe\\uffff';
export const ENDPOINT_TOKEN = new RegExp(
  `^[^ ${NOT_IN_TOKENS}](?:[^${NOT_IN_TOKENS}]{0,254}[^ ${NOT_IN_TOKENS}])?$`,
);
/** In words. */
export const TOKEN_FORM =
  '1 to 256 printable characters, none of them "+", "#", "/" or ".", and no space at either end';
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
