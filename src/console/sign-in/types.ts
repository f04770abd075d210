/** Who issues tokens of a tenant, as the service says it. */
export interface SignInTenant {
  name: string;
  issuer: string;
  consoleClientId: string;
}

/** `GET /sign-in` */
export interface SignInOffer {
  /** whether anybody is asked who they are */
  authentication: boolean;
  /** false: a tenant has to be named */
  listed: boolean;
  tenants: SignInTenant[];
  /** where the pages of this register are for browsers, where it says so */
  publicUrl?: string;
}

/** Who is signed in. */
export interface Person {
  /** of the issuer */
  subject: string;
  name: string;
  tenant: SignInTenant;
}

/** Kept in memory and nowhere else. */
export interface Tokens {
  access: string;
  refresh: string | undefined;
  id: string;
  /** by `performance.now()`: a clock that is set anew changes nothing */
  endsAtMs: number;
  lastsMs: number;
  person: Person;
}

/** A sign-in that was begun: what only the page that began it knows. */
export interface Pending {
  tenant: SignInTenant;
  state: string;
  nonce: string;
  verifier: string;
  redirectUri: string;
  /** where the page was, as `#/fleet` */
  place: string;
  /** nobody is to be asked for anything: it succeeds at once, or not at all */
  silent: boolean;
}

/** Why somebody is not signed in. */
export interface SignInFault {
  code:
    | 'not-begun-here'
    | 'refused'
    | 'session-over'
    | 'auth-server-away'
    | 'auth-server-answer'
    | 'clock'
    | 'another-person'
    | 'window-blocked'
    | 'insecure-page';
  message: string;
}

export type Outcome<T> = { ok: true; value: T } | { ok: false; fault: SignInFault };
