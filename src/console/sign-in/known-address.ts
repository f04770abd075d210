import type { SignInOffer } from './types.js';

/**
 * The address of this page that the auth server knows, where the page was opened at another one: it would refuse to lead
 * anybody back here.
 * @param home address of the page without parameters
 */
export function knownAddress({ publicUrl }: SignInOffer, home: string): string | undefined {
  if (publicUrl === undefined || !URL.canParse(publicUrl)) return undefined;
  if (new URL(publicUrl).origin === new URL(home).origin) return undefined;
  const page = /[^/]+\/$/.exec(new URL(home).pathname)?.[0] ?? '';
  return `${publicUrl}/${page}`;
}
