import * as oauth from 'oauth4webapi';
import type { Outcome, Pending, Person, SignInFault, SignInTenant, Tokens } from './types.js';

/** What is asked of OpenID providers. Nothing rejects. */
export interface Provider {
  /** The address to go to, and what to keep until the browser comes back from there. */
  begin(tenant: SignInTenant, options: BeginOptions): Promise<Outcome<{ url: URL; pending: Pending }>>;
  /** @param response parameters of the address at which the browser came back */
  finish(pending: Pending, response: URLSearchParams): Promise<Outcome<Tokens>>;
  renew(tokens: Tokens): Promise<Outcome<Tokens>>;
  /** A form that ends the session there and leads to `returnTo`; `undefined`: it can't be ended from here. */
  endingForm(
    tokens: Tokens,
    returnTo: string,
  ): Promise<{ action: string; fields: Record<string, string> } | undefined>;
}

export interface BeginOptions {
  redirectUri: string;
  place: string;
  silent: boolean;
  /** who is expected to sign in */
  hint?: string;
}

/** clocks of browsers are off by more than those of servers */
const CLOCK_TOLERANCE_S = 60;
const ASK_LIMIT_MS = 10_000;

/** OpenID Connect by authorization code with PKCE (RFC 9700, 2.1.1), as a public client. */
export function createProvider(): Provider {
  const discovered = new Map<string, oauth.AuthorizationServer>();

  async function discover(tenant: SignInTenant): Promise<oauth.AuthorizationServer> {
    const known = discovered.get(tenant.issuer);
    if (known !== undefined) return known;
    const issuer = new URL(tenant.issuer);
    const answer = await oauth.discoveryRequest(issuer, asking(tenant));
    const found = await oauth.processDiscoveryResponse(issuer, answer);
    discovered.set(tenant.issuer, found);
    return found;
  }

  const tokensOf = (
    tenant: SignInTenant,
    answer: oauth.TokenEndpointResponse,
    askedAtMs: number,
    former?: Tokens,
  ): Tokens => {
    const claims = oauth.getValidatedIdTokenClaims(answer);
    const lastsMs = (answer.expires_in ?? 60) * 1000;
    return {
      access: answer.access_token,
      // one that is not replaced goes on counting (RFC 6749, 6)
      refresh: answer.refresh_token ?? former?.refresh,
      id: answer.id_token ?? former?.id ?? '',
      endsAtMs: askedAtMs + lastsMs,
      lastsMs,
      person: former?.person ?? personOf(tenant, claims!),
    };
  };

  return {
    begin: (tenant, { redirectUri, place, silent, hint }) =>
      outcome(tenant, async () => {
        const server = await discover(tenant);
        const verifier = oauth.generateRandomCodeVerifier();
        const state = oauth.generateRandomState();
        const nonce = oauth.generateRandomNonce();
        const url = new URL(server.authorization_endpoint ?? '');
        if (url.protocol !== 'https:' && url.protocol !== 'http:')
          throw new TypeError('its authorization endpoint is no web address');
        const parameters = {
          client_id: tenant.consoleClientId,
          redirect_uri: redirectUri,
          response_type: 'code',
          scope: 'openid profile',
          code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
          code_challenge_method: 'S256',
          state,
          nonce,
          ...(silent ? { prompt: 'none' } : {}),
          ...(hint === undefined ? {} : { login_hint: hint }),
        };
        for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
        return { url, pending: { tenant, state, nonce, verifier, redirectUri, place, silent } };
      }),

    finish: (pending, response) =>
      outcome(pending.tenant, async () => {
        const { tenant } = pending;
        const server = await discover(tenant);
        const client = clientOf(tenant);
        // state, and the issuer where it names itself (RFC 9207)
        const checked = oauth.validateAuthResponse(server, client, response, pending.state);
        const askedAtMs = performance.now();
        const answer = await oauth.authorizationCodeGrantRequest(
          server,
          client,
          oauth.None(),
          checked,
          pending.redirectUri,
          pending.verifier,
          asking(tenant),
        );
        const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, {
          expectedNonce: pending.nonce,
          requireIdToken: true,
        });
        return tokensOf(tenant, tokens, askedAtMs);
      }),

    renew: (tokens) =>
      outcome(tokens.person.tenant, async () => {
        const { tenant } = tokens.person;
        const server = await discover(tenant);
        const client = clientOf(tenant);
        const askedAtMs = performance.now();
        const answer = await oauth.refreshTokenGrantRequest(
          server,
          client,
          oauth.None(),
          tokens.refresh ?? '',
          asking(tenant),
        );
        const renewed = await oauth.processRefreshTokenResponse(server, client, answer);
        return tokensOf(tenant, renewed, askedAtMs, tokens);
      }),

    async endingForm({ id, person: { tenant } }, returnTo) {
      const found = await outcome(tenant, () => discover(tenant));
      const action = found.ok ? found.value.end_session_endpoint : undefined;
      if (action === undefined || id === '') return undefined;
      return {
        action,
        // by POST: an address with an ID token in it would be kept in histories and logs
        fields: {
          id_token_hint: id,
          post_logout_redirect_uri: returnTo,
          client_id: tenant.consoleClientId,
        },
      };
    },
  };
}

function clientOf({ consoleClientId }: SignInTenant): oauth.Client {
  return { client_id: consoleClientId, [oauth.clockTolerance]: CLOCK_TOLERANCE_S };
}

/** An issuer without TLS is the choice of who configured it; browsers refuse it from pages with TLS. */
function asking({ issuer }: SignInTenant) {
  return {
    signal: () => AbortSignal.timeout(ASK_LIMIT_MS),
    ...(issuer.startsWith('http:') ? { [oauth.allowInsecureRequests]: true } : {}),
  };
}

function personOf(tenant: SignInTenant, claims: oauth.IDToken): Person {
  const named = [claims['preferred_username'], claims['name'], claims['email']];
  const name = named.find((each) => typeof each === 'string' && each !== '') as string | undefined;
  return { subject: claims.sub, name: name ?? claims.sub, tenant };
}

async function outcome<T>(tenant: SignInTenant, attempt: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await attempt() };
  } catch (error) {
    return { ok: false, fault: faultOf(tenant, error) };
  }
}

/** What says that somebody has to sign in there first (OpenID Connect Core 1.0, 3.1.2.6). */
const NEEDS_A_PERSON = new Set([
  'login_required',
  'interaction_required',
  'consent_required',
  'account_selection_required',
]);

function faultOf({ issuer }: SignInTenant, error: unknown): SignInFault {
  const { origin } = new URL(issuer);
  if (error instanceof oauth.AuthorizationResponseError) {
    if (NEEDS_A_PERSON.has(error.error))
      return { code: 'session-over', message: 'Your session at the auth server has ended.' };
    const why = error.error === 'access_denied' ? 'access was denied' : said(error);
    return { code: 'refused', message: `The auth server did not sign you in: ${why}.` };
  }
  if (error instanceof oauth.ResponseBodyError) {
    if (error.error === 'invalid_grant')
      return {
        code: 'session-over',
        message: `The auth server does not take this any more (${said(error)}). Sign in again.`,
      };
    return { code: 'refused', message: `The auth server refuses this console: ${said(error)}.` };
  }
  if (error instanceof oauth.OperationProcessingError) {
    if (error.code === oauth.JWT_TIMESTAMP_CHECK)
      return {
        code: 'clock',
        message: `The time of this computer and that of the auth server differ (here it is ${new Date().toISOString()}). Set the clock, and sign in again.`,
      };
    return {
      code: 'auth-server-answer',
      message: `The auth server at ${origin} answered what can not be taken: ${error.message}.`,
    };
  }
  return {
    code: 'auth-server-away',
    message: `The auth server at ${origin} does not answer, or does not let this page ask it (in Keycloak: “Web origins” of the client of the console must have ${location.origin}).`,
  };
}

function said({
  error,
  error_description,
}: {
  error: string;
  error_description?: string | undefined;
}): string {
  return error_description === undefined ? error : `${error}, ${error_description}`;
}
