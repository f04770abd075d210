import t, { type Test } from 'tap';
import { encodeBroadcastConfiguration, encodeServiceConfiguration } from '../../src/avro/index.js';
import { startMongo, startNats, startTekton, type TektonServer } from '../servers/index.js';
import { connectNats } from './support/event-stream.js';
import { type Service, startService } from './support/service.js';
import { until } from './support/wait.js';

t.setTimeout(300_000);

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

void t.test(
  'the very first start with Tekton away: alive, not ready, and ready when it is back',
  async (t) => {
    const nats = await startNats(t);
    if (nats === undefined) return;
    const tekton = await startTekton(t, { kettle: { versions: { 'kettle-v1': {} } } });
    await tekton.away();
    const service = await startService(t, { natsUrl: nats.url, config: configOf(tekton) });
    t.match(await health(service), {
      status: 503,
      body: { status: 'DOWN', components: { tekton: { status: 'DOWN', details: { applications: 0 } } } },
    });
    t.equal((await fetch(`${service.managementUrl()}/health/live`)).status, 200);
    await tekton.back();
    await untilNames(service, 'kettle: kettle-v1');
    t.equal((await health(service)).status, 200);
    t.match(await (await fetch(`${service.managementUrl()}/metrics`)).text(), /epr_tekton_applications 1\n/);
  },
);
