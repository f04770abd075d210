import * as oauth from 'oauth4webapi';
import { CliFailure, messageOf } from '../failure.js';
import { isLoopback } from '../../model/loopback.js';
import { printable } from '../text.js';

/** The OpenID provider of one issuer, as a public client asks it. */
export interface AuthServer {
  /** Rejects with a {@link CliFailure} where it offers none. */
  startDevice(): Promise<DeviceStart>;
  /** Whether the person has said yes by now. */
  askDevice(deviceCode: string): Promise<DeviceAnswer>;
  /** `over`: the session has ended, and with it the refresh token. Rejects where it can't be asked. */
  renew(refreshToken: string): Promise<Issued | { over: string }>;
  /** Ends what hangs on the token. False: the server has no way to. Rejects where it can't be asked. */
  revoke(refreshToken: string): Promise<boolean>;
}

export interface DeviceStart {
  deviceCode: string;
  userCode: string;
  verificationUri: string;
  /** with the code in it */
  completeUri: string | undefined;
  expiresInMs: number;
  intervalMs: number;
}

export type DeviceAnswer =
  | { kind: 'issued'; issued: Issued }
  | { kind: 'pending' }
  | { kind: 'slow-down' }
  | { kind: 'denied' }
  | { kind: 'expired' };

export interface Issued {
  accessToken: string;
  lastsMs: number;
  refreshToken?: string;
  /** of the person, where the server says it */
  name?: string;
}

const ASK_LIMIT_MS = 15_000;

/** @param clientId public: it has no secret */
export function createAuthServer(issuer: string, clientId: string, allowHttp: boolean): AuthServer {
  const url = new URL(issuer);
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && !allowHttp)
    throw new CliFailure(
      `The auth server ${printable(issuer)} would be asked without TLS: whoever is on the way could read the tokens. If that is so on purpose, as in a test network: --allow-http`,
    );
  const client: oauth.Client = { client_id: clientId, [oauth.clockTolerance]: 60 };
  const options = {
    signal: () => AbortSignal.timeout(ASK_LIMIT_MS),
    ...(url.protocol === 'http:' ? { [oauth.allowInsecureRequests]: true } : {}),
  };
  let discovered: oauth.AuthorizationServer | undefined;

  async function discover(): Promise<oauth.AuthorizationServer> {
    discovered ??= await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, options));
    return discovered;
  }

  /** What the server refuses is for `onRefused` to read; all else says that it could not be asked. */
  async function attempt<T>(
    ask: (server: oauth.AuthorizationServer) => Promise<T>,
    onRefused: (error: string, description: string) => T,
  ): Promise<T> {
    try {
      return await ask(await discover());
    } catch (error) {
      if (error instanceof oauth.ResponseBodyError)
        return onRefused(error.error, printable(error.error_description ?? ''));
      if (error instanceof CliFailure) throw error;
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const why = error instanceof oauth.OperationProcessingError ? error.message : messageOf(cause);
      // its cause may hold what the server answered, which is not to be shown
      // eslint-disable-next-line preserve-caught-error -- see above
      throw new Error(`the auth server ${issuer} can not be asked: ${printable(why).slice(0, 300)}`);
    }
  }

  const refused = (error: string, description: string): never => {
    const said = description === '' ? error : `${error}: ${description}`;
    throw new CliFailure(
      `The auth server refuses the client ${clientId} (${printable(said).slice(0, 300)}).`,
    );
  };

  return {
    startDevice: () =>
      attempt(
        async (server) => {
          if (server.device_authorization_endpoint === undefined) throw noDeviceFlow(issuer, clientId);
          const answer = await oauth.deviceAuthorizationRequest(
            server,
            client,
            oauth.None(),
            { scope: 'openid profile' },
            options,
          );
          const started = await oauth.processDeviceAuthorizationResponse(server, client, answer);
          return {
            deviceCode: started.device_code,
            userCode: started.user_code,
            verificationUri: webAddress(started.verification_uri),
            completeUri:
              started.verification_uri_complete === undefined
                ? undefined
                : webAddress(started.verification_uri_complete),
            expiresInMs: started.expires_in * 1000,
            // RFC 8628, 3.2
            intervalMs: (started.interval ?? 5) * 1000,
          };
        },
        (error, description) =>
          error === 'unauthorized_client' || error === 'invalid_client'
            ? fail(noDeviceFlow(issuer, clientId, description))
            : refused(error, description),
      ),
    askDevice: (deviceCode) =>
      attempt<DeviceAnswer>(
        async (server) => {
          const answer = await oauth.deviceCodeGrantRequest(
            server,
            client,
            oauth.None(),
            deviceCode,
            options,
          );
          const tokens = await oauth.processDeviceCodeResponse(server, client, answer);
          return { kind: 'issued', issued: issuedOf(tokens) };
        },
        (error, description) => {
          // RFC 8628, 3.5
          if (error === 'authorization_pending') return { kind: 'pending' };
          if (error === 'slow_down') return { kind: 'slow-down' };
          if (error === 'access_denied') return { kind: 'denied' };
          if (error === 'expired_token') return { kind: 'expired' };
          return refused(error, description);
        },
      ),
    renew: (refreshToken) =>
      attempt<Issued | { over: string }>(
        async (server) => {
          const answer = await oauth.refreshTokenGrantRequest(
            server,
            client,
            oauth.None(),
            refreshToken,
            options,
          );
          const issued = issuedOf(await oauth.processRefreshTokenResponse(server, client, answer));
          return { refreshToken, ...issued };
        },
        (error, description) =>
          error === 'invalid_grant'
            ? { over: description === '' ? error : description }
            : refused(error, description),
      ),
    revoke: (refreshToken) =>
      attempt(
        async (server) => {
          if (server.revocation_endpoint === undefined) return false;
          const answer = await oauth.revocationRequest(server, client, oauth.None(), refreshToken, {
            ...options,
            additionalParameters: { token_type_hint: 'refresh_token' },
          });
          await oauth.processRevocationResponse(answer);
          return true;
        },
        (error, description) => refused(error, description),
      ),
  };
}

function issuedOf(answer: oauth.TokenEndpointResponse): Issued {
  const claims = oauth.getValidatedIdTokenClaims(answer);
  const name = claims?.['preferred_username'] ?? claims?.['name'] ?? claims?.sub;
  return {
    accessToken: answer.access_token,
    lastsMs: (answer.expires_in ?? 60) * 1000,
    ...(answer.refresh_token === undefined ? {} : { refreshToken: answer.refresh_token }),
    ...(typeof name === 'string' ? { name } : {}),
  };
}

/** It is shown to a person who will open it. */
function webAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:')
    throw new CliFailure(`The auth server names no web address to go to: ${printable(text).slice(0, 200)}`);
  return url.href;
}

function noDeviceFlow(issuer: string, clientId: string, description = ''): CliFailure {
  const said = description === '' ? '' : ` (${description})`;
  return new CliFailure(
    `The auth server ${printable(issuer)} lets nobody log in on the command line by the client ${clientId}${said}. Whoever looks after it makes that client, public, with the device authorization grant on (Keycloak: “OAuth 2.0 Device Authorization Grant”), or --client-id names another. A token that was got elsewhere goes into EPR_TOKEN.`,
  );
}

function fail(failure: CliFailure): never {
  throw failure;
}
