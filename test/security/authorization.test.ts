/* eslint-disable @typescript-eslint/no-unsafe-member-access -- answers are JSON of any shape */
/** Rights as an installation has them: the whole service on a real Keycloak, by its configuration. */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { WebSocket } from 'undici';
import { answer, startPeerServer } from '../peers/support.js';
import { startKeycloak } from '../servers/index.js';
import { startSecuredService } from './secured-service.js';

const version = { appVersion: { name: 'demo-v1' } };

const keycloak = await startKeycloak(t);
if (keycloak !== undefined) {
  const [kaa, acme] = await Promise.all([keycloak.realm(), keycloak.realm()]);
  const [admin, reader, user, nobody] = await Promise.all([
    kaa.addUser('admin', ['endpoint-admin']),
    kaa.addUser('reader', ['endpoint-reader']),
    kaa.addUser('user'),
    kaa.addUser('nobody'),
  ]);

  void t.test('by policies of the auth server: of roles, of single endpoints, and none', async (t) => {
    const { as, metric } = await startSecuredService(t, { kaa, acme });
    const asAdmin = as(await admin.token());
    for (const endpointId of ['p-1', 'p-2', 'p-3']) {
      const made = await asAdmin('POST', '/endpoints', { ...version, endpointId, metadata: { n: 1 } });
      t.equal(made.status, 201, made.text);
    }
    t.match(await kaa.resource('endpoint-p-1'), { attributes: { creator: [admin.id] } });
    t.equal((await asAdmin('PUT', '/endpoints/p-1/metadata', { n: 2 })).status, 200);

    const asReader = as(await reader.token());
    t.equal((await asReader('GET', '/endpoints/p-1')).status, 200);
    t.equal((await asReader('GET', '/endpoints')).json.totalElements, 3);
    const denied = await asReader('PUT', '/endpoints/p-1/metadata', { n: 3 });
    t.equal(denied.status, 403);
    t.match(denied.json, {
      code: 'forbidden',
      message: 'The caller is not granted endpoint:update on endpoint-p-1.',
    });
    t.equal((await asReader('GET', '/endpoints/none')).status, 404);
    t.equal((await asReader('POST', '/endpoints', version)).status, 403);

    const asNobody = as(await nobody.token());
    t.equal((await asNobody('GET', '/endpoints/p-1')).status, 403);
    t.equal((await asNobody('GET', '/endpoints/none')).status, 404, 'what is not there is not there for all');
    t.match((await asNobody('GET', '/endpoints')).json, { totalElements: 0, content: [] });
    t.match((await asNobody('GET', '/applications')).json, { totalElements: 0, content: [] });

    await kaa.permit({ resources: ['endpoint-p-2'], scopes: ['endpoint:read'], users: [user] });
    const asUser = as(await user.token());
    t.equal((await asUser('GET', '/endpoints/p-2')).status, 200);
    t.equal((await asUser('GET', '/endpoints/p-1')).status, 403);
    t.equal((await asUser('PUT', '/endpoints/p-2/metadata', {})).status, 403);
    const list = await asUser('GET', '/endpoints?limit=1');
    t.match(list.json, { totalElements: 1, content: [{ endpointId: 'p-2' }] });
    t.equal(list.json.nextCursor, undefined);
    const found = await asUser('POST', '/endpoints/search', { endpointIds: ['p-1', 'p-2'] });
    t.match(found.json, { totalElements: 1, content: [{ endpointId: 'p-2' }] });

    const theirs = await acme.addUser('admin', ['endpoint-admin']);
    t.equal((await as(await theirs.token())('GET', '/endpoints/p-1')).status, 404, 'of another tenant');
    t.ok((await metric('epr_decisions_total', 'by="auth-server",outcome="granted"')) > 0);
    t.ok((await metric('epr_decisions_total', 'by="cache",outcome="granted"')) > 0);

    t.equal((await asAdmin('DELETE', '/endpoints/p-3')).status, 204);
    while ((await kaa.resource('endpoint-p-3')) !== undefined) await pause(20);
  });

  void t.test('permissions in the token: an RPT from the auth server', async (t) => {
    const { as, metric } = await startSecuredService(t, { kaa });
    const asAdmin = as(await admin.token());
    for (const endpointId of ['r-1', 'r-2']) await asAdmin('POST', '/endpoints', { ...version, endpointId });
    await kaa.permit({ resources: ['endpoint-r-1'], scopes: ['endpoint:read'], users: [user] });
    const asked = () => metric('epr_decisions_total', 'by="auth-server",outcome="granted"');
    const rpt = await kaa.rpt(await user.token(), ['endpoint-r-1#endpoint:read']);
    const before = await asked();
    const asUser = as(rpt);
    t.equal((await asUser('GET', '/endpoints/r-1')).status, 200);
    t.equal(await asked(), before, 'nobody had to be asked');
    t.ok((await metric('epr_decisions_total', 'by="token",outcome="granted"')) > 0);
    t.equal((await asUser('GET', '/endpoints/r-2')).status, 403, 'it is for another one');
    t.equal((await asUser('DELETE', '/endpoints/r-1')).status, 403, 'and for one scope');
    const list = await asUser('GET', '/endpoints');
    t.equal(list.status, 200, list.text);
    t.match(list.json, { content: [{ endpointId: 'r-1' }], totalElements: 1 });
  });

  void t.test('by realm roles that the configuration grants, as long as it does', async (t) => {
    const roleGrants = { 'kaa.security.role-grants.fleet-reader': 'endpoint:read, application:read' };
    const { as, metric, reload } = await startSecuredService(t, { kaa }, roleGrants);
    await kaa.admin('POST', '/roles', { name: 'fleet-reader' });
    const fleet = await kaa.addUser('fleet', ['fleet-reader']);
    await as(await admin.token())('POST', '/endpoints', { ...version, endpointId: 'g-1' });
    const asFleet = as(await fleet.token());
    t.equal((await asFleet('GET', '/endpoints/g-1')).status, 200);
    t.equal((await asFleet('GET', '/endpoints')).json.totalElements, 1);
    t.equal((await asFleet('GET', '/applications')).json.totalElements, 1);
    t.equal(await metric('epr_decisions_total', 'by="auth-server",outcome="denied"'), 0);
    t.equal((await asFleet('DELETE', '/endpoints/g-1')).status, 403);
    reload({ 'kaa.security.role-grants.fleet-reader': 'application:read' });
    t.equal((await asFleet('GET', '/endpoints/g-1')).status, 403);
    t.equal((await asFleet('GET', '/endpoints')).json.totalElements, 0);
    t.equal((await asFleet('GET', '/applications')).json.totalElements, 1);
  });

  void t.test('a right that is taken away ends: for requests, lists and live events', async (t) => {
    const { service, as } = await startSecuredService(t, { kaa }, { 'kaa.security.decision-cache': '1s' });
    const watcher = await kaa.addUser('watcher');
    const asAdmin = as(await admin.token());
    await asAdmin('POST', '/endpoints', { ...version, endpointId: 'w-1' });
    const takeBack = await kaa.permit({
      resources: ['endpoint-w-1', 'application-demo'],
      scopes: ['endpoint:read', 'application:read'],
      users: [watcher],
    });
    const token = await watcher.token();
    const asWatcher = as(token);
    const stream = await fetch(`${service.url}/api/v1/events`, {
      headers: { authorization: `Bearer ${token}` },
    });
    t.equal(stream.status, 200);
    const socket = new WebSocket(`${service.url.replace('http', 'ws')}/api/v1/events?application=demo`, [
      'epr-events',
      `bearer.${token}`,
    ]);
    const messages: string[] = [];
    socket.onmessage = ({ data }) => messages.push(String(data));
    await new Promise((resolve) => (socket.onopen = resolve));
    const closed = new Promise<{ code: number; reason: string }>((resolve) => {
      socket.onclose = ({ code, reason }) => resolve({ code, reason });
    });
    t.equal((await asWatcher('GET', '/endpoints/w-1')).status, 200);
    await asAdmin('PUT', '/endpoints/w-1/metadata', { seen: true });
    while (!messages.join().includes('"seen"')) await pause(20);

    await takeBack();
    while ((await asWatcher('GET', '/endpoints/w-1')).status !== 403) await pause(100);
    while ((await asWatcher('GET', '/endpoints')).json.totalElements !== 0) await pause(100);
    t.match(await closed, { code: 1008, reason: /not granted application:read on application-demo/ });
    const text = await stream.text();
    t.match(text, /"seen"/);
    t.match(text, /event: dropped\ndata: .*not granted application:read/);
    await asAdmin('PUT', '/endpoints/w-1/metadata', { unseen: true });
    const again = await asWatcher('GET', '/events');
    t.equal(again.status, 403, 'and there is no way back');
    t.equal((await asWatcher('POST', '/events/tickets')).status, 403);
    t.notMatch(messages.join() + text, 'unseen');
  });

  void t.test('a token whose user has signed out is one to sign in again for', async (t) => {
    const { as } = await startSecuredService(t, { kaa }, { 'kaa.security.decision-cache': '0s' });
    const leaver = await kaa.addUser('leaver', ['endpoint-admin']);
    const asLeaver = as(await leaver.token());
    const made = await asLeaver('POST', '/endpoints', { ...version, endpointId: 'l-1' });
    t.equal(made.status, 201, made.text);
    await kaa.admin('POST', `/users/${leaver.id}/logout`);
    for (const [method, path, body] of [
      ['GET', '/endpoints/l-1'],
      ['GET', '/endpoints'],
      ['GET', '/events'],
      ['POST', '/endpoints', version],
      ['PUT', '/relations/link', [{ type: 'contains', from: 'l-1', to: 'l-2' }]],
    ] as const) {
      const { status, headers } = await asLeaver(method, path, body);
      t.equal(status, 401, `${method} ${path}`);
      t.equal(
        headers.get('www-authenticate'),
        'Bearer realm="kaa", error="invalid_token", error_description="The auth server takes this token no more."',
      );
    }
  });

  void t.test('other tenants are seen by who may, in the system tenant', async (t) => {
    const { as } = await startSecuredService(t, { kaa, acme });
    const overseer = await kaa.addUser('overseer');
    await kaa.permit({ resources: ['kaa-system'], scopes: ['kaa:tenant:read'], users: [overseer] });
    const theirs = await acme.addUser('boss', ['endpoint-admin']);
    await acme.addResource('application-acme', ['application:endpoint:create', 'application:read']);
    await acme.permit({ resources: ['kaa-system'], scopes: ['kaa:tenant:read'], users: [theirs] });
    const asTheirs = as(await theirs.token());
    for (const endpointId of ['acme-1', 'acme-2']) {
      const made = await asTheirs('POST', '/endpoints', {
        appVersion: { name: 'acme-v1' },
        endpointId,
        metadata: { n: 1 },
      });
      t.equal(made.status, 201, made.text);
    }
    await as(await admin.token())('POST', '/endpoints', { ...version, endpointId: 'kaa-1' });
    const asOverseer = as(await overseer.token());
    const list = await asOverseer('GET', '/endpoints?tenantId=acme&limit=1&sort=endpointId');
    t.match(list.json, { totalElements: 2, content: [{ endpointId: 'acme-1' }] });
    const cursor = encodeURIComponent(list.json.nextCursor as string);
    const next = await asOverseer('GET', `/endpoints?tenantId=acme&sort=endpointId&cursor=${cursor}`);
    t.match(next.json, { content: [{ endpointId: 'acme-2' }] });
    const search = { tenantId: 'acme', applicationName: 'acme' };
    t.equal((await asOverseer('POST', '/endpoints/search', search)).json.totalElements, 2);
    t.match(
      (await asOverseer('GET', '/endpoints')).json,
      { totalElements: 0 },
      'of its own it may read none',
    );
    t.equal((await asOverseer('GET', '/endpoints/acme-1')).status, 404, 'lists alone name a tenant');
    t.equal((await as(await admin.token())('GET', '/endpoints?tenantId=acme')).status, 403);
    t.equal(
      (await asTheirs('GET', '/endpoints?tenantId=kaa')).status,
      403,
      'who rules another realm can not grant it there',
    );
  });

  void t.test("the register's own token is renewed when it is worth nothing any more", async (t) => {
    const { as, metric } = await startSecuredService(t, { acme });
    const boss = await acme.addUser('renewer', ['endpoint-admin']);
    const asBoss = as(await boss.token());
    const make = (endpointId: string) =>
      asBoss('POST', '/endpoints', { appVersion: { name: 'acme-v1' }, endpointId });
    t.equal((await make('t-1')).status, 201);
    await acme.replaceKeys();
    const made = await make('t-2');
    t.equal(made.status, 201, made.text);
    t.ok(await acme.resource('endpoint-t-2'));
    t.ok((await metric('epr_decisions_total', 'by="cache",outcome="granted"')) > 0);
  });

  void t.test('peers are told who asks, in the name of the tenant', async (t) => {
    const issued = await startPeerServer(t, answer(201, { token: 'from-there' }));
    const applications = {
      demo: { tenant: 'kaa', versions: { 'demo-v1': {} } },
      acme: { tenant: 'acme', versions: { 'acme-v1': {} } },
    };
    const tekton = await startPeerServer(t, answer(200, { epr: { kaa: { applications } } }));
    const { as } = await startSecuredService(
      t,
      { kaa, acme },
      {
        'kaa.epr.credential-management.base-url': issued.url,
        'kaa.tekton.enabled': 'true',
        'kaa.tekton.url': tekton.url,
      },
    );
    const theirs = await acme.addUser('registrar', ['endpoint-admin']);
    const of = async (token: string, name: string) =>
      as(token)('POST', '/endpoints', { appVersion: { name: `${name}-v1` }, endpointId: `${name}-told` });
    t.match((await of(await admin.token(), 'demo')).json, { token: 'from-there' });
    t.match((await of(await theirs.token(), 'acme')).json, { token: 'from-there' });
    t.same(
      [...issued.asked, tekton.asked[0]!].map(({ headers }) => claimsOf(headers.authorization)),
      [kaa, acme, kaa].map(({ issuer }) => ({ iss: issuer, azp: 'epr' })),
    );
  });
}

function claimsOf(authorization: string | undefined): unknown {
  const [, claims] = (authorization ?? '').split('.');
  const { iss, azp } = JSON.parse(Buffer.from(claims ?? '', 'base64url').toString()) as Record<
    string,
    unknown
  >;
  return { iss, azp };
}
