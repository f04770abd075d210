import { once } from 'node:events';
import { credentialOf } from '../credential.js';
import { EXIT, codeOf } from '../failure.js';
import { onInterrupt } from '../interrupt.js';
import type { ServerSentEvent } from '../sse.js';
import { eventLine, type LiveEvent } from './event-line.js';
import { followEvents } from './follow-events.js';

/** The flags of `epr watch`. */
export interface WatchFlags {
  url: URL;
  token?: string;
  tokenFile?: string;
  application?: string;
  endpoint?: string;
  filter?: string;
  type?: string;
  json?: boolean;
}

/** `epr watch`: until Ctrl-C, or until whoever reads the output goes away. */
export async function watch(flags: WatchFlags): Promise<number> {
  const interrupt = onInterrupt();
  const closed = new AbortController();
  process.stdout.on('error', (error) => {
    if (codeOf(error) !== 'EPIPE') throw error;
    closed.abort();
  });
  const signal = AbortSignal.any([interrupt.first, closed.signal]);
  const say = (text: string): void => void process.stderr.write(`epr: ${text}\n`);
  const print = async (text: string): Promise<void> => {
    // aborts with the signal, for a pipe that closes never drains
    if (!process.stdout.write(`${text}\n`))
      await once(process.stdout, 'drain', { signal }).catch(() => undefined);
  };
  let connections = 0;
  await followEvents({
    url: flags.url,
    credential: credentialOf(flags, say),
    query: queryOf(flags),
    signal,
    onConnected: () => {
      if (connections++ > 0) say('connected again; what happened in between follows');
      else say(`connected to ${flags.url.origin}, waiting for events; Ctrl-C ends it`);
    },
    onLost: (reason) => say(`connection lost (${reason}); trying again`),
    onGap: async (gap, message) => {
      say(`events may be missing here: ${message}`);
      // a program that reads this must see where
      if (flags.json === true) await print(gap.data);
    },
    onEvents: (events) =>
      print(
        events.map((event) => (flags.json === true ? event.data : eventLine(liveEventOf(event)))).join('\n'),
      ),
  });
  interrupt.forget();
  return EXIT.ok;
}

function queryOf({ application, endpoint, filter, type }: WatchFlags): Record<string, string> {
  const query = { application, endpointId: endpoint, filterId: filter, type };
  return Object.fromEntries(
    Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

export function liveEventOf({ event, data }: ServerSentEvent): LiveEvent {
  const fields = JSON.parse(data) as Record<string, unknown>;
  return { kind: event, fields };
}
