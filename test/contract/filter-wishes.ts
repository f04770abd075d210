import fc from '../fast-check.js';
import type { Wish } from './ask.js';
import { app, type Arb, filter, keyed, matching, type Part, query, some } from './names.js';

const { constantFrom } = fc;

const description = constantFrom('', 'd');
const mongoQuery = fc.oneof(
  { weight: 3, arbitrary: query },
  { weight: 1, arbitrary: query.map((query) => JSON.stringify(query)) },
);
/** A request on one of the filters, under its application or another. */
function onFilter(route: string, part: Arb<Part>, conditions: (source: string) => Arb<Part>): Arb<Wish> {
  return fc
    .tuple(filter, app)
    .chain(([name, app]) =>
      fc
        .tuple(part, conditions(name))
        .map(([fields, headers]) => ({ route, app, id: `<${name}>`, ...fields, ...headers })),
    );
}
export const filterPath = '/applications/{app}/filters';
export const filters: fc.WeightedArbitrary<Wish>[] = [
  {
    weight: 5,
    arbitrary: keyed(
      fc
        .tuple(app, fc.record({ name: filter, mongoQuery }), some({ description }))
        .map(([app, draft, rest]): Wish => ({
          route: `POST ${filterPath}`,
          app,
          body: { ...draft, ...rest },
        })),
    ),
  },
  {
    weight: 2,
    arbitrary: app.map((app): Wish => ({ route: 'GET /applications/{app}/metadata-keys', app })),
  },
  { weight: 2, arbitrary: onFilter(`GET ${filterPath}/{id}`, fc.constant({}), () => fc.constant({})) },
  {
    weight: 3,
    arbitrary: onFilter(
      `PATCH ${filterPath}/{id}`,
      some({ name: filter, description, mongoQuery }).map((body) => ({ body: body })),
      matching,
    ),
  },
  { weight: 2, arbitrary: onFilter(`DELETE ${filterPath}/{id}`, fc.constant({}), matching) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        app,
        some({ name: constantFrom('f', '1'), offset: constantFrom('0', '1'), limit: constantFrom('1', '2') }),
      )
      .map(([app, query]): Wish => ({
        route: `GET ${filterPath}`,
        app,
        query: query,
      })),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(app, query, some({ sampleSize: fc.nat(3) })).map(([app, mongoQuery, rest]): Wish => ({
      route: `POST ${filterPath}/preview`,
      app,
      body: { mongoQuery, ...rest },
    })),
  },
];
