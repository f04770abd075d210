/**
 * What outlives a page, and it is little: while somebody is on the way to the auth server, the secrets of that one sign-in,
 * in the storage of this tab; and the name of the tenant that was chosen last. Never a token.
 */
import type { Pending } from './types.js';

const PENDING = 'epr-sign-in';
const CHOSEN = 'epr-console-tenant';
const SILENT = 'epr-console-silent';
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

/** It is there first at the next sign-in, also after a sign-out. */
export function keepChosen(tenant: string): void {
  attempt(() => localStorage.setItem(CHOSEN, tenant));
}

export function chosenTenant(): string | undefined {
  return attempt(() => localStorage.getItem(CHOSEN)) ?? undefined;
}

/** Who was signed in here, and did not sign out, is signed in again without being asked, if the auth server still knows them. */
export function rememberTenant(name: string): void {
  attempt(() => localStorage.setItem(SILENT, name));
}

export function rememberedTenant(): string | undefined {
  return attempt(() => localStorage.getItem(SILENT)) ?? undefined;
}

export function forgetTenant(): void {
  attempt(() => localStorage.removeItem(SILENT));
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
 * done; what only looks like them, too. `undefined`: there are none.
 */
export function takeArrival(): URLSearchParams | undefined {
  const parameters = new URLSearchParams(location.search);
  if (!parameters.has('code') && !parameters.has('error')) return undefined;
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
