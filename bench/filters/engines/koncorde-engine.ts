import { createRequire } from 'node:module';
import type { FilterDocument } from '../../../src/filters/index.js';
import type { JsonObject } from '../../../src/model/json.js';
import { koncordeFilter } from '../clauses.js';
import type { Engine } from './engine.js';

interface Koncorde {
  register(filter: JsonObject): string;
  remove(id: string): void;
  test(document: JsonObject): string[];
}

/**
 * koncorde, with flat documents. It tells all filters that match a document, by an id that equal filters have in common;
 * what was told of the former document is remembered as a set of ids.
 * @param folder the package
 */
export function createKoncordeEngine(folder: string): Engine {
  const { Koncorde } = createRequire(import.meta.url)(folder) as { Koncorde: new () => Koncorde };
  const engine = new Koncorde();
  const idOfNumber = new Map<number, string>();
  const numbersOfId = new Map<string, number[]>();
  const remembered = new Map<number, Set<string>>();

  function numbersOf(ids: readonly string[]): number[] {
    const numbers: number[] = [];
    for (const id of ids) for (const number of numbersOfId.get(id)!) numbers.push(number);
    return numbers;
  }

  return {
    add(filterNumber, filter) {
      const id = engine.register(koncordeFilter(filter));
      idOfNumber.set(filterNumber, id);
      const numbers = numbersOfId.get(id);
      if (numbers === undefined) numbersOfId.set(id, [filterNumber]);
      else numbers.push(filterNumber);
    },
    remove(filterNumber) {
      const id = idOfNumber.get(filterNumber)!;
      idOfNumber.delete(filterNumber);
      const numbers = numbersOfId.get(id)!;
      numbers.splice(numbers.indexOf(filterNumber), 1);
      if (numbers.length > 0) return;
      numbersOfId.delete(id);
      engine.remove(id);
    },
    prepareRegistration(document) {
      const flat = flatten(document);
      return () => numbersOf(engine.test(flat));
    },
    prepareUpdate({ endpoint, before, after }) {
      if (!remembered.has(endpoint)) remembered.set(endpoint, new Set(engine.test(flatten(before))));
      const former = remembered.get(endpoint)!;
      const flat = flatten(after);
      return () => {
        const latter = new Set(engine.test(flat));
        remembered.set(endpoint, latter);
        const matched: string[] = [];
        for (const id of latter) if (!former.has(id)) matched.push(id);
        const unmatched: string[] = [];
        for (const id of former) if (!latter.has(id)) unmatched.push(id);
        return { matched: numbersOf(matched), unmatched: numbersOf(unmatched) };
      };
    },
    forget: () => remembered.clear(),
  };
}

/** `{endpoint_id, application_version, <key>: <value>}`; objects within are flattened by koncorde itself. */
function flatten({ endpointId, applicationVersion, metadata }: FilterDocument): JsonObject {
  return { endpoint_id: endpointId, application_version: applicationVersion, ...metadata };
}
