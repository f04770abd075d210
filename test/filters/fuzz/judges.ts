import { MongoClient } from 'mongodb';
import type { FilterDocument } from '../../../src/filters/index.js';
import type { JsonObject } from '../../../src/model/json.js';
import { mingoOf, siftOf } from '../oracles.js';
import { storedForm } from '../random-queries.js';
import { referenceMatches } from '../reference.js';
import { MINGO_LEFT_OUT, SIFT_LEFT_OUT } from './left-out/libraries.js';
import { SERVER_LEFT_OUT } from './left-out/server.js';
import type { LeftOut } from './left-out/traits.js';

/** Someone else who says what a filter matches. */
export interface Judge {
  readonly name: string;
  /** where its word is not asked */
  readonly leftOut: readonly LeftOut[];
  /** The documents that are asked about next. */
  show(docs: readonly FilterDocument[]): Promise<void>;
  /**
   * Of each document shown, whether the filter matches it, or how it failed; of those that are not `wanted` any answer
   * will do.
   */
  ask(filter: JsonObject, wanted: readonly boolean[]): Promise<(boolean | string)[]>;
}

function libraryJudge(
  name: string,
  leftOut: readonly LeftOut[],
  compile: (filter: JsonObject) => (stored: JsonObject) => boolean,
): Judge {
  let shown: JsonObject[] = [];
  return {
    name,
    leftOut,
    show: async (docs) => {
      shown = docs.map(storedForm);
    },
    ask: async (filter, wanted) => {
      try {
        const matches = compile(filter);
        return shown.map((stored, i) => wanted[i]! && answerOf(() => matches(stored)));
      } catch (error) {
        return shown.map(() => failureOf(error));
      }
    },
  };
}

function answerOf(ask: () => boolean): boolean | string {
  try {
    return ask();
  } catch (error) {
    return failureOf(error);
  }
}

function failureOf(error: unknown): string {
  return `it fails: ${(error as Error).message}`;
}

/** Those that need no server. `rules`: MongoDB's rules as transcribed here, which is asked about everything. */
export function libraryJudges(): Judge[] {
  return [
    libraryJudge('mingo', MINGO_LEFT_OUT, mingoOf),
    libraryJudge('sift', SIFT_LEFT_OUT, siftOf),
    libraryJudge('rules', [], (filter) => (stored) => referenceMatches(filter, stored)),
  ];
}

/** A MongoDB server. A real one is asked about everything. */
export async function serverJudge(url: string, isReal: boolean): Promise<Judge & { close(): Promise<void> }> {
  const client = await new MongoClient(url, { maxPoolSize: 4 }).connect();
  const shown = client.db().collection<{ _id: number }>('documents');
  return {
    name: 'server',
    leftOut: isReal ? [] : SERVER_LEFT_OUT,
    show: async (docs) => {
      await shown.deleteMany({});
      await shown.insertMany(docs.map((doc, i) => ({ ...storedForm(doc), _id: i })));
    },
    ask: async (filter, wanted) => {
      // A document that it is not asked about must not be looked at: it may fail there.
      const ids = wanted.flatMap((isWanted, i) => (isWanted ? [i] : []));
      const asked = ids.length === wanted.length ? filter : { $and: [{ _id: { $in: ids } }, filter] };
      const cursor = shown
        .find(asked)
        .project<{ _id: number }>({ _id: 1 })
        .batchSize(wanted.length + 1);
      const found = await cursor.toArray().catch(failureOf);
      if (typeof found === 'string') return wanted.map(() => found);
      const numbers = new Set(found.map(({ _id }) => _id));
      return wanted.map((_, i) => numbers.has(i));
    },
    close: () => client.close(),
  };
}
