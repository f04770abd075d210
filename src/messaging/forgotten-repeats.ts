import type { Missing } from '../model/republishing.js';
import type { Repeat } from './publisher.js';

/** Finds events that a stream drops as repeats although it has them no more, as after a purge: it remembers their ids. */
export interface ForgottenRepeats {
  check(repeat: Repeat): void;
  /** Resolves when all are checked. */
  missing(): Promise<Missing[]>;
}

/** `firstSeq`: of the oldest message that a stream has; asked once for each. What can't be asked is believed to be there. */
export function createForgottenRepeats(
  firstSeq: (stream: string) => Promise<number | undefined>,
): ForgottenRepeats {
  const streams = new Map<
    string,
    { asked: Promise<void>; first?: number; early: number[]; forgotten: number }
  >();

  return {
    check({ stream, seq }) {
      let known = streams.get(stream);
      if (known === undefined) {
        const fresh = { early: [] as number[], forgotten: 0, asked: Promise.resolve() };
        fresh.asked = firstSeq(stream).then((first = 0) => {
          Object.assign(fresh, {
            first,
            forgotten: fresh.early.filter((each) => each < first).length,
            early: [],
          });
        });
        streams.set(stream, (known = fresh));
      }
      if (known.first === undefined) known.early.push(seq);
      else if (seq < known.first) known.forgotten++;
    },
    async missing() {
      const missing: Missing[] = [];
      for (const [stream, known] of streams) {
        await known.asked;
        if (known.forgotten > 0)
          missing.push({
            reason: 'dropped',
            message: `The stream ${stream} dropped ${known.forgotten} events as repeats, though it has them no more: it knows their Nats-Msg-Ids until its duplicate_window is over. Send again then.`,
          });
      }
      return missing;
    },
  };
}
