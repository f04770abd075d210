import type { IncomingMessage } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import type { HttpClient } from '../../src/cli/http.js';
import { readEvents } from '../../src/cli/sse.js';
import type { JsonObject, JsonValue } from '../../src/model/json.js';
import { relationSourceOf } from '../../src/model/relation.js';
import { within } from '../end-to-end/support/wait.js';
import { isSameJson } from './oracles.js';
import type { State } from './state.js';

/** Live events of some applications, from the moment on at which the stream was open. */
export interface LiveEvents {
  /** Resolves when an event of this endpoint or filter has come. */
  until(source: string): Promise<void>;
  /** How those of an endpoint or a filter are not what happened in the state: in their order, and folded. */
  differenceFrom(state: State, source: string): string | undefined;
  /** endpoints and filters that events have come of */
  sources(): string[];
  close(): void;
}

interface LiveEvent {
  kind: string;
  source: string;
  revision: number;
  filterId?: string;
  added?: Record<string, string | null>;
  updated?: Record<string, { oldValue: string | null; newValue: string | null }>;
  removed?: Record<string, string | null>;
  application?: string;
  endpointIds?: string[];
}

export async function followEvents(client: HttpClient, applications: readonly string[]): Promise<LiveEvents> {
  const found: LiveEvent[] = [];
  const waiting = new Map<string, () => void>();
  const query = applications.map((application) => `application=${application}`).join('&');
  const request = client.open({ method: 'GET', path: `/api/v1/events?${query}` });
  const stream = await new Promise<IncomingMessage>((resolve, reject) => {
    request.on('error', reject).on('response', resolve).end();
  });
  const reading = async (): Promise<void> => {
    for await (const { events } of readEvents(stream)) {
      for (const { event: kind, data } of events) {
        const { messageId, source, ...rest } = JSON.parse(data) as Omit<LiveEvent, 'kind' | 'revision'> & {
          messageId: string;
        };
        // an id of an endpoint may have dots in it
        const revision = Number(messageId.slice(source.length + 1).split('.')[0]);
        found.push({ ...rest, kind, source, revision });
        waiting.get(source)?.();
      }
    }
  };
  // ends with an error when it is closed
  reading().catch(() => undefined);
  return {
    until: (source) =>
      within(
        `a live event of ${source}`,
        new Promise<void>((resolve) => {
          waiting.set(source, resolve);
          if (found.some((event) => event.source === source)) resolve();
        }),
        () => found,
      ),
    differenceFrom(state, source) {
      const mine = found.filter((event) => event.source === source);
      if (source === relationSourceOf(state.world.tenant)) return relationsDifference(state, mine);
      return historyDifference(state, source, mine) ?? foldedDifference(state, source, mine);
    },
    sources: () => found.map(({ source }) => source),
    close: () => request.destroy(),
  };
}

/** Each change has one revision and its events; revisions of an endpoint have no gaps, also when it comes back. */
function historyDifference(state: State, source: string, events: readonly LiveEvent[]): string | undefined {
  const isFilter = events[0]?.kind.startsWith('filter-') === true;
  const changes: string[][] = [];
  let last = 0;
  for (const { kind, revision, filterId } of events) {
    if (revision !== last) changes.push([]);
    if (revision < last || (!isFilter && revision > last + 1))
      return `revision ${revision} comes after ${last}`;
    last = revision;
    changes.at(-1)!.push(isFilter || filterId === undefined ? kind : `${kind} ${filterId}`);
  }
  const expected = state.history.get(source) ?? [];
  const sorted = changes.map((kinds) => kinds.sort());
  return isDeepStrictEqual(sorted, expected)
    ? undefined
    : `${JSON.stringify(sorted)}; expected ${JSON.stringify(expected)}`;
}

/** What is said of changed relations, in any order. */
function relationsDifference(state: State, events: readonly LiveEvent[]): string | undefined {
  const texts = events.map(({ application, endpointIds = [] }) =>
    [application, ...endpointIds.sort()].join(),
  );
  const expected = state.relationEvents?.map((event) => event.join());
  return expected === undefined || isDeepStrictEqual(texts.sort(), expected.sort())
    ? undefined
    : `${JSON.stringify(texts)}; expected ${JSON.stringify(expected)}`;
}

/** Metadata, folded from the events, is what the endpoint has. */
function foldedDifference(state: State, source: string, events: readonly LiveEvent[]): string | undefined {
  let metadata: JsonObject = {};
  for (const { kind, added = {}, updated = {}, removed = {} } of events) {
    if (kind === 'registered') metadata = {};
    for (const [key, text] of Object.entries(removed)) {
      if (!isSameJson(metadata[key], valueOf(text))) return `removes another ${key} than there was`;
      delete metadata[key];
    }
    for (const [key, { oldValue, newValue }] of Object.entries(updated)) {
      if (!isSameJson(metadata[key], valueOf(oldValue))) return `updates another ${key} than there was`;
      metadata[key] = valueOf(newValue);
    }
    for (const [key, text] of Object.entries(added)) {
      if (Object.hasOwn(metadata, key)) return `adds ${key}, which there was`;
      metadata[key] = valueOf(text);
    }
  }
  const endpoint = state.endpoints.get(source);
  return endpoint === undefined || isSameJson(metadata, endpoint.metadata)
    ? undefined
    : `comes to ${JSON.stringify(metadata)}, not ${JSON.stringify(endpoint.metadata)}`;
}

/** JSON text; Avro null stands for JSON null. */
function valueOf(text: string | null): JsonValue {
  return text === null ? null : (JSON.parse(text) as JsonValue);
}
