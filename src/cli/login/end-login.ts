import { messageOf } from '../failure.js';
import { duration, printable } from '../text.js';
import { createAuthServer } from './auth-server.js';
import type { Login, LoginStore } from './login-store.js';

/** What became of a login that was to be ended. It is kept here no more. */
export interface Ended {
  /** its refresh token works no more */
  revoked: boolean;
  /** what else is to be known of it, for people */
  note?: string;
}

/**
 * Revokes the refresh token that is kept for a register, and removes its file, whether it could be revoked or not. The
 * lock is held meanwhile, so that nobody renews it. `undefined`: there is none.
 */
export async function endLogin(store: LoginStore, url: URL): Promise<Ended | undefined> {
  if (!store.has(url)) return undefined;
  return store.alone(url, async () => {
    const last = store.readLast(url);
    if (last === undefined) return undefined;
    const { login, wasExposed } = last;
    const failure = 'unread' in login ? notRevoked(login.unread, 'the auth server') : await revoke(login);
    store.remove(url);
    if (failure !== undefined) return { revoked: false, note: failure };
    const leftMs = 'unread' in login ? 0 : login.expiresMs - Date.now();
    if (!wasExposed || leftMs <= 0) return { revoked: true };
    const note = `others could read the login: it can not be renewed any more, but its access token lasts ${duration(leftMs)} more.`;
    return { revoked: true, note };
  });
}

/** Why it could not be done, and what to do. */
async function revoke({ issuer, clientId, allowHttp, refreshToken }: Login): Promise<string | undefined> {
  if (refreshToken === undefined)
    return `there is no refresh token to revoke; the access token goes on until it expires. ${remedy(issuer)}`;
  try {
    const revoked = await createAuthServer(issuer, clientId, allowHttp).revoke(refreshToken);
    return revoked ? undefined : notRevoked('the auth server has no revocation endpoint', issuer);
  } catch (error) {
    return notRevoked(messageOf(error), issuer);
  }
}

function notRevoked(why: string, where: string): string {
  return `the refresh token could not be revoked (${printable(why)}): whoever has a copy of it can go on using it. ${remedy(where)}`;
}

function remedy(where: string): string {
  return `End the session at ${printable(where)} (Keycloak: in the account console, “Device activity”).`;
}
