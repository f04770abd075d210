import { addressOf } from '../address.js';
import { CliFailure, EXIT, messageOf } from '../failure.js';
import { createAuthServer } from './auth-server.js';
import { createLoginStore, type Login } from './login-store.js';

/** `epr logout`: at the auth server, and here whatever that says. Answers the exit code. */
export async function logout({ url }: { url: URL }): Promise<number> {
  const store = createLoginStore();
  let found: Login | undefined;
  let unread: string | undefined;
  try {
    found = store.read(url);
  } catch (error) {
    // what is damaged, or others may have read, goes too
    if (!(error instanceof CliFailure)) throw error;
    unread = error.message;
  }
  if (found === undefined && unread === undefined) {
    process.stdout.write(`There is no login of ${addressOf(url)}.\n`);
    return EXIT.ok;
  }
  const ended = await store.alone(url, async () => {
    store.remove(url);
    return found?.refreshToken === undefined
      ? (unread ?? 'there is no way to')
      : await revoke(found, found.refreshToken);
  });
  process.stdout.write(`Logged out of ${addressOf(url)}.\n`);
  if (ended === undefined) return EXIT.ok;
  process.stderr.write(
    `epr: the session at the auth server could not be ended (${ended}); it ends by itself, or in the account console there\n`,
  );
  return EXIT.failed;
}

/** Why it could not be done. */
async function revoke({ issuer, clientId, allowHttp }: Login, token: string): Promise<string | undefined> {
  try {
    const revoked = await createAuthServer(issuer, clientId, allowHttp).revoke(token);
    return revoked ? undefined : 'it has no revocation endpoint';
  } catch (error) {
    return messageOf(error);
  }
}
