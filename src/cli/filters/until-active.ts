import { setTimeout as sleep } from 'node:timers/promises';
import { CliFailure } from '../failure.js';
import type { Progress } from '../progress-view.js';
import { grouped } from '../text.js';
import type { SavedFilter } from './difference.js';
import type { RegisterFilters } from './register-filters.js';

const FIRST_POLL_MS = 50;
const LONGEST_POLL_MS = 1000;
const AT_ONCE = 16;

/** How the evaluation of pending filters goes. */
export interface Waiting {
  progress(): Progress;
  /** Resolves when all are active. Rejects with a {@link CliFailure} for one that never will be, and when `signal` aborts. */
  done: Promise<void>;
}

export function untilActive(
  filters: RegisterFilters,
  all: readonly SavedFilter[],
  { signal, waitingFor }: { signal: AbortSignal; waitingFor: () => string | undefined },
): Waiting {
  let pending = all.filter(({ status }) => status === 'pending');
  const look = async ({ id, name }: SavedFilter): Promise<SavedFilter> => {
    const found = await filters.get(id);
    if (found === undefined)
      throw new CliFailure(`The filter ${JSON.stringify(name)} was deleted by somebody else meanwhile.`);
    if (found.filter.fault !== undefined)
      throw new CliFailure(
        `The filter ${JSON.stringify(name)} stays pending, for the register can not read its query: ${found.filter.fault}`,
      );
    return found.filter;
  };
  const wait = async (): Promise<void> => {
    for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(LONGEST_POLL_MS, pollMs * 1.5)) {
      const left: SavedFilter[] = [];
      let asked = 0;
      for (let news = true; news && asked < pending.length; asked += AT_ONCE) {
        const found = await Promise.all(pending.slice(asked, asked + AT_ONCE).map(look));
        const still = found.filter(({ status }) => status === 'pending');
        left.push(...still);
        // many become active together: where none has, those behind them are asked for later
        news = still.length < found.length;
      }
      pending = left.concat(pending.slice(asked));
      if (pending.length === 0) return;
      await sleep(pollMs, undefined, { signal });
    }
  };
  return {
    done: wait(),
    progress() {
      const shown = pending.find(({ progress }) => progress?.state === 'evaluating') ?? pending[0];
      const { evaluated = 0, total = 0, state } = shown?.progress ?? {};
      const active = `${grouped(all.length - pending.length)} of ${grouped(all.length)} filters active`;
      return {
        done: evaluated,
        what: 'evaluated',
        before: 0,
        fraction: total === 0 ? undefined : Math.min(1, evaluated / total),
        notes: state === 'waiting' ? [active, 'about to begin'] : [active],
        waitingFor: waitingFor(),
      };
    },
  };
}
