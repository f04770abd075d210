import { type Answered, differenceOf, expectedOf, type Wish } from './ask.js';
import type { State } from './state.js';

/** A request of one of several clients, and when it was under way, by one clock. */
export interface Exchange {
  client: number;
  wish: Wish;
  answered: Answered;
  begun: number;
  ended: number;
}

/**
 * Looks for an order of requests on one endpoint that explains every answer: a request that had ended before another one
 * was begun comes first, and the model, asked in that order, answers as the service did. `accepts` judges where it leads.
 * Answers the state after it, or undefined when there is none.
 */
export function inSomeOrder(
  exchanges: readonly Exchange[],
  state: State,
  accepts: (state: State) => boolean,
  failed = new Set<string>(),
): State | undefined {
  if (exchanges.length === 0) return accepts(state) ? state : undefined;
  const place = describe(exchanges, state);
  if (failed.has(place)) return undefined;
  for (const first of exchanges) {
    if (exchanges.some((other) => other.ended < first.begun)) continue;
    const next = state.copy();
    const expected = expectedOf(next, first.wish, first.answered);
    if (differenceOf(next, expected, first.answered) !== undefined) continue;
    const rest = exchanges.filter((each) => each !== first);
    const end = inSomeOrder(rest, next, accepts, failed);
    if (end !== undefined) return end;
  }
  failed.add(place);
  return undefined;
}

/** What is still to come, and all that answers may depend on. */
function describe(exchanges: readonly Exchange[], { endpoints, history, made }: State): string {
  const present = [...endpoints.values()].map((endpoint) => {
    const { tag, created, versionSince, metadataUpdated, metadata, version } = endpoint;
    const seen = [tag, created, versionSince, metadataUpdated].map((each) => each && made.valueOf(each));
    return [metadata, version, seen];
  });
  return JSON.stringify([exchanges.map(({ begun }) => begun), present, [...history]]);
}
