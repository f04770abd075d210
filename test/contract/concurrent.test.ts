import fc from '../fast-check.js';
import { type Answered, ask, type Wish } from './ask.js';
import { changesOf, readingsOf } from './endpoint-wishes.js';
import { fill } from './fill.js';
import { key, plainMetadata, query, value } from './names.js';
import { tryOnKeepers } from './properties.js';
import { beginRun, type Run } from './run.js';
import type { ContractService } from './service.js';
import { type Exchange, inSomeOrder } from './some-order.js';
import type { State } from './state.js';

const endpoint = fc.constantFrom('e0', 'e0', 'e1');
const registration = fc
  .tuple(fc.constantFrom('<v1>', '<v1>', '<v2>', '<w1>'), endpoint, plainMetadata)
  .map(([name, id, metadata]): Wish => ({
    route: 'POST /endpoints',
    body: { appVersion: { name }, endpointId: `<${id}>`, metadata },
  }));
/** One item, so that it is a request on one endpoint. */
const batch = fc
  .tuple(endpoint, key, value, fc.constantFrom({}, { ifMatch: '<tag>' }))
  .map(([id, key, value, condition]): Wish => {
    const ifMatch = 'ifMatch' in condition ? { ifMatch: `<tag_${id}>` } : {};
    return {
      route: 'POST /endpoints/metadata/batch',
      body: [{ endpointId: `<${id}>`, set: { [key]: value }, ...ifMatch }],
      mediaType: 'application/x-ndjson',
    };
  });
const request = fc.oneof(
  { weight: 3, arbitrary: registration },
  { weight: 4, arbitrary: batch },
  ...changesOf(endpoint),
  ...readingsOf(endpoint).slice(0, 3),
);
const clients = fc.record({
  registered: fc.array(registration, { maxLength: 2 }),
  query,
  clients: fc.array(fc.array(request, { minLength: 1, maxLength: 5 }), { minLength: 2, maxLength: 5 }),
});

tryOnKeepers(
  'concurrent',
  'what several clients do at once is explained by some order',
  { embedded: 100, mongodb: 60 },
  clients,
  async (service, { registered, query, clients }) => {
    const run = await beginRun(service);
    try {
      const draft = { name: 'f0', mongoQuery: query };
      await run.carryOut({ route: 'POST /applications/{app}/filters', app: '<a>', body: draft });
      for (const wish of registered) await run.carryOut(wish);
      const exchanges = await carryOutAtOnce(service, run, clients);
      const events = await run.untilHeard();
      for (const [endpointId, mine] of exchanges) {
        const before = run.state.of(endpointId);
        const accepts = (state: State) => events.differenceFrom(state, endpointId) === undefined;
        if (inSomeOrder(mine, before, accepts) !== undefined) continue;
        const end = inSomeOrder(mine, before, () => true);
        const why =
          end === undefined
            ? 'no order of the requests explains the answers'
            : `the live events: ${events.differenceFrom(end, endpointId)}`;
        throw new Error([`${endpointId}: ${why}`, ...mine.map((each) => JSON.stringify(each))].join('\n'));
      }
    } finally {
      run.close();
    }
  },
);

/** Each client sends its requests one after the other, all clients at once; then each endpoint is read. By endpoint. */
async function carryOutAtOnce(
  service: ContractService,
  run: Run,
  clients: readonly (readonly Wish[])[],
): Promise<Map<string, Exchange[]>> {
  const exchanges = new Map<string, Exchange[]>();
  let clock = 0;
  const names = run.names;
  async function carryOut(generated: Wish, client: number, tags: Map<string, string[]>): Promise<void> {
    const wish = await fill(generated, (name) => {
      const [, of = '', source = ''] = /^(tag|old)_(.*)$/.exec(name) ?? [];
      const known = tags.get(names.get(source) ?? '');
      return of === '' ? names.get(name)! : (known?.at(of === 'tag' ? -1 : -2) ?? '"none"');
    });
    const begun = clock++;
    const answered = await ask(service.client, wish);
    const endpointId = endpointOf(wish);
    const exchange = { client, wish, answered, begun, ended: clock++ };
    exchanges.set(endpointId, [...(exchanges.get(endpointId) ?? []), exchange]);
    const etag = etagIn(answered);
    if (etag !== undefined) tags.set(endpointId, [...(tags.get(endpointId) ?? []), etag]);
  }
  await Promise.all(
    clients.map(async (wishes, client) => {
      const tags = new Map<string, string[]>();
      for (const wish of wishes) await carryOut(wish, client, tags);
    }),
  );
  for (const endpointId of [...exchanges.keys()]) {
    const wish = { route: 'GET /endpoints/{endpointId}', endpointId };
    const all = { query: { include: 'metadata,filters' } };
    await carryOut({ ...wish, ...all }, clients.length, new Map());
    await carryOut({ ...wish, route: `${wish.route}/metadata` }, clients.length, new Map());
  }
  return exchanges;
}

function endpointOf({ endpointId, body }: Wish): string {
  const named = (Array.isArray(body) && endpointId === undefined ? body[0] : body) as { endpointId?: string };
  return endpointId ?? named.endpointId!;
}

/** Of the answer, or of the one result in it. */
function etagIn({ etag, body }: Answered): string | undefined {
  return etag ?? (Array.isArray(body) ? (body[0] as { etag?: string } | undefined)?.etag : undefined);
}
