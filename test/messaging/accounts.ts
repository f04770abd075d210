/** Operator, account and users of NATS, made by hand as `nsc` makes them. */
import { nkeys as clientKeys } from 'nats';

export interface KeyPair {
  getPublicKey(): string;
  getSeed(): Uint8Array;
  sign(input: Uint8Array): Uint8Array;
}

/** The client gives it no type. */
export const nkeys = clientKeys as {
  createUser(): KeyPair;
  createAccount(): KeyPair;
  createOperator(): KeyPair;
};

export const seedOf = (pair: KeyPair) => Buffer.from(pair.getSeed()).toString();

const nowS = () => Math.floor(Date.now() / 1000);
const text = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

function jwt(issuer: KeyPair, subject: KeyPair, nats: object, expiresS?: number): string {
  const claims = {
    jti: 'x',
    iat: nowS(),
    iss: issuer.getPublicKey(),
    name: 'test',
    sub: subject.getPublicKey(),
    ...(expiresS !== undefined && { exp: expiresS }),
    nats: { version: 2, ...nats },
  };
  const signed = `${text({ typ: 'JWT', alg: 'ed25519-nkey' })}.${text(claims)}`;
  return `${signed}.${Buffer.from(issuer.sign(Buffer.from(signed))).toString('base64url')}`;
}

/** As `nsc generate creds` prints it. */
export function credentialsText(userJwt: string, seed: string): string {
  return `-----BEGIN NATS USER JWT-----
${userJwt}
------END NATS USER JWT------

************************* IMPORTANT *************************
NKEY Seed printed below can be used to sign and prove identity.
NKEYs are sensitive and should be treated as secrets.

-----BEGIN USER NKEY SEED-----
${seed}
------END USER NKEY SEED------

*************************************************************
`;
}

const UNLIMITED = { subs: -1, data: -1, payload: -1 };

export function createOperator() {
  const operator = nkeys.createOperator();
  const account = nkeys.createAccount();
  const limits = { ...UNLIMITED, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const operatorJwt = jwt(operator, operator, { type: 'operator' });
  const accountJwt = jwt(operator, account, { type: 'account', limits });
  return {
    /** lines for a server that trusts this operator and knows this account */
    config: `operator: ${operatorJwt}\nresolver: MEMORY\nresolver_preload: { ${account.getPublicKey()}: ${accountJwt} }`,
    /** @param lifeS how long the credentials hold; negative: they have expired */
    createUser(lifeS?: number) {
      const user = nkeys.createUser();
      const expiresS = lifeS === undefined ? undefined : nowS() + lifeS;
      const userJwt = jwt(account, user, { type: 'user', pub: {}, sub: {}, ...UNLIMITED }, expiresS);
      return { jwt: userJwt, seed: seedOf(user), credentials: credentialsText(userJwt, seedOf(user)) };
    },
  };
}
