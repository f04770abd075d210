import {
  type Authenticator,
  jwtAuthenticator,
  nkeyAuthenticator,
  nkeys as clientKeys,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from 'nats';
import type { MessagingOptions } from './options.js';
import { type Readable, readNamed } from './readable.js';

/** How to sign in, read once, for one connection. */
export interface SignIn {
  /** the settings that it comes from, for errors; absent: no credentials are set */
  by?: string;
  authenticators: Authenticator[];
  /** when the credentials end by themselves: milliseconds since 1970 */
  expiresMs?: number;
}

type Source = Pick<
  MessagingOptions,
  | 'username'
  | 'usernameFile'
  | 'password'
  | 'passwordFile'
  | 'token'
  | 'tokenFile'
  | 'nkeySeedFile'
  | 'credentialsFile'
>;

/** The client gives it no type. */
const nkeys = clientKeys as { fromSeed(seed: Uint8Array): { getPublicKey(): string } };

/** Reads the files anew, so that credentials that were replaced are taken up by the next connection. Never rejects. */
export async function readSignIn(source: Source): Promise<Readable<SignIn>> {
  if (source.credentialsFile !== undefined) return readCredentials(source.credentialsFile);
  if (source.nkeySeedFile !== undefined) return readSeed(source.nkeySeedFile);
  const [username, password, token] = await Promise.all([
    current('nats.username', source.username, source.usernameFile),
    current('nats.password', source.password, source.passwordFile),
    current('nats.token', source.token, source.tokenFile),
  ]);
  const broken = [username, password, token].find((read) => !read.ok);
  if (broken !== undefined && !broken.ok) return broken;
  const [user, secret, lone] = [username, password, token].map((read) => (read.ok ? read.value : undefined));
  if (lone !== undefined) return found('nats.token', tokenAuthenticator(lone));
  if (user !== undefined)
    return found('nats.username and nats.password', usernamePasswordAuthenticator(user, secret));
  return { ok: true, value: { authenticators: [] } };
}

function found(by: string, authenticator: Authenticator): Readable<SignIn> {
  return { ok: true, value: { by, authenticators: [authenticator] } };
}

async function current(
  setting: string,
  value: string | undefined,
  file: string | undefined,
): Promise<Readable<string | undefined>> {
  if (file === undefined) return { ok: true, value };
  const read = await readNamed(setting, file);
  return read.ok ? { ok: true, value: read.value.replace(/\r?\n$/, '') } : read;
}

async function readSeed(path: string): Promise<Readable<SignIn>> {
  const by = 'nats.nkey-seed-file';
  const read = await readNamed(by, path);
  if (!read.ok) return read;
  const lines = read.value.split('\n').map((line) => line.trim());
  const seed = lines.find((line) => line !== '' && !line.startsWith('#')) ?? '';
  if (publicKeyOf(seed) === undefined) {
    return {
      ok: false,
      problem: `${by}: ${path}: it does not hold the seed of a user. Put there what \`nk -gen user\` prints, a line that begins with SU.`,
    };
  }
  return found(by, nkeyAuthenticator(Buffer.from(seed)));
}

async function readCredentials(path: string): Promise<Readable<SignIn>> {
  const by = 'nats.credentials-file';
  const read = await readNamed(by, path);
  if (!read.ok) return read;
  const wrong = (what: string): Readable<SignIn> => ({
    ok: false,
    problem: `${by}: ${path}: ${what}. Put there what \`nsc generate creds\` prints for the user: a JWT and a seed, each between two lines of dashes.`,
  });
  const [jwt, seed] = [...read.value.matchAll(/^-{3,}[^\n]*-{3,}\s*\n\s*([A-Za-z0-9_.-]+)\s*\n-{3,}/gm)].map(
    (match) => match[1]!,
  );
  if (jwt === undefined) return wrong('it holds no JWT');
  const claims = claimsOf(jwt);
  if (claims === undefined) return wrong('what stands at the place of the JWT is none');
  const key = publicKeyOf(seed ?? '');
  if (key === undefined) return wrong('it holds no seed of a user behind the JWT');
  if (claims.sub !== key) return wrong('the JWT and the seed are of different users');
  const signIn = found(by, jwtAuthenticator(jwt, Buffer.from(seed!)));
  if (signIn.ok && claims.exp !== undefined) signIn.value.expiresMs = claims.exp * 1000;
  return signIn;
}

/** Undefined when it is not the seed of a user. Seeds are never part of an error. */
function publicKeyOf(seed: string): string | undefined {
  if (!seed.startsWith('SU')) return undefined;
  try {
    return nkeys.fromSeed(Buffer.from(seed)).getPublicKey();
  } catch {
    return undefined;
  }
}

/** Not verified: that is for the server, and here only for better errors. */
function claimsOf(jwt: string): { sub: unknown; exp?: number } | undefined {
  try {
    const claims = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as {
      sub?: unknown;
      exp?: unknown;
    };
    return { sub: claims.sub, ...(typeof claims.exp === 'number' && claims.exp > 0 && { exp: claims.exp }) };
  } catch {
    return undefined;
  }
}
