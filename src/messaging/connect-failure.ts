import { isIP } from 'node:net';
import { ErrorCode } from 'nats';
import type { SignIn } from './sign-in.js';

/** What was in the way of a connection. `files`: our own cannot be used; `refused`: the server gave another reason. */
export type FailureReason = 'unreachable' | 'timeout' | 'tls' | 'authentication' | 'files' | 'refused';

export interface ConnectFailure {
  reason: FailureReason;
  /** what is wrong and the remedy; never with a secret in it */
  text: string;
}

/** What is known of an attempt that failed, or of a connection that ended. */
export interface Attempt {
  /** host and port */
  server: string;
  signIn: SignIn;
  tls: { hasClientCertificate: boolean; handshakeFirst: boolean; configured: boolean };
}

/** As text: what is compared with it may be of Node. */
const Code: Record<keyof typeof ErrorCode, string> = ErrorCode;

const UNKNOWN_AUTHORITY = [
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
];

/** Alerts by which a server says that it wants a certificate of ours, or another one. */
const CERTIFICATE_ALERT =
  /ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_\w+|HANDSHAKE_FAILURE)/;

/** Words for what the client, the socket or TLS threw. */
export function describeFailure(thrown: unknown, attempt: Attempt): ConnectFailure {
  const { code, message } = rootOf(thrown);
  return (
    authenticationFailure(code, attempt) ??
    tlsFailure(code, message, attempt) ??
    networkFailure(code, message, attempt)
  );
}

function authenticationFailure(code: string, { server, signIn }: Attempt): ConnectFailure | undefined {
  const remedies: Record<string, string> = {
    [Code.AuthorizationViolation]: 'does not accept',
    [Code.AuthenticationExpired]: 'says that these have expired:',
    [Code.AccountExpired]: 'says that the account has expired of',
    [Code.AuthenticationTimeout]: 'waited too long for',
  };
  const verdict = remedies[code];
  if (verdict === undefined) return undefined;
  const { by, expiresMs } = signIn;
  const text =
    by === undefined
      ? `${server} asks for credentials, and none are set. Set nats.username and nats.password, nats.token, nats.nkey-seed-file or nats.credentials-file.`
      : `${server} ${verdict} the credentials in ${by}${expiry(expiresMs)}. Correct or renew them; files are read again at each attempt.`;
  return { reason: 'authentication', text };
}

function expiry(expiresMs: number | undefined): string {
  if (expiresMs === undefined || expiresMs > Date.now()) return '';
  return ` (their JWT expired at ${new Date(expiresMs).toISOString()})`;
}

function tlsFailure(code: string, message: string, { server, tls }: Attempt): ConnectFailure | undefined {
  const host = server.slice(0, server.lastIndexOf(':'));
  const failure = (text: string): ConnectFailure => ({ reason: 'tls', text: `${server} ${text}` });
  if (code === Code.ServerOptionNotAvailable && message === 'tls')
    return failure(
      'offers no TLS, and a connection without it is refused. Turn TLS on at the server, or leave out nats.tls.* and use nats:// in nats.urls.',
    );
  if (UNKNOWN_AUTHORITY.includes(code))
    return failure(
      `has a certificate of an authority that is not known here (${code}). Set nats.tls.ca-file to the certificate of the authority that signed it.`,
    );
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return failure(
      `has a certificate for another name (${message}). Use a name of the certificate in nats.urls, or give the server one for ${isIP(host) === 0 ? host : `the address ${host}`}.`,
    );
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return failure(
      `has a certificate that is not valid now (${code}). Renew it, and see that the clocks of both are right.`,
    );
  if (CERTIFICATE_ALERT.test(code))
    return failure(
      tls.hasClientCertificate
        ? `does not accept the certificate of this service (${code}). Give it one in nats.tls.cert-file that an authority of the server has signed and that is valid.`
        : `asks for a certificate of this service (${code}). Set nats.tls.cert-file and nats.tls.key-file.`,
    );
  if (code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS') || code === Code.Tls)
    return failure(`and this service do not agree on TLS (${message}).`);
  return undefined;
}

function networkFailure(code: string, message: string, { server, tls }: Attempt): ConnectFailure {
  switch (code) {
    case 'ECONNREFUSED':
    case Code.ConnectionRefused:
      return {
        reason: 'unreachable',
        text: `nobody listens at ${server}. Start NATS there, or correct nats.urls.`,
      };
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return {
        reason: 'unreachable',
        text: `the host of ${server} is not found (${code}). Correct nats.urls, or see to the name service.`,
      };
    case 'ETIMEDOUT':
    case Code.Timeout:
    case Code.ConnectionTimeout: {
      const hint =
        tls.configured && !tls.handshakeFirst
          ? ' If it waits for TLS first (handshake_first), set nats.tls.handshake-first.'
          : '';
      return {
        reason: 'timeout',
        text: `${server} does not answer in time. See whether it works, and whether a firewall is in between.${hint}`,
      };
    }
    case 'EPROTO':
      return { reason: 'refused', text: `${server} is no NATS: ${message}. Correct nats.urls.` };
    case 'EREFUSED':
    case Code.ProtocolError:
      return { reason: 'refused', text: `${server} refuses the connection: ${message}.` };
    default:
      return {
        reason: 'unreachable',
        text: `${server} is not reached, or ended the connection (${message || code}).`,
      };
  }
}

/** The client wraps some errors, throws `undefined` when a server just closes, and Node has no message for several at once. */
function rootOf(thrown: unknown): { code: string; message: string } {
  const error = thrown as { code?: unknown; message?: unknown; chainedError?: unknown } | undefined;
  if (error?.code === Code.Tls && error.chainedError !== undefined) return rootOf(error.chainedError);
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return { code: text(error?.code), message: text(error?.message) || 'the server closed it' };
}
