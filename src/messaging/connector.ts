import { type NatsConnection, connect } from 'nats';
import { type Attempt, type ConnectFailure, describeFailure } from './connect-failure.js';
import { readGreeting } from './greeting.js';
import type { LinkLimits, MessagingOptions } from './options.js';
import type { Readable } from './readable.js';
import { type ServerAddress, serverText } from './server-list.js';
import { type SignIn, readSignIn } from './sign-in.js';
import { type TlsFiles, readTlsFiles, tlsOptionsFor } from './tls-files.js';

/** What was read for one round of attempts. */
export interface Papers {
  signIn: SignIn;
  tlsFiles: TlsFiles;
}

export type Connected =
  { ok: true; connection: NatsConnection; attempt: Attempt } | { ok: false; failure: ConnectFailure };

/** Credentials and certificates as they are in their files now. Never rejects. */
export async function readPapers(options: MessagingOptions): Promise<Readable<Papers>> {
  const [signIn, tlsFiles] = await Promise.all([readSignIn(options), readTlsFiles(options)]);
  if (signIn.ok && tlsFiles.ok)
    return { ok: true, value: { signIn: signIn.value, tlsFiles: tlsFiles.value } };
  const problem = [signIn, tlsFiles].flatMap((read) => (read.ok ? [] : [read.problem])).join(' ');
  return { ok: false, problem };
}

/**
 * One attempt at one server. The connection does not come again by itself: then it would do so with the credentials of
 * today, and would not say why it fails. Never rejects; answers at once when it is called off.
 */
export async function connectTo(
  server: ServerAddress,
  options: MessagingOptions,
  { signIn, tlsFiles }: Papers,
  limits: LinkLimits,
  signal: AbortSignal,
): Promise<Connected> {
  const handshakeFirst = options.tls?.handshakeFirst === true;
  const attempt: Attempt = {
    server: serverText(server),
    signIn,
    tls: {
      hasClientCertificate: tlsFiles.cert !== undefined,
      handshakeFirst,
      configured: options.tls !== undefined,
    },
  };
  try {
    const greeting = await readGreeting(server, {
      timeoutMs: limits.attemptMs,
      silent: handshakeFirst,
      signal,
    });
    const speaksTls = options.tls !== undefined || greeting.tls_required === true;
    const connecting = connect({
      servers: [attempt.server],
      name: `${options.instance}/${options.replicaId}`,
      reconnect: false,
      ignoreClusterUpdates: true,
      noAsyncTraces: true,
      timeout: limits.attemptMs,
      pingInterval: limits.pingMs,
      maxPingOut: 2,
      authenticator: signIn.authenticators,
      tls: speaksTls ? tlsOptionsFor(server.host, server.name, tlsFiles, handshakeFirst) : null,
    });
    return { ok: true, connection: await unlessCalledOff(connecting, signal), attempt };
  } catch (error) {
    return { ok: false, failure: describeFailure(error, attempt) };
  }
}

/** The client's attempt can't be called off; one that succeeds too late is ended. */
function unlessCalledOff(connecting: Promise<NatsConnection>, signal: AbortSignal): Promise<NatsConnection> {
  return new Promise((resolve, reject) => {
    const calledOff = () => {
      reject(new Error('called off'));
      connecting.then((late) => late.close()).catch(() => undefined);
    };
    if (signal.aborted) return calledOff();
    signal.addEventListener('abort', calledOff, { once: true });
    connecting.then(resolve, reject).finally(() => signal.removeEventListener('abort', calledOff));
  });
}
