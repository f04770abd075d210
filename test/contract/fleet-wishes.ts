import fc from '../fast-check.js';
import type { JsonObject } from '../../src/model/json.js';
import type { Wish } from './ask.js';
import { type Arb, endpoint, filter, key, metadata, query, some, token, value, version } from './names.js';

const { constantFrom } = fc;

const items = fc.uniqueArray(
  some({ endpointId: endpoint.map((name) => `<${name}>`), endpointToken: token, metadata }),
  {
    // two that want one token at once may have it in any order
    selector: ({ endpointToken }) => endpointToken ?? {},
    minLength: 1,
    maxLength: 5,
  },
);
export const batch = fc.tuple(version, items).map(([name, endpoints]): Wish => ({
  route: 'POST /endpoints/batch',
  body: { appVersion: { name }, endpoints: endpoints as JsonObject[] },
}));

const metadataItem = endpoint.chain((name) =>
  fc
    .tuple(
      metadata,
      some({
        unset: fc.array(key, { maxLength: 2 }),
        ifMatch: constantFrom('*', `<tag_${name}>`, `<tag_${name}>`, `<old_${name}>`, `W/<tag_${name}>`),
      }),
    )
    .map(([set, rest]) => ({ endpointId: `<${name}>`, set, ...rest })),
);
export const metadataBatch = fc
  .tuple(fc.array(metadataItem, { maxLength: 6 }), constantFrom('application/json', 'application/x-ndjson'))
  .map(([body, mediaType]): Wish => ({ route: 'POST /endpoints/metadata/batch', body, mediaType }));

export const deletion = fc.array(endpoint, { maxLength: 3 }).map((names): Wish => ({
  route: 'POST /endpoints/delete',
  body: { endpointIds: names.map((name) => `<${name}>`) },
}));

const operand = fc.oneof(
  value.filter((operand) => typeof operand !== 'object' || operand === null),
  fc
    .tuple(constantFrom('$gt', '$lte', '$ne', '$eq'), constantFrom(0, 1, 2, 'a', 'b'))
    .map(([name, v]) => ({ [name]: v })),
);
const metadataFilter = fc.oneof(
  fc
    .array(fc.tuple(constantFrom('city', 'temp', 'sky'), operand), { maxLength: 2 })
    .map((pairs) => JSON.stringify(Object.fromEntries(pairs))),
  fc
    .array(fc.tuple(constantFrom('city', 'temp'), constantFrom('a', 'Kyiv', '1', '2.5', 'true', 'null')), {
      minLength: 1,
      maxLength: 2,
      size: 'xsmall',
    })
    .map((pairs) => pairs.map((pair) => pair.join(':')).join(',')),
);
const sort = constantFrom(
  'createdDate',
  'createdDate,desc',
  'createdDate,asc',
  'endpointId',
  'endpointId,desc',
);
const scopes = fc.oneof(
  constantFrom(
    { tenantId: '<tenant>' },
    { applicationName: '<a>' },
    { applicationName: '<b>' },
    { applicationVersionName: '<v1>' },
    { applicationName: '<none>' },
    { tenantId: '<tenant>', applicationVersionName: '<none>' },
  ),
  constantFrom(
    { applicationName: '<a>', applicationVersionName: '<v2>' },
    { applicationName: '<a>', applicationVersionName: '<w1>' },
  ),
  filter.chain((name) =>
    constantFrom<Record<string, string>>(
      { filterId: `<${name}>` },
      { filterId: `<${name}>`, applicationName: '<a>' },
    ),
  ),
);
const text = constantFrom('a', 'Kyiv', '2', 'e_');
/** One at a time, most often: else there is nothing left. */
const narrow: Arb<Record<string, string>> = fc.oneof(
  fc.constant({}),
  { weight: 2, arbitrary: fc.record({ metadataFilter }) },
  fc.record({ multiFilter: text }),
  fc.record({ endpointId: endpoint.map((name) => `<${name}>`) }),
  fc.record({ metadataFilter, multiFilter: text }),
);
const listed = fc.tuple(
  scopes,
  narrow,
  some({ sort, include: constantFrom('metadata', 'filters', 'metadata,filters') }),
  some({ offset: fc.nat(3).map(String), limit: fc.integer({ min: 1, max: 4 }).map(String) }),
);
const endpointIds = fc.array(
  endpoint.map((name) => `<${name}>`),
  { maxLength: 3 },
);
const patterns = some({
  multiFilter: constantFrom('^k', 'B$', '[ab]', 'true|7'),
  metadataFilter: constantFrom('city:^k', '{"sky":"B"}'),
  endpointId: constantFrom('-[a-c]', 'E_F'),
});

/** Objects and numbers where a URL has texts, for those that begin so. */
function typed(parameters: Record<string, string>): JsonObject {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, text]) => {
      const isJson = text.startsWith('{') || (/^[1-3]$/.test(text) && name !== 'multiFilter');
      return [name, isJson ? (JSON.parse(text) as JsonObject) : text];
    }),
  );
}

export const list = fc.oneof(
  {
    weight: 3,
    arbitrary: listed.map((parts): Wish => ({ route: 'GET /endpoints', query: merged(parts) })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(scopes, patterns)
      .map((parts): Wish => ({ route: 'GET /endpoints', query: { ...merged(parts), regex: 'true' } })),
  },
  {
    weight: 2,
    arbitrary: listed.map(([scope, narrow, shown, { limit = '2' }]): Wish => ({
      route: 'walk',
      query: merged([scope, narrow, shown, { limit }]),
    })),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(listed, fc.oneof(fc.constant({}), fc.record({ query }), fc.record({ endpointIds })))
      .map(([[scope, narrow, ...page], asked]): Wish => ({
        route: 'POST /endpoints/search',
        body: { ...typed(merged([scope, 'endpointIds' in asked ? {} : narrow, ...page])), ...asked },
      })),
  },
);

function merged(parts: readonly Partial<Record<string, string>>[]): Record<string, string> {
  return Object.assign({}, ...parts) as Record<string, string>;
}
