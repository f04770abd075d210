/**
 * A program as users of the generated client write it. client.test.ts checks it against the types of the served document
 * and runs it against a register; it is no part of the build, for its types are not there before.
 */
import createClient from 'openapi-fetch';
import type { components, paths } from './endpoint-register.js';

type Endpoint = components['schemas']['Endpoint'];

const client = createClient<paths>({ baseUrl: process.argv[2]! });

function need<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('There is no data.');
  return value;
}

const registered = await client.POST('/endpoints', {
  params: { header: { 'Idempotency-Key': 'first' } },
  body: {
    appVersion: { name: 'demo-v1' },
    endpointId: 'typed-1',
    metadata: { city: 'Kyiv', temp: 20 },
  },
});
const status: 'Inactive' = need(registered.data).status;
const endpointId = need(registered.data).endpointId;
const path = { endpointId };

const again = await client.POST('/endpoints', {
  body: { appVersion: { name: 'demo-v1' }, endpointId },
});
// every operation has the codes of each of its statuses
let taken: 'endpoint-exists' | 'token-taken' | undefined;
if (again.response.status === 409 && again.error !== undefined) {
  const { code } = again.error;
  if (code === 'endpoint-exists' || code === 'token-taken') taken = code;
}

const read = await client.GET('/endpoints/{endpointId}/metadata', { params: { path } });
const etag = read.response.headers.get('ETag')!;
const unchanged = await client.GET('/endpoints/{endpointId}/metadata', {
  params: { path, header: { 'If-None-Match': etag } },
});
await client.PUT('/endpoints/{endpointId}/metadata/{key}', {
  params: { path: { ...path, key: 'temp' }, header: { 'If-Match': etag } },
  body: 92,
});
const stale = await client.PUT('/endpoints/{endpointId}/metadata/{key}', {
  params: { path: { ...path, key: 'temp' }, header: { 'If-Match': etag } },
  body: 93,
});
const patched = await client.PATCH('/endpoints/{endpointId}/metadata', {
  params: { path },
  headers: { 'Content-Type': 'application/json-patch+json' },
  body: [{ op: 'add', path: '/note', value: { by: 'hand' } }],
});

const ids: string[] = [];
let cursor: string | undefined;
do {
  const page = await client.GET('/endpoints', {
    params: { query: { limit: 1, sort: 'endpointId', ...(cursor === undefined ? {} : { cursor }) } },
  });
  for (const each of need(page.data).content) ids.push(each.endpointId);
  cursor = need(page.data).nextCursor;
} while (cursor !== undefined);

const searched = await client.POST('/endpoints/search', {
  body: { query: { metadata: { $elemMatch: { key: 'temp', value: { $gte: 90 } } } }, include: ['metadata'] },
});
const found: Endpoint[] = need(searched.data).content;

const batch = await client.POST('/endpoints/batch', {
  body: {
    appVersion: { name: 'demo-v2' },
    endpoints: [{ endpointId: 'typed-2' }, { endpointId: 'typed-1' }],
  },
});
const query = { appName: 'demo', taskId: need(batch.data).taskId };
let done: components['schemas']['BatchStatus'];
do done = need((await client.GET('/endpoints/batch/status', { params: { query } })).data);
while (done.createdCount + done.failedCount < 2);

const results = await client.POST('/endpoints/metadata/batch', {
  body: [
    { endpointId, set: { temp: 95 }, unset: ['note'] },
    { endpointId: 'nobody', set: { temp: 1 } },
  ],
});

// a text is answered to lines
const items = typeof results.data === 'string' ? [] : need(results.data);

const app = { app: 'demo' };
const mongoQuery = { metadata: { $elemMatch: { key: 'temp', value: { $gt: 90 } } } };
const created = await client.POST('/applications/{app}/filters', {
  params: { path: app },
  body: { name: 'Hot', mongoQuery },
});
const filter: components['schemas']['Filter'] = need(created.data);
const preview = await client.POST('/applications/{app}/filters/preview', {
  params: { path: app },
  body: { mongoQuery, sampleSize: 1 },
});
const keys = await client.GET('/applications/{app}/metadata-keys', { params: { path: app } });
await client.DELETE('/applications/{app}/filters/{id}', { params: { path: { ...app, id: filter.id } } });
const removed = await client.POST('/endpoints/delete', {
  body: { endpointIds: ['typed-1', 'typed-2', 'nobody'] },
});

console.log(
  JSON.stringify({
    status,
    taken,
    unchanged: unchanged.response.status,
    stale: stale.error?.code,
    patched: patched.data,
    ids,
    found: found.map((each) => [each.endpointId, each.metadata?.['temp']]),
    batch: [done.createdCount, done.failedCount, done.failed.map(({ code }) => code)],
    results: items.map((each) => [each.status, each.code]),
    filter: filter.status,
    preview: [
      need(preview.data).matchedEndpointsCount,
      need(preview.data).explain.conditions[0]?.letsThrough,
    ],
    keys: need(keys.data)['demo-v1'],
    deleted: need(removed.data).deleted,
    failed: need(removed.data).failed.map(({ code }) => code),
  }),
);
