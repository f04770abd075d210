import fc from '../fast-check.js';
import type { Wish } from './ask.js';
import { changesOf, readingsOf, registrations } from './endpoint-wishes.js';
import { filterPath, filters } from './filter-wishes.js';
import { batch, deletion, list, metadataBatch } from './fleet-wishes.js';
import { MALFORMED } from './malformed.js';
import { type Arb, keyed, plainMetadata, query } from './names.js';
import { relationWishes } from './relation-wishes.js';

const { constantFrom } = fc;

/** Any request of the contract. */
const wish: Arb<Wish> = fc.oneof(
  { weight: 8, arbitrary: keyed(registrations()) },
  ...changesOf(),
  ...readingsOf(),
  ...relationWishes,
  { weight: 2, arbitrary: keyed(batch) },
  { weight: 3, arbitrary: keyed(metadataBatch) },
  { weight: 1, arbitrary: keyed(deletion) },
  { weight: 2, arbitrary: fc.constant({ route: 'again' }) },
  { weight: 9, arbitrary: list },
  ...filters,
  { weight: 2, arbitrary: constantFrom(...MALFORMED) },
);

/** What there is at first, most of the time. */
const beginning = fc.tuple(
  fc.subarray(['e0', 'e1', 'e2', 'e3'], { minLength: 2 }).chain((names) =>
    fc.tuple(
      ...names.map((name) =>
        fc
          .tuple(constantFrom('<v1>', '<v1>', '<v2>', '<w1>'), plainMetadata)
          .map(([name_, metadata]): Wish => ({
            route: 'POST /endpoints',
            body: { appVersion: { name: name_ }, endpointId: `<${name}>`, metadata },
          })),
      ),
    ),
  ),
  fc.subarray(['f0', 'f1']).chain((names) =>
    fc.tuple(
      ...names.map((name) =>
        query.map((mongoQuery): Wish => ({
          route: `POST ${filterPath}`,
          app: '<a>',
          body: { name, mongoQuery },
        })),
      ),
    ),
  ),
);

export const sequence: Arb<Wish[]> = fc
  .tuple(beginning, fc.array(wish, { minLength: 1, maxLength: 30, size: 'max' }))
  .map(([[endpoints, filters], wishes]) => [...endpoints, ...filters, ...wishes]);
