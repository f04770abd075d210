import { readFileSync } from 'node:fs';
import { CliFailure, EXIT, messageOf } from './failure.js';
import { createAuthServer } from './login/auth-server.js';
import { createLoginStore, type Login, type LoginStore } from './login/login-store.js';
import { addressOf } from './address.js';
import { isLoopback } from '../model/loopback.js';
import { printable } from './text.js';

/** The token of one register's requests. */
export interface Credential {
  /** undefined: none is sent */
  current(): string | undefined;
  /** Whether {@link freshen} would renew it. */
  isEnding(): boolean;
  /** `undefined`: {@link current} is good for a while; else wait. Rejects with a {@link CliFailure} when a login has ended. */
  freshen(): Promise<void> | undefined;
  /** The register refused this one: whether there is another now. */
  replace(refused: string | undefined): Promise<boolean>;
  /** what helps when the register refuses it for good */
  readonly remedy: string;
}

/** Where tokens come from: the first of these. */
export interface CredentialFlags {
  url: URL;
  /** `--token`, `EPR_TOKEN` */
  token?: string | undefined;
  /** `--token-file`, `EPR_TOKEN_FILE` */
  tokenFile?: string | undefined;
}

/** Reads files. Throws a {@link CliFailure} where a token is meant to be sent and can't be. */
export function credentialOf(
  { url, token, tokenFile }: CredentialFlags,
  onNotice: (text: string) => void,
  store: LoginStore = createLoginStore(),
): Credential {
  const hasToken = token !== undefined && token !== '';
  const hasFile = tokenFile !== undefined && tokenFile !== '';
  if (hasToken && hasFile)
    throw new CliFailure(
      'There are two tokens: one as it is (--token, EPR_TOKEN) and one in a file (--token-file, EPR_TOKEN_FILE). Give one of them.',
      EXIT.usage,
    );
  const isOpen = url.protocol === 'http:' && !isLoopback(url.hostname);
  if (hasToken || hasFile) {
    if (isOpen)
      onNotice(`the token goes to ${addressOf(url)} without TLS: whoever is on the way can read it`);
    return hasToken ? fixed(token) : fromFile(tokenFile!);
  }
  const login = store.read(url);
  if (login === undefined) return none(url, store);
  if (isOpen && !login.allowHttp)
    throw new CliFailure(
      `The login of ${addressOf(url)} is not sent there without TLS: whoever is on the way could read it. Use its https:// address, or log in with --allow-http.`,
    );
  return fromLogin(url, login, store);
}

const SHOWN_LOGINS = 5;

function none(url: URL, store: LoginStore): Credential {
  return {
    current: () => undefined,
    isEnding: () => false,
    freshen: () => undefined,
    replace: async () => false,
    get remedy() {
      const others = store.addresses().slice(0, SHOWN_LOGINS).map(printable);
      const there = others.length === 0 ? '' : ` There are logins of other addresses: ${others.join(', ')}.`;
      return `Log in: epr login --url ${addressOf(url)} (or give a token in EPR_TOKEN).${there}`;
    },
  };
}

function fixed(token: string): Credential {
  return {
    current: () => checked(token, '--token or EPR_TOKEN'),
    isEnding: () => false,
    freshen: () => undefined,
    replace: async () => false,
    remedy:
      'Give another one in EPR_TOKEN (or --token), or leave it out and use epr login, which renews itself.',
  };
}

/** Whoever puts it there may put another one there, as Kubernetes does. */
function fromFile(file: string): Credential {
  const read = (): string => {
    try {
      return checked(readFileSync(file, 'utf8').trim(), file);
    } catch (error) {
      if (error instanceof CliFailure) throw error;
      throw new CliFailure(`The token can not be read: ${messageOf(error)}`, EXIT.usage);
    }
  };
  let token = read();
  return {
    current: () => token,
    isEnding: () => false,
    freshen: () => undefined,
    async replace(refused) {
      token = read();
      return token !== refused;
    },
    remedy: `Put another one into ${file}.`,
  };
}

/** A token is renewed when so much of its time is left, or a fifth, whichever is less. */
const EARLY_MS = 30_000;

function fromLogin(url: URL, first: Login, store: LoginStore): Credential {
  const again = `Log in again: epr login --url ${addressOf(url)}`;
  let login = first;
  let renewing: Promise<void> | undefined;

  /** Another process may have done it, or may be about to. */
  async function renewNow(former: string): Promise<void> {
    await store.alone(url, async () => {
      const kept = store.read(url);
      if (kept === undefined) throw new CliFailure(`You have logged out of ${addressOf(url)}. ${again}`);
      login = kept;
      if (kept.accessToken !== former && isGood(kept)) return;
      const over = (why: string): CliFailure =>
        new CliFailure(`Your login of ${addressOf(url)} has ended${why}. ${again}`);
      if (kept.refreshToken === undefined) throw over('');
      const server = createAuthServer(kept.issuer, kept.clientId, kept.allowHttp);
      const issued = await server.renew(kept.refreshToken);
      if ('over' in issued) throw over(` (${issued.over})`);
      const { accessToken, lastsMs, refreshToken = kept.refreshToken } = issued;
      login = { ...kept, accessToken, lastsMs, refreshToken, expiresMs: Date.now() + lastsMs };
      store.write(login);
    });
  }
  const renew = (): Promise<void> => {
    renewing ??= renewNow(login.accessToken).finally(() => (renewing = undefined));
    return renewing;
  };

  return {
    current: () => login.accessToken,
    isEnding: () => !isGood(login),
    freshen: () => (isGood(login) ? undefined : renew()),
    async replace(refused) {
      if (login.accessToken === refused) await renew();
      return login.accessToken !== refused;
    },
    remedy: again,
  };
}

function isGood({ expiresMs, lastsMs }: Login): boolean {
  return expiresMs - Date.now() > Math.min(EARLY_MS, lastsMs / 5);
}

/** It becomes a header; what is wrong with it is said without showing it. */
function checked(token: string, from: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new CliFailure(
    `What is in ${from} is no token: it is empty, or has spaces or other characters.`,
    EXIT.usage,
  );
}
