import { Query as MingoQuery } from 'mingo';
import * as siftModule from 'sift';
import type { FilterDocument } from '../../../src/filters/index.js';
import type { JsonObject } from '../../../src/model/json.js';
import { flatQuery, storedQuery, type Filter } from '../clauses.js';
import type { Engine } from './engine.js';

type Predicate = (document: JsonObject) => boolean;

interface Form {
  queryOf: (filter: Filter) => JsonObject;
  documentOf: (document: FilterDocument) => JsonObject;
}

/** Documents as this platform's queries see them. */
export const STORED: Form = {
  queryOf: storedQuery,
  documentOf: ({ endpointId, applicationVersion, metadata }) => ({
    endpoint_id: endpointId,
    application_version: applicationVersion,
    metadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  }),
};

/** A member for each key, and queries that name it: no search for the key in a list. */
export const FLAT: Form = {
  queryOf: flatQuery,
  documentOf: ({ endpointId, applicationVersion, metadata }) => ({
    endpoint_id: endpointId,
    application_version: applicationVersion,
    ...metadata,
  }),
};

export function createSiftEngine(form: Form): Engine {
  const sift = siftModule.default as unknown as (query: JsonObject) => Predicate;
  return createPredicateEngine(sift, form);
}

export function createMingoEngine(form: Form): Engine {
  return createPredicateEngine((query) => {
    const compiled = new MingoQuery(query);
    return (document) => compiled.test(document);
  }, form);
}

/**
 * One compiled predicate a filter, all of them evaluated for a document. Which matched the former document is remembered
 * as a list in ascending order, so that comparing costs no more than the flips and the matches.
 */
function createPredicateEngine(compile: (query: JsonObject) => Predicate, form: Form): Engine {
  const predicates: (Predicate | undefined)[] = [];
  let remembered = new Map<number, number[]>();

  function findMatches(document: JsonObject): number[] {
    const found: number[] = [];
    for (let number = 0; number < predicates.length; number++)
      if (predicates[number]?.(document) === true) found.push(number);
    return found;
  }

  return {
    add: (filterNumber, filter) => void (predicates[filterNumber] = compile(form.queryOf(filter))),
    remove: (filterNumber) => void (predicates[filterNumber] = undefined),
    prepareRegistration(document) {
      const prepared = form.documentOf(document);
      return () => findMatches(prepared);
    },
    prepareUpdate({ endpoint, before, after }) {
      const former = remembered.get(endpoint) ?? findMatches(form.documentOf(before));
      const prepared = form.documentOf(after);
      return () => {
        const latter = findMatches(prepared);
        remembered.set(endpoint, latter);
        return { matched: without(latter, former), unmatched: without(former, latter) };
      };
    },
    forget: () => void (remembered = new Map()),
  };
}

/** Those of the ascending numbers that the other ascending list lacks. */
function without(numbers: readonly number[], others: readonly number[]): number[] {
  const left: number[] = [];
  let j = 0;
  for (const number of numbers) {
    while (j < others.length && others[j]! < number) j++;
    if (others[j] !== number) left.push(number);
  }
  return left;
}
