import { createConfig, lintFromString } from '@redocly/openapi-core';
import t from 'tap';
import { ERRORS, type ErrorCode, statusOf } from '../../src/model/errors.js';
import { type Json, type Media, type Operation, type Parameter, readDescribed } from './described.js';
import { startHarness } from './harness.js';

/** Every example of a media type or a parameter. */
function examplesOf({ example, examples }: Pick<Media | Parameter, 'example' | 'examples'>): unknown[] {
  return [
    ...(example === undefined ? [] : [example]),
    ...Object.values(examples ?? {}).map(({ value }) => value),
  ];
}

async function lint(document: Json): Promise<string[]> {
  const config = await createConfig({ extends: ['recommended'] });
  const problems = await lintFromString({ source: JSON.stringify(document), config });
  return problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} (${location[0]?.pointer})`);
}

void t.test('the document is valid OpenAPI 3.1, by the recommended rules of Redocly', async (t) => {
  const { document } = await readDescribed(await startHarness(t));
  t.same(await lint(document), []);
  const paths = document['paths'] as Record<string, Record<string, Json>>;
  const damaged = { ...document, paths: { ...paths, '/x/{y}': { get: { responses: {} } } } };
  t.ok((await lint(damaged)).length > 2, 'the rules see what is wrong');
});

void t.test('everything is described, and every example is what its schema says', async (t) => {
  const h = await startHarness(t);
  const { operations, faults } = await readDescribed(h);
  t.ok(operations.length >= 25);
  t.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);
  for (const { name, parameters, requestBody, responses, ...operation } of operations) {
    const check = (where: string, schema: object, each: Pick<Media, 'example' | 'examples'>) => {
      const examples = examplesOf(each);
      t.ok(examples.length > 0, `${name}: ${where} has an example`);
      for (const example of examples) t.same(faults(schema, example), [], `${name}: example of ${where}`);
    };
    const scopes = operation.security.flatMap((each) => each['bearer']);
    t.same(scopes, operation['x-scope'] === undefined ? [] : [operation['x-scope']], name);
    t.equal(operation['x-resource'] === undefined, operation['x-scope'] === undefined, name);
    t.ok(operation.summary.length > 0);
    for (const parameter of parameters) {
      t.ok(parameter.description?.length > 0, `${name}: ${parameter.name} has a description`);
      check(parameter.name, parameter.schema, parameter);
    }
    for (const [type, media] of Object.entries(requestBody?.content ?? {})) check(type, media.schema, media);
    for (const [status, response] of Object.entries(responses)) {
      for (const [header, { schema, example }] of Object.entries(response.headers))
        check(`${status} ${header}`, schema, { example });
      for (const [type, media] of Object.entries(response.content ?? {})) {
        check(`${status} ${type}`, media.schema, media);
        const { contentSchema } = media.schema as { contentSchema?: object };
        if (contentSchema !== undefined) {
          const events = [...(media.example as string).matchAll(/^data: (.*)$/gm)];
          const told = events.map(([, data]) => JSON.parse(data!) as unknown);
          t.same(faults(contentSchema, told), [], `${name}: events`);
          t.ok(
            faults(contentSchema, [{ type: 'metadata-updated' }]).length > 0,
            `${name}: events are checked`,
          );
        }
        const item = media['x-item-schema'];
        if (item !== undefined)
          t.same(faults(item, JSON.parse((media.example as string).split('\n')[0]!)), [], `${name}: item`);
      }
      if (Number(status) < 400) continue;
      for (const [code, { value }] of Object.entries(
        response.content?.['application/json']?.examples ?? {},
      )) {
        t.equal(statusOf(code as ErrorCode), Number(status), `${name}: ${code}`);
        t.same(value, { message: ERRORS[code as ErrorCode][1], code });
      }
    }
  }
});

void t.test('its servers, its limits and its entity tag', async (t) => {
  const settings = { pageMax: 500 };
  const h = await startHarness(t, {
    changeLimits: (limits) => ({ ...limits, ...settings }),
    version: '1.2.3',
  });
  const first = await h.call('GET', '/openapi.json');
  const document = first.json as { info: { version: string }; servers: { url: string }[] };
  t.equal(document.info.version, '1.2.3');
  t.same(
    document.servers.map(({ url }) => url),
    ['/api/v1', '/epr/api/v1'],
  );
  const other = (await h.get('/epr/api/v1/openapi.json')).json as typeof document;
  t.same(
    other.servers.map(({ url }) => url),
    ['/epr/api/v1', '/api/v1'],
    'what it was asked for under comes first',
  );
  const limitOf = async () => {
    const { operations } = await readDescribed(h);
    const list = operations.find(({ operationId }) => operationId === 'listEndpoints')!;
    return (list.parameters.find(({ name }) => name === 'limit')!.schema as { maximum: number }).maximum;
  };
  t.equal(await limitOf(), 500);
  const etag = first.headers.get('etag')!;
  const again = () => h.call('GET', '/openapi.json', undefined, { 'if-none-match': etag });
  t.equal((await again()).status, 304);
  settings.pageMax = 700;
  t.equal((await again()).status, 200, 'a changed limit is another document');
  t.equal(await limitOf(), 700);
});

/** Requests that the examples of an operation make: each body, and each parameter by itself. */
function exampleRequests({ path, parameters, requestBody, method }: Operation, ids: Record<string, string>) {
  const filled = path.replace(/\{(\w+)\}/g, (_all, name: string) => {
    const { example } = parameters.find((each) => each.in === 'path' && each.name === name)!;
    return ids[name] ?? (example as string);
  });
  const required = parameters.filter((each) => each.in === 'query' && each.required === true);
  const queryOf = (chosen: Parameter[]) => {
    const query = new URLSearchParams();
    for (const each of chosen)
      for (const value of [examplesOf(each)].flat(2))
        query.append(each.name, ids[each.name] ?? String(value));
    return chosen.length === 0 ? filled : `${filled}?${query.toString()}`;
  };
  const bodies = Object.entries(requestBody?.content ?? { '': { example: undefined } });
  const requests: [target: string, headers: Record<string, string>, body: unknown][] = bodies.map(
    ([type, { example }]) => [
      queryOf(required),
      type === '' ? {} : { 'content-type': type },
      type === 'application/json' ? JSON.stringify(example) : example,
    ],
  );
  // a write by its body only: it can be done once
  if (method !== 'GET') return requests;
  for (const parameter of parameters) {
    if (parameter.in === 'header')
      requests.push([queryOf(required), { [parameter.name]: parameter.example as string }, undefined]);
    else if (parameter.in === 'query' && parameter.required !== true)
      for (const example of examplesOf(parameter))
        requests.push([queryOf([...required, { ...parameter, example, examples: {} }]), {}, undefined]);
  }
  return requests;
}

void t.test('every example is a request that works', async (t) => {
  const h = await startHarness(t);
  const { operations } = await readDescribed(h);
  const ids: Record<string, string> = {};
  const order = ['registerEndpoint', 'replaceMetadata', 'createFilter', 'startBatch'];
  const last = ['deleteMetadataKey', 'unregisterEndpoint', 'deleteEndpoints', 'deleteFilter'];
  const rank = ({ operationId }: Operation) =>
    order.includes(operationId) ? order.indexOf(operationId) : order.length + 1 + last.indexOf(operationId);
  for (const operation of operations.sort((a, b) => rank(a) - rank(b))) {
    if (operation.operationId === 'streamEvents') continue; // its answer has no end
    // a cursor is good for the list that it was given with
    const parameters = operation.parameters.filter(({ name }) => name !== 'cursor');
    for (const [path, headers, body] of exampleRequests({ ...operation, parameters }, ids)) {
      const answer = await h.call(operation.method, path, body, headers);
      t.ok(answer.status < 400, `${operation.name}: ${path} ${answer.status} ${answer.text.slice(0, 300)}`);
      const { id, taskId } = (answer.json ?? {}) as { id?: string; taskId?: string };
      if (operation.operationId === 'createFilter') {
        ids['id'] = ids['filterId'] = id!;
        let status = '';
        while (status !== 'active')
          ({ status } = (await h.call('GET', `/applications/demo/filters/${id}`)).json as {
            status: string;
          });
      }
      if (taskId !== undefined) {
        ids['taskId'] = taskId;
        const status = `/endpoints/batch/status?appName=demo&taskId=${taskId}`;
        let done = { createdCount: 0, failedCount: 0 };
        while (done.createdCount + done.failedCount < 2)
          done = (await h.call('GET', status)).json as typeof done;
        t.equal(done.failedCount, 0, 'the batch registers what no other example does');
      }
    }
    // what is unregistered by one operation is wanted by another
    if (operation.operationId === 'unregisterEndpoint') {
      const register = operations.find(({ operationId }) => operationId === 'registerEndpoint')!;
      await h.call('POST', '/endpoints', register.requestBody!.content['application/json']!.example);
    }
  }
});
