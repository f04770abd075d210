import t, { type Test } from 'tap';
import { encodeBroadcastConfiguration, encodeServiceConfiguration } from '../../src/avro/index.js';
import { startMongo, startNats, startTekton, type TektonServer } from '../servers/index.js';
import { createClient, untilAnswered } from '../messaging/served-support.js';
import { writeConnected } from './support/contract-records.js';
import { connectNats } from './support/event-stream.js';
import { type Service, startService } from './support/service.js';
import { until } from './support/wait.js';

t.setTimeout(300_000);

const CONNECTED = 'kaa.v1.events.kpc.endpoint.connectivity.connected';
const TO_ALL = 'kaa.v1.events.tekton.service.configuration';
const TO_THIS = 'kaa.v1.service.epr.scmp.configuration';

interface Applications {
  content: { name: string; versions: { name: string }[]; deleted?: true }[];
}

interface Health {
  status: string;
  components: { tekton?: { status: string; details: { applications: number; error?: string } } };
}

function configOf({ url }: TektonServer): string {
  return `
kaa.tekton: { enabled: true, url: '${url}' }
kaa.epr.restricted-metadata-keys: [own]
logging: { format: json }
`;
}

const names = async ({ rest }: Service) =>
  (await rest.ask<Applications>('GET', '/api/v1/applications', 200)).content.map(
    ({ name, versions, deleted }) =>
      `${deleted === true ? '-' : ''}${name}: ${versions.map((version) => version.name).join(' ')}`,
  );

const untilNames = (service: Service, ...wanted: string[]) =>
  until({
    what: wanted.join('; '),
    look: async () => {
      const found = await names(service);
      return JSON.stringify(found) === JSON.stringify(wanted) ? { value: null } : { state: found };
    },
  });

const register = (service: Service, endpointId: string, version: string, status: number, metadata = {}) =>
  service.rest.ask('POST', '/api/v1/endpoints', status, {
    endpointId,
    appVersion: { name: version },
    metadata,
  });

async function health(service: Service): Promise<{ status: number; body: Health }> {
  const answer = await fetch(`${service.managementUrl()}/health/ready`);
  return { status: answer.status, body: (await answer.json()) as Health };
}

/** A life of an installation whose applications come from Tekton. */
async function live(t: Test, storageUrl?: string): Promise<void> {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const tekton = await startTekton(t, { kettle: { versions: { 'kettle-v1': {} } } });
  const options = storageUrl === undefined ? {} : { storageUrl };
  const service = await startService(t, { natsUrl: nats.url, config: configOf(tekton), ...options });
  const { rest } = service;
  const connection = await connectNats(t, nats.url);
  const update = { correlationId: 'c-77', timestamp: 1, appName: null, appVerName: null };
  const tellAll = (
    change: 'upsert' | 'delete',
    appName: string | null = null,
    appVerName: string | null = null,
  ) =>
    connection.publish(
      `${TO_ALL}.${change}`,
      encodeBroadcastConfiguration({
        ...update,
        originatorReplicaId: 't',
        tenantID: null,
        appName,
        appVerName,
      }),
    );

  t.same(await names(service), ['kettle: kettle-v1'], 'at start');
  await until({
    what: 'the reading that follows the connection to NATS',
    look: async () => (tekton.asked.length >= 2 ? { value: null } : { state: tekton.asked }),
  });
  t.match(await health(service), { status: 200, body: { components: { tekton: { status: 'UP' } } } });
  await register(service, 'k-1', 'kettle-v1', 201, { city: 'Kyiv' });
  await register(service, 'k-2', 'kettle-v2', 404);
  await register(service, 'l-1', 'lamp-v1', 404);

  // a version is added, told to this service alone
  tekton.applications['kettle'] = { versions: { 'kettle-v1': {}, 'kettle-v2': {} } };
  connection.publish(
    `${TO_THIS}.upsert`,
    encodeServiceConfiguration({ ...update, tenantID: 'kaa', appName: 'kettle', appVerName: 'kettle-v2' }),
  );
  await untilNames(service, 'kettle: kettle-v1 kettle-v2');
  t.match(tekton.asked.at(-1), {
    path: '/applications/kettle/app-versions/kettle-v2',
    correlationId: 'c-77',
  });
  await register(service, 'k-2', 'kettle-v2', 201);
  const filter = await rest.ask<{ id: string }>('POST', '/api/v1/applications/kettle/filters', 201, {
    name: 'all',
    mongoQuery: { application_version: 'kettle-v1' },
  });

  // an application is added, with a setting; keys become restricted
  tekton.applications['lamp'] = { versions: { 'lamp-v1': null }, 'metadata-inheritance.enabled': true };
  tekton.more = { epr: { 'restricted-metadata-keys': ['serial'] } };
  tellAll('upsert');
  await untilNames(service, 'kettle: kettle-v1 kettle-v2', 'lamp: lamp-v1');
  await register(service, 'l-1', 'lamp-v1', 201);
  for (const key of ['serial', 'own']) await rest.ask('PUT', `/api/v1/endpoints/l-1/metadata/${key}`, 403, 1);

  // what is garbage changes nothing; Tekton away neither
  tekton.answer = (response) => void response.end('<html>');
  tellAll('delete', 'lamp');
  await until({
    what: 'a reading that failed',
    look: async () => {
      const { body } = await health(service);
      const error = body.components.tekton?.details.error;
      return error === undefined ? { state: body } : { value: null };
    },
  });
  t.same(await names(service), ['kettle: kettle-v1 kettle-v2', 'lamp: lamp-v1']);
  t.equal((await health(service)).status, 200, 'what is known is in force');
  await tekton.away();
  tekton.answer = undefined;

  // an application is deleted while it is away, and that is caught up
  delete tekton.applications['kettle'];
  await tekton.back();
  await untilNames(service, '-kettle: kettle-v1 kettle-v2', 'lamp: lamp-v1');

  await checkDeleted();

  // started anew with Tekton away: the same, from what was stored
  await tekton.away();
  await service.kill();
  await service.restart();
  t.match(await health(service), {
    status: 200,
    body: { components: { tekton: { status: 'UP', details: { applications: 1, error: String } } } },
  });
  t.same(await names(service), ['-kettle: kettle-v1 kettle-v2', 'lamp: lamp-v1']);
  await register(service, 'l-2', 'lamp-v1', 201);
  await rest.ask('PUT', '/api/v1/endpoints/l-1/metadata/serial', 403, 1);
  await checkDeleted();

  // back, and there again
  tekton.applications['kettle'] = { versions: { 'kettle-v2': {} } };
  await tekton.back();
  await untilNames(service, 'kettle: kettle-v2 kettle-v1', 'lamp: lamp-v1');
  await register(service, 'k-3', 'kettle-v2', 201);
  await register(service, 'k-4', 'kettle-v1', 404);

  /** Its data is there, is read and changed; nothing new is taken. */
  async function checkDeleted(): Promise<void> {
    await register(service, 'k-9', 'kettle-v1', 404);
    await rest.ask('PUT', '/api/v1/endpoints/l-1/app-version', 404, { name: 'kettle-v1' });
    await rest.ask('POST', '/api/v1/endpoints/batch', 404, {
      appVersion: { name: 'kettle-v1' },
      endpoints: [{ endpointId: 'k-9' }],
    });
    const draft = { name: 'new', mongoQuery: {} };
    await rest.ask('POST', '/api/v1/applications/kettle/filters', 404, draft);
    const list = await rest.ask<{ totalElements: number }>(
      'GET',
      '/api/v1/endpoints?applicationName=kettle',
      200,
    );
    t.equal(list.totalElements, 2);
    const ofVersion = await rest.ask<{ totalElements: number }>(
      'GET',
      '/api/v1/endpoints?applicationVersionName=kettle-v2',
      200,
    );
    t.equal(ofVersion.totalElements, 1);
    t.same(await rest.ask('GET', '/api/v1/endpoints/k-1/metadata', 200), { city: 'Kyiv' });
    await rest.ask('PUT', '/api/v1/endpoints/k-1/metadata/city', 200, 'Kyiv');
    t.match(await rest.ask('GET', '/api/v1/applications/kettle/metadata-keys', 200), {
      'kettle-v1': ['city'],
    });
    t.match(await rest.ask('GET', '/api/v1/applications/kettle/filters', 200), { totalElements: 1 });
    const members = await rest.ask<{ totalElements: number }>(
      'GET',
      `/api/v1/endpoints?filterId=${filter.id}`,
      200,
    );
    t.equal(members.totalElements, 1);
    await rest.ask('POST', '/api/v1/applications/kettle/filters/preview', 200, { mongoQuery: {} });
  }
}

void t.test('on the embedded store', (t) => live(t));

void t.test('on MongoDB', async (t) => {
  const mongo = await startMongo(t);
  if (mongo !== undefined) await live(t, `${mongo.url}/tekton`);
});

void t.test('the very first start with Tekton away: nothing is unknown, it is not known yet', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectNats(t, nats.url);
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: 'kpc_events', subjects: [CONNECTED] });
  const tekton = await startTekton(t, { kettle: { versions: { 'kettle-v1': {}, 'kettle-v2': {} } } });
  await tekton.away();

  // an installation that has had its applications in the file until now
  const storageUrl = `file:${t.testdir()}/data`;
  const former = await startService(t, {
    storageUrl,
    config: 'kaa.applications.kettle.versions: { kettle-v1: , kettle-v2: }\nlogging: { format: json }\n',
  });
  await register(former, 'k-1', 'kettle-v1', 201, { city: 'Kyiv' });
  await former.stop();
  const service = await startService(t, { natsUrl: nats.url, storageUrl, config: configOf(tekton) });
  const { rest } = service;

  t.match(await health(service), {
    status: 503,
    body: { status: 'DOWN', components: { tekton: { status: 'DOWN', details: { applications: 0 } } } },
  });
  t.equal((await fetch(`${service.managementUrl()}/health/live`)).status, 200);
  t.match(service.output(), /has started, and is not ready: Tekton could not be read yet/);
  t.notMatch(service.output(), /is ready"/);
  const refused = service.output().match(/ECONNREFUSED/g) ?? [];
  t.equal(refused.length, 1, 'said once');
  t.match(service.output(), /Remedy: see that Tekton runs, and that kaa.tekton.url/);

  const wanted = { appVersion: { name: 'kettle-v1' }, endpointId: 'k-2' };
  const answer = await fetch(`${rest.url}/api/v1/endpoints`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(wanted),
  });
  t.equal(answer.status, 503);
  t.ok(Number(answer.headers.get('retry-after')) > 0);
  t.match(await answer.json(), {
    code: 'applications-unavailable',
    message: /come from Tekton, which has not been read yet/,
  });
  const away = { code: 'applications-unavailable' };
  const batch = { appVersion: { name: 'kettle-v1' }, endpoints: [{ endpointId: 'k-3' }] };
  t.match(await rest.ask('POST', '/api/v1/endpoints/batch', 503, batch), away);
  t.match(await rest.ask('PUT', '/api/v1/endpoints/k-1/app-version', 503, { name: 'kettle-v2' }), away);
  const draft = { name: 'all', mongoQuery: {} };
  t.match(await rest.ask('POST', '/api/v1/applications/kettle/filters', 503, draft), away);
  t.match(
    await rest.ask('POST', '/api/v1/applications/kettle/filters/preview', 503, { mongoQuery: {} }),
    away,
  );
  for (const path of [
    '/api/v1/applications',
    '/api/v1/applications/kettle/filters',
    '/api/v1/applications/kettle/metadata-keys',
    '/api/v1/endpoints?applicationName=kettle',
    '/api/v1/endpoints?applicationVersionName=kettle-v1',
    '/api/v1/events?application=kettle',
    '/api/v1/endpoints/k-1/metadata?include=inherited',
    '/api/v1/events/republish',
  ])
    t.match(await rest.ask('GET', path, 503), away, path);
  t.same(await rest.ask('GET', '/api/v1/endpoints/k-1/metadata', 200), { city: 'Kyiv' });
  t.match(
    await rest.ask('PUT', '/api/v1/endpoints/k-1/metadata', 503, { serial: 1 }),
    away,
    'it may be restricted',
  );
  t.match(await rest.ask('PUT', '/api/v1/endpoints/k-1/metadata/serial', 503, 1), away);
  t.match(await rest.ask('DELETE', '/api/v1/endpoints/k-1/metadata/city', 503), away);
  const client = createClient(connection);
  await untilAnswered(client);
  t.match(
    await client.epmmp('ep-metadata-keys-get-request', { endpointId: 'k-1' }),
    { statusCode: 200 },
    'what needs no application is done; no request over NATS names one',
  );
  const update = { endpointId: 'k-1', metadataKey: 'serial', metadataValue: Buffer.from('1') };
  t.match(await client.epmmp('ep-metadata-key-update-request', update), { statusCode: 503 });
  t.match(await client.epmmp('ep-metadata-key-batch-update-request', { commands: [update] }), {
    statusCode: 503,
  });

  await connection.jetstream().publish(CONNECTED, writeConnected({ 'k-1': 'kettle-v2' }, Date.now()));
  const kept = async () => (await manager.streams.info('kpc_events')).state.messages;
  t.equal(await kept(), 1);
  t.match((await health(service)).body, {
    components: { nats: { details: { connectivity: 'not taken until the applications are known' } } },
  });

  await tekton.back();
  // nobody waits for the pause after the last failure
  process.kill(service.pid(), 'SIGHUP');
  await until({
    what: 'it to be ready',
    look: async () => {
      const found = await health(service);
      return found.status === 200 ? { value: null } : { state: found };
    },
  });
  t.same(await names(service), ['kettle: kettle-v1 kettle-v2']);
  t.match(service.output(), /in force, but for applications: Tekton is asked for them now/);
  await until({
    what: 'Tekton to be said to be read',
    look: async () =>
      service.output().includes('Tekton was read: 1 applications are in force')
        ? { value: null }
        : { state: service.output().slice(-2000) },
  });
  t.equal((await health(service)).status, 200);
  t.match(await (await fetch(`${service.managementUrl()}/metrics`)).text(), /epr_tekton_applications 1\n/);
  await until({
    what: 'the event that waited to take effect',
    look: async () => {
      const found = await rest.ask<{ name: string }>('GET', '/api/v1/endpoints/k-1/app-version', 200);
      return found.name === 'kettle-v2' ? { value: null } : { state: found };
    },
  });
  await register(service, 'k-2', 'kettle-v1', 201);

  await tekton.away();
  process.kill(service.pid(), 'SIGHUP');
  await until({
    what: 'it to be said that Tekton could not be read',
    look: async () =>
      /Tekton could not be read; trying again, for ever. What it gave at \S+ stays in force/.test(
        service.output(),
      )
        ? { value: null }
        : { state: service.output().slice(-2000) },
  });
});
