import type { History } from './history.js';
import { type LineAnswer, type LineStream, openLineStream } from './line-stream.js';
import { revisionOf } from './rest.js';
import type { Observation } from './weather.js';

/** Observations through streamed requests, one for each part; what is answered goes into the history. */
export interface Replay {
  /** Sends what is left up to that line, all at once; resolves when it is answered. */
  runTo(line: number): Promise<void>;
  /** Resolves when that many lines are answered. */
  untilAnswered(count: number): Promise<void>;
  /** how many lines are written, and answered, now */
  mark(): Mark;
  /** the revision of each endpoint when the first lines, that many, had been carried out */
  revisionsAt(lines: number): (endpointId: string) => number;
}

export interface Mark {
  written: number;
  answered: number;
}

const LINES_AT_ONCE = 64;

export function createReplay(url: string, observations: readonly Observation[], history: History): Replay {
  const revisions: number[] = [];
  let fault: Error | undefined;
  /** lines of the parts before */
  let before = 0;
  let stream: LineStream | undefined;

  const take = (answer: LineAnswer, line: number): void => {
    const { endpointId, set } = observations[line]!;
    try {
      if (answer.status !== 200 || answer.endpointId !== endpointId)
        throw new Error(`line ${line} of ${endpointId} was answered ${JSON.stringify(answer)}`);
      const revision = revisionOf(answer.etag);
      revisions[line] = revision;
      history.take(endpointId, set, revision);
    } catch (error) {
      fault ??= error as Error;
    }
  };

  return {
    async runTo(end) {
      const first = before;
      const part = openLineStream(url, (answer, line) => take(answer, first + line));
      stream = part;
      for (let at = first; at < end; at += LINES_AT_ONCE)
        await part.write(observations.slice(at, Math.min(end, at + LINES_AT_ONCE)));
      await part.end();
      before = end;
      stream = undefined;
      if (fault !== undefined) throw fault;
    },
    untilAnswered: async (count) => stream?.untilAnswered(count - before),
    mark: () => ({
      written: before + (stream?.written() ?? 0),
      answered: before + (stream?.answered() ?? 0),
    }),
    revisionsAt(lines) {
      const at = new Map<string, number>();
      for (let line = 0; line < lines; line++) at.set(observations[line]!.endpointId, revisions[line]!);
      return (endpointId) => at.get(endpointId) ?? 1;
    },
  };
}
