import { Query as MingoQuery } from 'mingo';
import * as siftModule from 'sift';
import type { JsonObject } from '../../src/model/json.js';

type Sift = (query: JsonObject) => (document: JsonObject) => boolean;

type Oracle = (document: JsonObject) => boolean;

export function mingoOf(query: JsonObject): Oracle {
  const compiled = new MingoQuery(query);
  return (document) => compiled.test(document);
}

export function siftOf(query: JsonObject): Oracle {
  return (siftModule.default as unknown as Sift)(query);
}

export function mingoMatches(query: JsonObject, document: JsonObject): boolean {
  return mingoOf(query)(document);
}

export function siftMatches(query: JsonObject, document: JsonObject): boolean {
  return siftOf(query)(document);
}
