import type { Missing } from '../model/republishing.js';
import { MOST_HOLDS, type RepeatRules } from './event-sender.js';
import type { StreamMemory } from './jetstream-api.js';

/**
 * What streams still know of what is sent again. A stream drops what it got within its `duplicate_window`, also where it has
 * that before older events of the endpoint, or has it no more, as after a purge. Such events are sent until it has forgotten
 * them. That is never longer than the window, which is ten minutes at the most here: nothing new is published meanwhile.
 */
export interface KnownIds extends RepeatRules {
  /** what is waited for */
  waiting(): string;
  /** what was not waited for */
  missing(): Missing[];
}

const MOST_WINDOW_MS = 10 * 60_000;

interface Known {
  /** undefined: it is being asked, or can't be */
  memory?: StreamMemory;
  isAsked: boolean;
  dropped: number;
}

/** `ask`s once for each stream. What can't be asked is believed to be there. */
export function createKnownIds(ask: (stream: string) => Promise<StreamMemory | undefined>): KnownIds {
  const streams = new Map<string, Known>();
  const startedMs = Date.now();

  const knownOf = (stream: string): Known => {
    let known = streams.get(stream);
    if (known !== undefined) return known;
    const fresh: Known = { isAsked: false, dropped: 0 };
    void ask(stream).then((memory) => {
      if (memory !== undefined) fresh.memory = memory;
      fresh.isAsked = true;
    });
    streams.set(stream, (known = fresh));
    return known;
  };

  return {
    isLost({ stream, seq }) {
      const { memory, isAsked } = knownOf(stream);
      return !isAsked || (memory !== undefined && seq < memory.firstSeq);
    },
    isAwaited({ stream }, holds) {
      const known = knownOf(stream);
      const isSo =
        known.memory === undefined ? holds < MOST_HOLDS : known.memory.duplicateWindowMs <= MOST_WINDOW_MS;
      if (!isSo) known.dropped++;
      return isSo;
    },
    waiting() {
      const texts = [...streams].map(([stream, { memory }]) => {
        const windowMs = memory?.duplicateWindowMs;
        const until =
          windowMs === undefined
            ? 'has passed'
            : `of ${windowMs / 1000} s has passed, at ${new Date(startedMs + windowMs).toISOString()}`;
        return `The stream ${stream} drops events that must come again behind older ones, until its duplicate_window ${until}.`;
      });
      return texts.join(' ');
    },
    missing: () =>
      [...streams].flatMap(([stream, { dropped }]) =>
        dropped === 0
          ? []
          : {
              reason: 'dropped' as const,
              message: `The stream ${stream} dropped ${dropped} events as repeats, though it has them no more, or before older ones of their endpoints: it knows their Nats-Msg-Ids for longer than the ten minutes that are waited for. Give it a shorter duplicate_window (nats stream edit ${stream} --dupe-window 2m), and send again.`,
            },
      ),
  };
}
