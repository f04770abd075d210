import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startNats } from '../servers/index.js';
import { type Certificate, createAuthority } from './certificates.js';
import { startLink } from './link.js';
import { createMemoryOutbox, startMessaging, until } from './support.js';

const tlsConfig = ({ certFile, keyFile }: Certificate, more = '') =>
  `tls { cert_file: ${JSON.stringify(certFile)}, key_file: ${JSON.stringify(keyFile)}, ${more} }`;

async function startTls(t: Test, certificate: Certificate, more?: string) {
  const nats = await startNats(t, { config: tlsConfig(certificate, more) });
  if (nats === undefined || !nats.managed) return undefined;
  const byName = [`tls://localhost:${nats.port}`];
  const byAddress = [`tls://127.0.0.1:${nats.port}`];
  return { nats, byName, byAddress };
}

void t.test('the server is checked: authority, name, address', async (t) => {
  const authority = createAuthority(t, 'authority');
  const stranger = createAuthority(t, 'stranger');
  if (authority === undefined || stranger === undefined) return;
  const { caFile } = authority;

  await t.test('a certificate for a name', async (t) => {
    const server = await startTls(t, authority.issue('name', 'DNS:localhost'));
    if (server === undefined) return;
    const { connected, link } = startLink(t, { urls: server.byName, tls: { caFile } });
    await connected();
    await link.current()!.flush();
    t.equal(link.current()!.info!.tls_required, true);

    const { failed, count } = startLink(t, { urls: server.byAddress, tls: { caFile } });
    await failed(/127.0.0.1:\d+ has a certificate for another name .* for the address 127.0.0.1/);
    t.ok((await count('epr_nats_connect_failures_total', { reason: 'tls' })) > 0);
    const unknown = /has a certificate of an authority that is not known here .* Set nats.tls.ca-file/;
    await startLink(t, { urls: server.byName, tls: { caFile: stranger.caFile } }).failed(unknown);
    await startLink(t, { urls: server.byName, tls: {} }).failed(unknown);
    await startLink(t, { urls: server.byName }).failed(unknown);
  });

  await t.test('a certificate for an address', async (t) => {
    const server = await startTls(t, authority.issue('address', 'IP:127.0.0.1'));
    if (server === undefined) return;
    await startLink(t, { urls: server.byAddress, tls: { caFile } }).connected();
    const { failed } = startLink(t, { urls: server.byName, tls: { caFile } });
    await failed(
      /another name .*Use a name of the certificate in nats.urls, or give the server one for localhost/,
    );
  });

  await t.test('a certificate for somebody else, and one that has expired', async (t) => {
    const elsewhere = await startTls(t, authority.issue('elsewhere', 'DNS:nats.example.org'));
    if (elsewhere === undefined) return;
    await startLink(t, { urls: elsewhere.byName, tls: { caFile } }).failed(/for another name/);
    const expired = await startTls(t, authority.issue('expired', 'DNS:localhost', -1));
    await startLink(t, { urls: expired!.byName, tls: { caFile } }).failed(
      /not valid now \(CERT_HAS_EXPIRED\). Renew/,
    );
  });

  await t.test('a certificate that is renewed by another authority, whose file is replaced', async (t) => {
    const server = await startTls(t, authority.issue('old', 'DNS:localhost'));
    if (server === undefined) return;
    const present = join(t.testdir({}), 'present.pem');
    copyFileSync(caFile, present);
    const { connected, failed } = startLink(t, { urls: server.byName, tls: { caFile: present } });
    await connected();
    await server.nats.configure(tlsConfig(stranger.issue('new', 'DNS:localhost')));
    await server.nats.restart();
    await failed(/an authority that is not known here/);
    copyFileSync(stranger.caFile, present);
    await connected();
  });

  await t.test('TLS first', async (t) => {
    const server = await startTls(t, authority.issue('first', 'DNS:localhost'), 'handshake_first: true');
    if (server === undefined) return;
    await startLink(t, { urls: server.byName, tls: { caFile, handshakeFirst: true } }).connected();
    const link = { attemptMs: 200 };
    const { failed } = startLink(t, { urls: server.byName, tls: { caFile }, link });
    await failed(/does not answer in time.*set nats.tls.handshake-first/);
    const { failed: wrongly } = startLink(t, {
      urls: server.byName,
      tls: { caFile: stranger.caFile, handshakeFirst: true },
    });
    await wrongly(/an authority that is not known here/);
  });
});

void t.test('a server without TLS where TLS is wanted: no connection', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined || !nats.managed) return;
  const { failed } = startLink(t, { urls: [`tls://127.0.0.1:${nats.port}`], tls: {} });
  await failed(/offers no TLS, and a connection without it is refused. Turn TLS on at the server/);
});

void t.test('mutual TLS: with our certificate, without, with one of a stranger', async (t) => {
  const authority = createAuthority(t, 'authority');
  const stranger = createAuthority(t, 'stranger');
  if (authority === undefined || stranger === undefined) return;
  const { caFile } = authority;
  const verify = `ca_file: ${JSON.stringify(caFile)}, verify: true`;
  const server = await startTls(t, authority.issue('server', 'DNS:localhost'), verify);
  if (server === undefined) return;
  const urls = server.byName;
  const ours = authority.issue('register', 'DNS:register');
  await startLink(t, { urls, tls: { caFile, ...ours } }).connected();
  const { failed: without, link } = startLink(t, { urls, tls: { caFile } });
  await without(/asks for a certificate of this service .* Set nats.tls.cert-file and nats.tls.key-file/);
  await until(() => (link.status().attempts ?? 0) > 2);
  const wrong = startLink(t, { urls, tls: { caFile, ...stranger.issue('register', 'DNS:register') } });
  await wrong.failed(/does not accept the certificate of this service/);
});

void t.test('mutual TLS that signs in: the server knows the user by the certificate', async (t) => {
  const authority = createAuthority(t, 'authority');
  if (authority === undefined) return;
  const { caFile } = authority;
  const certificate = authority.issue('server', 'DNS:localhost');
  const map = `ca_file: ${JSON.stringify(caFile)}, verify_and_map: true`;
  const nats = await startNats(t, {
    config: `${tlsConfig(certificate, map)}\nauthorization { users: [{ user: register.example.org }] }`,
  });
  if (nats === undefined || !nats.managed) return;
  const urls = [`tls://localhost:${nats.port}`];
  const known = authority.issue('known', 'DNS:register.example.org');
  await startLink(t, { urls, tls: { caFile, ...known } }).connected();
  const unknown = authority.issue('unknown', 'DNS:other.example.org');
  await startLink(t, { urls, tls: { caFile, ...unknown } }).failed(/asks for credentials, and none are set/);
});

void t.test('files of TLS that can not be used: no start, and what to do', async (t) => {
  const folder = t.testdir({
    empty: '',
    damaged: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  });
  const authority = createAuthority(t, 'authority');
  if (authority === undefined) return;
  const { caFile } = authority;
  const [one, two] = [authority.issue('one', 'DNS:a'), authority.issue('two', 'DNS:a')];
  const rows = [
    { tls: { caFile: join(folder, 'none') }, says: /nats.tls.ca-file: .*there is no such file/ },
    { tls: { caFile: join(folder, 'empty') }, says: /nats.tls.ca-file: .*it holds no certificate. Put one/ },
    { tls: { caFile: join(folder, 'damaged') }, says: /a certificate in it can not be read .* in PEM/ },
    {
      tls: { caFile, ...one, keyFile: two.keyFile },
      says: /nats.tls.key-file: .*not the unencrypted private key/,
    },
    { tls: { caFile, ...one, keyFile: caFile }, says: /nats.tls.key-file: .*Name the key/ },
  ];
  for (const { tls, says } of rows)
    await t.rejects(startMessaging(t, 'tls://127.0.0.1:1', createMemoryOutbox(), { tls }), { message: says });
});
