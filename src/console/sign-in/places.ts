/**
 * What outlives a page, and it is little: while somebody is on the way to the auth server, the secrets of that one sign-in,
 * in the storage of this tab; and the name of the tenant that was signed in to last. Never a token.
 */
import type { Pending } from './types.js';

const PENDING = 'epr-sign-in';
const TENANT = 'epr-console-tenant';
const LEFT = 'epr-signed-out';

export function keepPending(pending: Pending): void {
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
}

/** It is good once. */
export function takePending(): Pending | undefined {
  try {
    const text = sessionStorage.getItem(PENDING);
    sessionStorage.removeItem(PENDING);
    return text === null ? undefined : (JSON.parse(text) as Pending);
  } catch {
    return undefined;
  }
}

/** Who was signed in here, and did not sign out, is signed in again without being asked, if the auth server still knows them. */
export function rememberTenant(name: string): void {
  attempt(() => localStorage.setItem(TENANT, name));
}

export function rememberedTenant(): string | undefined {
  return attempt(() => localStorage.getItem(TENANT)) ?? undefined;
}

export function forgetTenant(): void {
  attempt(() => localStorage.removeItem(TENANT));
}

/** For the page that the auth server leads back to. */
export function sayLeft(): void {
  attempt(() => sessionStorage.setItem(LEFT, '1'));
}

export function hasLeft(): boolean {
  const left = attempt(() => sessionStorage.getItem(LEFT)) === '1';
  attempt(() => sessionStorage.removeItem(LEFT));
  return left;
}

/**
 * The parameters with which the auth server sent the browser back here, taken out of the address before anything else is
 * done. `undefined`: it comes from elsewhere.
 */
export function takeArrival(): URLSearchParams | undefined {
  const parameters = new URLSearchParams(location.search);
  if (!parameters.has('state') || !(parameters.has('code') || parameters.has('error'))) return undefined;
  history.replaceState(null, '', location.pathname + location.hash);
  return parameters;
}

/** Some browsers refuse storage. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
