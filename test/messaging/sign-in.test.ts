import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type NatsServer, startNats } from '../servers/index.js';
import { createOperator, credentialsText, nkeys, seedOf } from './accounts.js';
import { startLink } from './link.js';
import { createMemoryOutbox, startMessaging, until } from './support.js';

void t.test('each way: right, wrong, none; no secret is said', async (t) => {
  const folder = t.testdir({});
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const [pair, other] = [nkeys.createUser(), nkeys.createUser()];
  const [operator, stranger] = [createOperator(), createOperator()];
  const [user, foreign, expired] = [operator.createUser(), stranger.createUser(), operator.createUser(-60)];
  const secrets = ['s3cret', 'wr0ng', seedOf(pair), seedOf(other), user.seed, user.jwt, foreign.seed];
  const rows = [
    {
      way: 'user and password',
      config: 'authorization { user: u, password: s3cret }',
      good: [
        { username: 'u', password: 's3cret' },
        {
          username: 'x',
          password: 'x',
          usernameFile: write('user', 'u\n'),
          passwordFile: write('password', 's3cret\r\n'),
        },
      ],
      bad: [
        {
          with: { username: 'u', password: 'wr0ng' },
          says: /does not accept .* nats.username and nats.password/,
        },
        { with: { username: 'v', password: 's3cret' }, says: /does not accept/ },
        { with: { token: 's3cret' }, says: /does not accept the credentials in nats.token/ },
      ],
    },
    {
      way: 'token',
      config: 'authorization { token: s3cret }',
      good: [{ token: 's3cret' }, { token: 'wr0ng', tokenFile: write('token', 's3cret') }],
      bad: [{ with: { token: 'wr0ng' }, says: /does not accept the credentials in nats.token/ }],
    },
    {
      way: 'nkey',
      config: `authorization { users: [{ nkey: ${pair.getPublicKey()} }] }`,
      good: [
        { nkeySeedFile: write('seed', `${seedOf(pair)}\n`) },
        { nkeySeedFile: write('noted', `# of the register\r\n${seedOf(pair)}\r\n`) },
      ],
      bad: [{ with: { nkeySeedFile: write('other', seedOf(other)) }, says: /nats.nkey-seed-file/ }],
    },
    {
      way: 'credentials file of an operator’s account',
      config: operator.config,
      good: [
        { credentialsFile: write('creds', user.credentials) },
        { credentialsFile: write('windows.creds', user.credentials.replaceAll('\n', '\r\n')) },
        {
          credentialsFile: write(
            'short.creds',
            user.credentials.slice(0, user.credentials.lastIndexOf('\n\n*')),
          ),
        },
      ],
      bad: [
        { with: { credentialsFile: write('foreign', foreign.credentials) }, says: /nats.credentials-file/ },
        {
          with: { credentialsFile: write('expired', expired.credentials) },
          says: /nats.credentials-file \(their JWT expired at 20.*Z\)/,
        },
      ],
    },
  ];
  for (const { way, config, good, bad } of rows) {
    await t.test(way, async (t) => {
      const nats = await startNats(t, { config });
      if (nats === undefined || !nats.managed) return;
      const said: unknown[] = [];
      for (const options of good) {
        const { connected, lines, link } = startLink(t, { urls: [nats.url], ...options });
        t.match(await connected(), { connected: true, server: `127.0.0.1:${nats.port}`, error: undefined });
        await link.current()!.flush();
        said.push(lines);
      }
      const none = { with: {}, says: /asks for credentials, and none are set. Set nats.username/ };
      for (const { with: options, says } of [...bad, none]) {
        const { failed, lines, link, count } = startLink(t, { urls: [nats.url], ...options });
        const status = await failed(says);
        t.match(status.error, /^127.0.0.1:\d+ /, 'says which server');
        await until(() => (link.status().attempts ?? 0) > 2);
        t.equal(lines.length, 1, 'said once, however often it is tried');
        t.ok((await count('epr_nats_connect_failures_total', { reason: 'authentication' })) > 2);
        t.equal(await count('epr_nats_connected'), 0);
        said.push(lines, status);
      }
      for (const secret of secrets) t.notOk(JSON.stringify(said).includes(secret));
    });
  }
});

void t.test('files that can not be used: no start, and what to do', async (t) => {
  const user = createOperator().createUser();
  const [mine, other] = [nkeys.createUser(), nkeys.createAccount()];
  const folder = t.testdir({
    empty: '',
    account: seedOf(other),
    damaged: seedOf(mine).replace(/.$/, '#'),
    'jwt-only': user.credentials.split('\n').slice(0, 3).join('\n'),
    mixed: credentialsText(user.jwt, seedOf(mine)),
    'no-jwt': credentialsText('hello', user.seed),
  });
  const rows = [
    { credentialsFile: 'none', says: 'nats.credentials-file: .*none: there is no such file. Put' },
    { credentialsFile: '.', says: 'it is a folder' },
    { credentialsFile: 'empty', says: 'it holds no JWT. Put there what `nsc generate creds` prints' },
    { credentialsFile: 'jwt-only', says: 'no seed of a user behind the JWT' },
    { credentialsFile: 'mixed', says: 'the JWT and the seed are of different users' },
    { credentialsFile: 'no-jwt', says: 'what stands at the place of the JWT is none' },
    { nkeySeedFile: 'none', says: 'nats.nkey-seed-file: .*none: there is no such file' },
    { nkeySeedFile: 'empty', says: 'it does not hold the seed of a user. Put there what `nk -gen user`' },
    { nkeySeedFile: 'account', says: 'it does not hold the seed of a user' },
    { nkeySeedFile: 'damaged', says: 'it does not hold the seed of a user' },
    { passwordFile: 'none', says: 'nats.password: .*none: there is no such file' },
  ];
  for (const { says, ...row } of rows) {
    const files = Object.fromEntries(Object.entries(row).map(([key, name]) => [key, join(folder, name)]));
    const failure: Error = await startMessaging(t, 'nats://127.0.0.1:1', createMemoryOutbox(), files).then(
      () => new Error('it started'),
      (error: Error) => error,
    );
    t.match(failure.message, new RegExp(`^NATS can not be connected to as it is configured. .*${says}`));
    t.notMatch(failure.message, /SU[A-Z0-9]{20}|SA[A-Z0-9]{20}|eyJ/);
  }
});

/** Changes the server's configuration while it runs; it drops whom that no longer lets in. */
async function reload(nats: NatsServer, config: string): Promise<void> {
  await nats.configure(config);
  const before = nats.output.split('Reloaded server configuration').length;
  process.kill(nats.pid, 'SIGHUP');
  await until(() => nats.output.split('Reloaded server configuration').length > before);
}

void t.test('refused at run time: tries on, says why, takes up the new password from its file', async (t) => {
  const passwordFile = join(t.testdir({ password: 'first' }), 'password');
  const configOf = (password: string) => `authorization { user: u, password: ${password} }`;
  const nats = await startNats(t, { config: configOf('first') });
  if (nats === undefined || !nats.managed) return;
  const options = { username: 'u', password: 'first', passwordFile };
  const { connected, failed, said, lines, link } = startLink(t, { urls: [nats.url], ...options });
  await connected();
  const [ups, downs] = [[] as unknown[], [] as unknown[]];
  link.onUp((connection) => ups.push(connection));
  link.onDown(() => downs.push(link.current()));
  await reload(nats, configOf('s3cond'));
  await failed(/does not accept the credentials in nats.username and nats.password. Correct or renew/);
  await until(() => (link.status().attempts ?? 0) > 3);
  t.equal(said('The connection to NATS is lost'), 1);
  t.equal(said('NATS is not reached'), 1);
  writeFileSync(passwordFile, 's3cond\n');
  await connected();
  t.equal(link.status().error, undefined);
  t.equal(link.status().attempts, undefined);
  t.equal(said('Connected to NATS.'), 2);
  t.equal(ups.length, 2);
  t.not(ups[0], ups[1], 'a new connection');
  t.same(downs, [undefined]);
  t.notMatch(JSON.stringify(lines), /first|s3cond/);
});

void t.test('credentials that expire while they are used, and are renewed in their file', async (t) => {
  const operator = createOperator();
  const credentialsFile = join(t.testdir({ creds: operator.createUser(2).credentials }), 'creds');
  const nats = await startNats(t, { config: operator.config });
  if (nats === undefined || !nats.managed) return;
  const { connected, failed, count, lines } = startLink(t, { urls: [nats.url], credentialsFile });
  await connected();
  await failed(/nats.credentials-file \(their JWT expired at .*\). Correct or renew them/);
  t.match(
    lines.find(({ msg }) => msg.startsWith('The connection to NATS is lost'))!.error,
    /says that these have expired: the credentials in nats.credentials-file/,
  );
  writeFileSync(credentialsFile, 'half writ');
  await failed(/it holds no JWT/);
  t.ok((await count('epr_nats_connect_failures_total', { reason: 'files' })) > 0);
  writeFileSync(credentialsFile, operator.createUser(3600).credentials);
  await connected();
  t.equal(await count('epr_nats_connects_total'), 2);
});

void t.test('what is denied is said once, and which permission is missing', async (t) => {
  const permissions =
    '{ publish: { deny: ["kaa.v1.events.epr.no.>", "reply.>", "_INBOX.>"] }, subscribe: { deny: ["never"] } }';
  const nats = await startNats(t, {
    config: `authorization { users: [{ user: u, password: p, permissions: ${permissions} }] }`,
  });
  if (nats === undefined || !nats.managed) return;
  const { connected, link, said, count } = startLink(t, { urls: [nats.url], username: 'u', password: 'p' });
  await connected();
  const denied: string[] = [];
  link.onPublishDenied((subject) => denied.push(subject));
  const connection = link.current()!;
  for (let i = 0; i < 3; i++) connection.publish('kaa.v1.events.epr.no.a');
  for (let i = 0; i < 20; i++) connection.publish(`reply.${i}`);
  connection.publish('_INBOX.a');
  await until(async () => (await count('epr_nats_denials_total')) === 24);
  t.match(link.status(), { error: /publish to _INBOX.a. Permit _INBOX/ }, 'no stranger hides what is wrong');
  t.equal(said('The server does not let us publish to reply.'), 1);
  t.equal(said('The server does not let us publish to _INBOX.'), 1);
  for (let i = 0; i < 30; i++) connection.publish(`kaa.v1.events.epr.no.${i}`);
  connection.subscribe('never', { callback: () => undefined });
  await until(async () => (await count('epr_nats_denials_total')) === 55);
  t.equal(denied.length, 54);
  t.equal(said('The server does not let us publish to kaa.v1.events.epr.no.a. Permit it to the user'), 1);
  t.equal(said('The server does not let us'), 13, 'not one for each of very many');
  t.match(link.status(), { connected: true, error: /subscribe to never. Permit it/ });
});
