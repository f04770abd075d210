import type { RequestHead } from './wire/request-head.js';

export const API = '/api/v1';

/**
 * What `Location` begins with: `server.public-url`, or the scheme of `X-Forwarded-Proto` (default http) and the `Host`
 * of the request; then the prefix of the request. A public URL that ends in that prefix has it once.
 */
export function baseUrl(
  head: RequestHead,
  prefix: string,
  publicUrl: string | undefined,
  listening: string,
): string {
  if (publicUrl !== undefined) return `${publicRoot(publicUrl, prefix)}${API}`;
  const proto = head.forwardedProto?.split(',')[0]?.trim().toLowerCase() === 'https' ? 'https' : 'http';
  const host = head.host !== undefined && /^[A-Za-z0-9._~:[\]-]+$/.test(head.host) ? head.host : listening;
  return `${proto}://${host}${prefix}${API}`;
}

/** What the addresses of all that is under this prefix begin with, without a slash at its end. */
export function publicRoot(publicUrl: string, prefix: string): string {
  const root = publicUrl.replace(/\/+$/, '');
  return prefix !== '' && root.endsWith(prefix) ? root : root + prefix;
}
