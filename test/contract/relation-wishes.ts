import fc from '../fast-check.js';
import type { Wish } from './ask.js';
import { endpoint, type Part, reading, some } from './names.js';

const { constantFrom } = fc;

/** Those that are there at first. */
const present = constantFrom('e0', 'e0', 'e1', 'e1', 'e2', 'e3');
const link = fc
  .tuple(present, fc.oneof({ weight: 9, arbitrary: present }, { weight: 1, arbitrary: endpoint }))
  .map(([from, to]) => ({ type: 'contains', from: `<${from}>`, to: `<${to}>` }));
const page = some({ offset: constantFrom('0', '1'), limit: constantFrom('1', '2') });
const inheriting = constantFrom<Part>(
  { query: { include: 'inherited' } },
  { query: { include: 'inherited,city,temp' } },
);

/** Of a registration. */
export const relations = fc.array(
  fc
    .tuple(constantFrom('from', 'to'), endpoint)
    .map(([end, name]) => ({ type: 'contains', [end]: `<${name}>` })),
  { minLength: 1, maxLength: 2 },
);

export const relationWishes: fc.WeightedArbitrary<Wish>[] = [
  {
    weight: 8,
    arbitrary: fc
      .tuple(
        constantFrom('PUT /relations/link', 'PUT /relations/link', 'PUT /relations/unlink'),
        fc.array(link, { maxLength: 3, size: 'small' }),
      )
      .map(([route, body]) => ({ route, body })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(endpoint, constantFrom('contains', '!contains'), page)
      .map(([name, relation, page]) => ({
        route: 'GET /endpoints/{endpointId}/relations',
        endpointId: `<${name}>`,
        query: { relation, ...page },
      })),
  },
  {
    weight: 3,
    arbitrary: endpoint.chain((name) =>
      fc.tuple(inheriting, reading(name)).map(([query, conditions]) => ({
        route: 'GET /endpoints/{endpointId}/metadata',
        endpointId: `<${name}>`,
        ...query,
        ...conditions,
      })),
    ),
  },
];
