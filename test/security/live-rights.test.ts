/** Live events show of endpoints what their readers may read: the whole service on a real Keycloak. */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { type EventClient, follow, type Protocol, PROTOCOLS } from '../gateway/event-clients.js';
import { startKeycloak, type KeycloakUser } from '../servers/index.js';
import { type Send, startSecuredService } from './secured-service.js';

const version = { appVersion: { name: 'demo-v1' } };
const contains = (from: string, to: string) => [{ type: 'contains', from, to }];
const OK = /^20\d$/;

const keycloak = await startKeycloak(t);
if (keycloak !== undefined) {
  const kaa = await keycloak.realm();
  const [admin, watcher] = [await kaa.addUser('admin', ['endpoint-admin']), await kaa.addUser('watcher')];
  await kaa.permit({
    resources: ['application-demo'],
    scopes: ['application:read'],
    users: [watcher],
  });
  const permit = (endpointId: string, user: KeycloakUser) =>
    kaa.permit({ resources: [`endpoint-${endpointId}`], scopes: ['endpoint:read'], users: [user] });

  void t.test('only of what is granted, now and in a replay, as rights come and go', async (t) => {
    const { service, as } = await startSecuredService(t, { kaa }, { 'kaa.security.decision-cache': '1s' });
    const asAdmin = as(await admin.token());
    for (const endpointId of ['q-1', 'q-2', 'q-3']) await register(asAdmin, endpointId);
    const takeBack = await permit('q-1', watcher);
    const token = await watcher.token();
    const port = Number(new URL(service.url).port);
    const open = (protocol: Protocol, query?: string, authorization = `Bearer ${token}`) =>
      follow(t, protocol, { port, headers: { authorization }, ...(query === undefined ? {} : { query }) });
    const live = await Promise.all(PROTOCOLS.map((protocol) => open(protocol)));
    const byTicket = async (place: string) => {
      const { ticket } = (await as(token)('POST', '/events/tickets')).json as { ticket: string };
      return follow(t, 'sse', { port, query: `?ticket=${ticket}&lastEventId=${place}` });
    };
    const place = live[0]!.lastId();

    const filter = { name: 'secrets', mongoQuery: { metadata: { $elemMatch: { key: 'secret', value: 1 } } } };
    const { id } = (await asAdmin('POST', '/applications/demo/filters', filter)).json as { id: string };
    const state = async () =>
      (await asAdmin('GET', `/applications/demo/filters/${id}`)).json as { status: string };
    while ((await state()).status !== 'active') await pause(20);
    const writes: [method: string, path: string, body?: unknown][] = [
      ['PUT', '/endpoints/q-2/metadata', { secret: 1 }],
      ['PUT', '/relations/link', contains('q-1', 'q-2')],
      ['PUT', '/relations/link', contains('q-2', 'q-3')],
      ['DELETE', '/endpoints/q-3'],
      ['PUT', '/endpoints/q-1/metadata', { secret: 1, seen: true }],
      ['PUT', '/endpoints/q-1/metadata', { last: true }],
    ];
    for (const [method, path, body] of writes)
      t.match(String((await asAdmin(method, path, body)).status), OK, `${method} ${path}`);
    // of the last write, behind all others
    const hasLast = (client: EventClient) =>
      client.until(() => client.told.some(({ type }) => type === 'ep-unmatched'));
    const replays = await Promise.all([
      ...PROTOCOLS.map((protocol) => open(protocol, `?lastEventId=${place}`)),
      byTicket(place),
    ]);
    for (const client of [...live, ...replays]) {
      await hasLast(client);
      t.same(
        client.told.map(({ type, data }) => [type, data['endpointId'] ?? data['endpointIds']]),
        [
          ['filter-pending', undefined],
          ['filter-activated', undefined],
          ['relations-updated', ['q-1']],
          ['metadata-updated', 'q-1'],
          ['ep-matched', 'q-1'],
          ['metadata-updated', 'q-1'],
          ['ep-unmatched', 'q-1'],
        ],
      );
      t.notMatch(JSON.stringify(client.told), /q-2|q-3/);
    }
    const both = await open('sse', `?lastEventId=${place}&endpointId=q-2&endpointId=q-1`);
    await hasLast(both);
    t.same(
      both.told.map(({ type }) => type),
      ['relations-updated', 'metadata-updated', 'ep-matched', 'metadata-updated', 'ep-unmatched'],
    );
    const other = await open('sse', `?lastEventId=${place}&endpointId=q-2`);
    const whole = await open(
      'sse',
      `?lastEventId=${place}&type=relations-updated`,
      `Bearer ${await admin.token()}`,
    );
    await whole.until(() => whole.told.length >= 3);
    t.same(whole.told[0]!.data['endpointIds'], ['q-1', 'q-2'], 'who may read all is told all');

    await permit('q-2', watcher);
    const told = (client: EventClient, endpointId: string, n: number) =>
      client.told.some(
        ({ type, data }) =>
          type === 'metadata-updated' &&
          data['endpointId'] === endpointId &&
          JSON.stringify(data).includes(`"${n}"`),
      );
    let n = 100;
    const change = async (endpointId: string) => {
      t.equal((await asAdmin('PUT', `/endpoints/${endpointId}/metadata`, { n: ++n })).status, 200);
      return n;
    };
    const hasSeen = ({ told: events }: EventClient) =>
      events.some(({ type, data }) => type === 'metadata-updated' && data['endpointId'] === 'q-2');
    while (![...live, other].every(hasSeen)) {
      await change('q-2');
      await pause(100);
    }
    t.notOk(
      other.told.some(({ type }) => type === 'relations-updated'),
      'what was not shown does not come later',
    );

    await takeBack();
    for (const client of live)
      for (;;) {
        const [hidden, shown] = [await change('q-1'), await change('q-2')];
        await client.until(() => told(client, 'q-2', shown));
        if (!told(client, 'q-1', hidden)) break;
        await pause(100);
      }
    const end = await change('q-2');
    for (const client of live) {
      const from = client.told.length;
      await client.until(() => told(client, 'q-2', end));
      t.notMatch(JSON.stringify(client.told.slice(from)), 'q-1', 'it has ended for good');
      t.equal(client.close, undefined, 'the stream goes on');
    }
  });
}

async function register(as: Send, endpointId: string): Promise<void> {
  const { status, text } = await as('POST', '/endpoints', { ...version, endpointId });
  if (status !== 201) throw new Error(text);
}
