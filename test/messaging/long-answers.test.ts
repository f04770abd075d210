import t from 'tap';
import { fill, start } from '../register/support.js';
import { startNats } from '../servers/index.js';
import { json, startAnswering } from './served-support.js';

const endpointId = 'e1';
const value = { endpointId, metadataKey: 'n', metadataValue: json(1) };

/** Each request, as small as it can be. */
const requests = [
  ['epmmp', 'ep-metadata-get-request', { endpointId, include: [], includeMetadata: true }],
  ['epmmp', 'ep-metadata-patch-request', { endpointId, ifMatch: null, patch: json([]) }],
  ['epmmp', 'ep-metadata-key-update-request', value],
  ['epmmp', 'ep-metadata-key-batch-update-request', { commands: [] }],
  ['epmmp', 'ep-metadata-keys-get-request', { endpointId }],
  ['epmmp', 'ep-app-version-get-request', { endpointIds: [] }],
  ['efmp', 'ep-filters-request', { endpointId }],
  ['efmp', 'ep-list-by-filter-request', { filterId: 'f' }],
  ['eprmp', 'ep-relations-get-request', { endpointId, relation: 'contains' }],
] as const;

void t.test(
  'a correlationId that leaves no room for an answer: 413, with as much of it as fits',
  async (t) => {
    const maxPayload = 2048;
    const nats = await startNats(t, { config: `max_payload: ${maxPayload}` });
    if (nats === undefined || !nats.managed) return;
    const running = await start(t);
    await fill(t, running, { e1: {} });
    const { client, count } = await startAnswering(t, nats.url, running.register);
    const before = await count('epr_nats_requests_total', { status: '413' });
    for (const [protocol, name, fields] of requests) {
      const correlationId = 'ü'.repeat(1000);
      const answer = await client[protocol](name, { ...fields, correlationId });
      t.match(
        answer,
        {
          statusCode: 413,
          correlationId: 'ü'.repeat(256),
          reasonPhrase: /which is cut here.* may have 256 characters.*found 1000/,
        },
        name,
      );
    }
    t.equal(await count('epr_nats_requests_total', { status: '413' }), before + requests.length);
    const shorter = await client.epmmp('ep-metadata-keys-get-request', {
      endpointId,
      correlationId: 'x'.repeat(300),
    });
    t.match(shorter, { statusCode: 400, correlationId: 'x'.repeat(300) }, 'what fits is echoed as it is');
    t.equal(await count('epr_nats_requests_dropped_total', { reason: 'unanswerable' }), 0);
  },
);

void t.test('as large as NATS takes by default', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const running = await start(t);
  const { client } = await startAnswering(t, nats.url, running.register);
  const correlationId = 'x'.repeat(client.connection.info!.max_payload - 100);
  for (const endpointId of ['e1', 'y'.repeat(60)]) {
    const answer = await client.epmmp('ep-metadata-keys-get-request', { endpointId, correlationId });
    t.match(answer, { statusCode: 413, endpointId, correlationId: 'x'.repeat(256), keys: [] });
  }
});

void t.test('a server that takes next to nothing: still an answer', async (t) => {
  const nats = await startNats(t, { config: 'max_payload: 200' });
  if (nats === undefined || !nats.managed) return;
  const running = await start(t);
  const { client } = await startAnswering(t, nats.url, running.register);
  const correlationId = 'x'.repeat(100);
  const asked = await client.epmmp('ep-metadata-keys-get-request', {
    endpointId: 'y'.repeat(70),
    correlationId,
  });
  t.match(asked, { statusCode: 413, correlationId: '' });
});
