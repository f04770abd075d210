import { addressOf } from '../address.js';
import { ask, askDepsOf, endingFailure } from '../ask.js';
import { CliFailure, EXIT } from '../failure.js';
import { errorOf } from '../http.js';
import { onInterrupt } from '../interrupt.js';
import { duration, printable } from '../text.js';

/** The flags of `epr whoami`. */
export interface WhoamiFlags {
  url: URL;
  token?: string;
  tokenFile?: string;
  retryFor: number;
}

/** `epr whoami`: what the token says that is sent, and whether the register takes it. Answers the exit code. */
export async function whoami(flags: WhoamiFlags): Promise<number> {
  const interrupt = onInterrupt();
  const onNotice = (text: string): void => void process.stderr.write(`epr: ${text}\n`);
  const deps = askDepsOf({ ...flags, retryForMs: flags.retryFor }, { signal: interrupt.first, onNotice });
  try {
    const answer = await ask(deps, { method: 'GET', path: '/api/v1/applications?limit=1' });
    const failure = endingFailure(answer);
    if (failure !== undefined) throw failure;
    if (answer.status !== 200)
      throw new CliFailure(`The register does not say (${answer.status}): ${errorOf(answer).message}`);
    const token = deps.client.token();
    if (token === undefined) {
      process.stdout.write(`Nobody: ${addressOf(flags.url)} takes requests without a token.\n`);
      return EXIT.ok;
    }
    process.stdout.write(`${describe(token)}\nTaken by ${addressOf(flags.url)}.\n`);
    return EXIT.ok;
  } finally {
    deps.client.close();
    interrupt.forget();
  }
}

/** The register has verified what is only read here. */
function describe(token: string): string {
  const claims = claimsOf(token);
  if (claims === undefined) return 'Somebody: the token says nothing to be read here.';
  const text = (value: unknown): string => (typeof value === 'string' ? printable(value) : 'unknown');
  const name = claims['preferred_username'] ?? claims['client_id'] ?? claims['sub'];
  const lines = [`${text(name)}, by ${text(claims['iss'])}`];
  if (typeof claims['exp'] === 'number') {
    const leftMs = claims['exp'] * 1000 - Date.now();
    lines.push(leftMs > 0 ? `The token lasts ${duration(leftMs)} more.` : 'The token has ended.');
  }
  return lines.join('\n');
}

function claimsOf(token: string): Record<string, unknown> | undefined {
  try {
    const part = token.split('.')[1] ?? '';
    const claims = JSON.parse(Buffer.from(part, 'base64url').toString()) as unknown;
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
