import { addressOf } from '../address.js';
import { EXIT } from '../failure.js';
import { endLogin } from './end-login.js';
import { createLoginStore } from './login-store.js';

/** `epr logout`: at the auth server, and here whatever that says. Answers the exit code. */
export async function logout({ url }: { url: URL }): Promise<number> {
  const ended = await endLogin(createLoginStore(), url);
  const address = addressOf(url);
  if (ended === undefined) process.stdout.write(`There is no login of ${address}.\n`);
  else if (ended.revoked) process.stdout.write(`Logged out of ${address}.\n`);
  else process.stdout.write(`The login of ${address} was removed from this computer, and no more.\n`);
  if (ended?.note !== undefined) process.stderr.write(`epr: ${ended.note}\n`);
  return ended?.revoked === false ? EXIT.failed : EXIT.ok;
}
