import { createHash, randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliFailure, codeOf, messageOf } from '../failure.js';
import { addressOf } from '../address.js';
import { replaceFile } from '../replace-file.js';

/** What `epr login` got, for one register. */
export interface Login {
  /** of the register: sent to no other */
  url: string;
  /** it may go there without TLS, over a network */
  allowHttp: boolean;
  tenant: string;
  issuer: string;
  clientId: string;
  /** for people */
  name: string;
  accessToken: string;
  /** Unix ms */
  expiresMs: number;
  /** how long a fresh one lasts */
  lastsMs: number;
  refreshToken?: string;
}

export interface LastLogin {
  /** or why it can't be read */
  login: Login | { unread: string };
  /** others could read it */
  wasExposed: boolean;
}

/** Logins in files of one user, one for each register. */
export interface LoginStore {
  /** Throws a {@link CliFailure} for a file that others can read, or that is damaged. */
  read(url: URL): Login | undefined;
  /** Whether there is a file, whatever is in it. */
  has(url: URL): boolean;
  /** Before it is ended, whatever its mode; from now on no others can read it. `undefined`: there is none. */
  readLast(url: URL): LastLogin | undefined;
  /** Addresses of the registers with logins, sorted. */
  addresses(): string[];
  /** In one step, readable for this user only. */
  write(login: Login): void;
  remove(url: URL): void;
  /** Alone among processes: a refresh token is good once. */
  alone<T>(url: URL, action: () => Promise<T>): Promise<T>;
}

/** A process that has the lock for longer has ended, or hangs: what it does there has time limits. */
const LOCK_STALE_MS = 30_000;
const LOCK_LOOK_MS = 50;

/** @param env for `XDG_CONFIG_HOME`; else it is `~/.config` */
export function createLoginStore(env: NodeJS.ProcessEnv = process.env): LoginStore {
  const configured = env['XDG_CONFIG_HOME'];
  // relative ones are to be ignored (XDG Base Directory Specification)
  const base = configured?.startsWith('/') === true ? configured : join(env['HOME'] ?? homedir(), '.config');
  const folder = join(base, 'epr', 'logins');

  const fileOf = (url: URL): string => {
    const address = addressOf(url);
    const digest = createHash('sha256').update(address).digest('hex').slice(0, 16);
    return join(folder, `${url.hostname.replaceAll(/[^a-zA-Z0-9.-]/g, '_')}-${digest}.json`);
  };
  const makeFolder = (): void => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
  };

  return {
    read(url) {
      const file = fileOf(url);
      let text: string;
      try {
        const mode = statSync(file).mode;
        if (isExposed(mode))
          throw new CliFailure(
            `Others can read the login in ${file}; it is not used. If nobody has seen it: chmod 600 ${file}. Else: epr logout --url ${addressOf(url)}, and log in again.`,
          );
        text = readFileSync(file, 'utf8');
      } catch (error) {
        if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
        if (error instanceof CliFailure) throw error;
        throw new CliFailure(`The login in ${file} can not be read: ${messageOf(error)}`);
      }
      const login = parseLogin(text);
      if (login === undefined)
        throw new CliFailure(
          `The login in ${file} is damaged. Log in again: epr login --url ${addressOf(url)}`,
        );
      return login.url === addressOf(url) ? login : undefined;
    },
    has: (url) => existsSync(fileOf(url)),
    readLast(url) {
      const file = fileOf(url);
      const mode = statSync(file, { throwIfNoEntry: false })?.mode;
      if (mode === undefined) return undefined;
      const wasExposed = isExposed(mode);
      try {
        chmodSync(file, 0o600);
        const login = parseLogin(readFileSync(file, 'utf8'));
        if (login !== undefined && login.url !== addressOf(url)) return undefined;
        return { login: login ?? { unread: 'its file is damaged' }, wasExposed };
      } catch (error) {
        return { login: { unread: messageOf(error) }, wasExposed };
      }
    },
    addresses() {
      const names = filesIn(folder).filter((name) => name.endsWith('.json'));
      const logins = names.map((name) => parseLogin(readIfThere(join(folder, name)) ?? ''));
      return logins.flatMap((login) => (login === undefined ? [] : [login.url])).sort();
    },
    write(login) {
      makeFolder();
      replaceFile(fileOf(new URL(login.url)), `${JSON.stringify(login, null, 2)}\n`, 0o600);
    },
    remove(url) {
      rmSync(fileOf(url), { force: true });
    },
    async alone(url, action) {
      makeFolder();
      const lock = `${fileOf(url)}.lock`;
      const mine = `${process.pid} ${randomUUID()}`;
      while (!tryLock(lock, mine)) await sleep(LOCK_LOOK_MS);
      try {
        return await action();
      } finally {
        // one that was taken from us is not ours to give back
        if (readIfThere(lock) === mine) rmSync(lock, { force: true });
      }
    },
  };
}

function isExposed(mode: number): boolean {
  return (mode & 0o077) !== 0;
}

function tryLock(lock: string, mine: string): boolean {
  try {
    const fd = openSync(lock, 'wx', 0o600);
    writeSync(fd, mine);
    closeSync(fd);
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
  if (since !== undefined && Date.now() - since > LOCK_STALE_MS) rmSync(lock, { force: true });
  return false;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function parseLogin(text: string): Login | undefined {
  try {
    const login = JSON.parse(text) as Partial<Login> | null;
    const strings = ['url', 'tenant', 'issuer', 'clientId', 'name', 'accessToken'] as const;
    const whole =
      strings.every((name) => typeof login?.[name] === 'string') && typeof login?.expiresMs === 'number';
    return whole ? (login as Login) : undefined;
  } catch {
    return undefined;
  }
}
