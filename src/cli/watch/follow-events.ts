import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Credential } from '../credential.js';
import { CliFailure, messageOf } from '../failure.js';
import { createHttpClient, errorOf, readBody, type HttpClient } from '../http.js';
import { readEvents, type ServerSentEvent } from '../sse.js';

export interface FollowOptions {
  url: URL;
  credential?: Credential;
  /** of `GET /events`: application, endpointId, filterId, type */
  query: Record<string, string>;
  signal: AbortSignal;
  onConnected?: () => void;
  /** said once for each time the connection breaks; it is tried again, and goes on behind the last event */
  onLost: (reason: string) => void;
  /** events may be missing before those that follow */
  onGap: (gap: ServerSentEvent, message: string) => Promise<void> | void;
  /** awaited before more is read */
  onEvents: (events: ServerSentEvent[]) => Promise<void> | void;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;
/** Streams send a heartbeat every 15 s; silence for three of them is a connection that nobody closed. */
const SILENCE_MS = 45_000;

/**
 * Follows the live events until `signal` aborts. The first connection must succeed; later ones are tried for as long
 * as it takes. Rejects with a {@link CliFailure} for what trying again does not change.
 */
export async function followEvents(options: FollowOptions): Promise<void> {
  const { signal } = options;
  const client = createHttpClient(options.url, options.credential);
  let lastId: string | undefined;
  let connectedOnce = false;
  let waitMs = FIRST_WAIT_MS;
  /** the stream ended with its token: there is nothing to be told */
  let isRenewal = false;
  try {
    while (!signal.aborted) {
      try {
        const stream = await connect(client, options, lastId);
        connectedOnce = true;
        waitMs = FIRST_WAIT_MS;
        if (!isRenewal) options.onConnected?.();
        isRenewal = false;
        let reason = 'the register closed the stream';
        for await (const all of readEvents(stream)) {
          await handOver(all.events, options);
          lastId = all.lastId ?? lastId;
          reason = dropReason(all.events) ?? reason;
        }
        isRenewal = client.isEnding();
        if (isRenewal) continue;
        if (!signal.aborted) options.onLost(reason);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof CliFailure) throw error;
        if (!connectedOnce)
          throw new CliFailure(
            `No answer from ${options.url.origin} (${messageOf(error)}). Is the register running there? --url names another.`,
          );
        if (waitMs === FIRST_WAIT_MS) options.onLost(messageOf(error));
        isRenewal = false;
      }
      await sleep(waitMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
      waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2);
    }
  } finally {
    client.close();
  }
}

/** In their order: what is of the stream itself is no event. */
async function handOver(all: readonly ServerSentEvent[], options: FollowOptions): Promise<void> {
  let events: ServerSentEvent[] = [];
  for (const each of all) {
    if (each.event === 'dropped') continue;
    if (each.event !== 'gap') {
      events.push(each);
      continue;
    }
    if (events.length > 0) await options.onEvents(events);
    events = [];
    await options.onGap(each, (JSON.parse(each.data) as { message?: string }).message ?? '');
  }
  if (events.length > 0) await options.onEvents(events);
}

async function connect(
  client: HttpClient,
  options: FollowOptions,
  lastId: string | undefined,
  isLast = false,
): Promise<IncomingMessage> {
  const { query, signal } = options;
  await client.ready();
  const token = client.token();
  const search = new URLSearchParams(query).toString();
  const stream = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = client.open({
      method: 'GET',
      path: `/api/v1/events${search === '' ? '' : `?${search}`}`,
      headers: { accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) },
      signal,
    });
    request.setTimeout(SILENCE_MS, () =>
      request.destroy(new Error(`nothing was heard for ${SILENCE_MS / 1000} s`)),
    );
    request.on('error', reject).on('response', resolve).end();
  });
  const status = stream.statusCode ?? 0;
  if (status === 200) return stream;
  const body = await readBody(stream);
  if (status === 401 && !isLast) {
    await client.refused(token, { status, body });
    return connect(client, options, lastId, true);
  }
  const { message } = errorOf({ status, body });
  if (status >= 500 || status === 429) throw new Error(`${status}: ${message}`);
  throw new CliFailure(`The register refuses the stream (${status}): ${message}`);
}

/** The register says why it ends a stream by a last event of its own kind. */
function dropReason(events: ServerSentEvent[]): string | undefined {
  const last = events.find(({ event }) => event === 'dropped');
  return last === undefined ? undefined : (JSON.parse(last.data) as { reason?: string }).reason;
}
