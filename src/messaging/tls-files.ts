import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext, type PeerCertificate } from 'node:tls';
import type { TlsOptions } from 'nats';
import type { MessagingOptions } from './options.js';
import { type Readable, readNamed } from './readable.js';

/** PEM texts, read once, for one connection. */
export interface TlsFiles {
  ca?: string;
  cert?: string;
  key?: string;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Reads the files anew, so that certificates that were renewed are taken up by the next connection. Never rejects. */
export async function readTlsFiles({ tls = {} }: Pick<MessagingOptions, 'tls'>): Promise<Readable<TlsFiles>> {
  const value: TlsFiles = {};
  const parts = [
    ['ca', 'nats.tls.ca-file', tls.caFile],
    ['cert', 'nats.tls.cert-file', tls.certFile],
    ['key', 'nats.tls.key-file', tls.keyFile],
  ] as const;
  for (const [part, setting, path] of parts) {
    if (path === undefined) continue;
    const read = await readNamed(setting, path);
    if (!read.ok) return read;
    const problem = part === 'key' ? undefined : certificateProblem(read.value);
    if (problem !== undefined) return { ok: false, problem: `${setting}: ${path}: ${problem}` };
    value[part] = read.value;
  }
  if (value.cert === undefined || value.key === undefined) return { ok: true, value };
  try {
    createSecureContext({ cert: value.cert, key: value.key });
    return { ok: true, value };
  } catch (error) {
    const problem = `nats.tls.key-file: ${tls.keyFile}: it is not the unencrypted private key (PEM) of the certificate in ${tls.certFile} (${(error as Error).message}). Name the key that the certificate was made with.`;
    return { ok: false, problem };
  }
}

function certificateProblem(text: string): string | undefined {
  const found = text.match(CERTIFICATE) ?? [];
  if (found.length === 0)
    return 'it holds no certificate. Put one there in PEM, between BEGIN CERTIFICATE and END CERTIFICATE.';
  try {
    for (const pem of found) new X509Certificate(pem);
    return undefined;
  } catch (error) {
    return `a certificate in it can not be read (${(error as Error).message}). Put it there in PEM.`;
  }
}

/**
 * How the client shall speak TLS with a server. Left alone it checks the certificate of a server that is known by an
 * address against the name `localhost`.
 *
 * @param name - of the server where `host` is an address that another server told us of
 */
export function tlsOptionsFor(
  host: string,
  name: string | undefined,
  { ca, cert, key }: TlsFiles,
  handshakeFirst: boolean,
): TlsOptions {
  const expected = name ?? host;
  // the client hands what it does not know to Node
  const options = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(handshakeFirst && { handshakeFirst }),
    ...(isIP(expected) === 0 && { servername: expected }),
    checkServerIdentity: (_: string, certificate: PeerCertificate) =>
      checkServerIdentity(expected, certificate),
  };
  return options;
}
