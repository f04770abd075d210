import { duration, fit, grouped } from '../text.js';
import type { ImportState } from './run-import.js';

/** Shows how an import goes: a bar that is drawn again on a terminal, a plain line now and then elsewhere. */
export interface ProgressView {
  start(state: () => ImportState): void;
  notice(text: string): void;
  stop(): void;
}

export interface Screen {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write(text: string): unknown;
}

const DRAW_EVERY_MS = 100;
const PLAIN_EVERY_MS = 5000;
/** the rate is that of the last seconds */
const RATE_OVER_MS = 5000;
const BAR_WIDTH = 24;

export function createProgressView(screen: Screen): ProgressView {
  const terminal = screen.isTTY === true;
  let timer: NodeJS.Timeout | undefined;
  let drawn = false;
  const clear = (): void => {
    if (drawn) screen.write('\r\u001b[K');
    drawn = false;
  };
  return {
    start(state) {
      const rate = createRate();
      const draw = (): void => {
        const now = state();
        const text = describe(now, rate(now.doneLine - now.startLine), terminal);
        if (terminal) {
          screen.write(`\r${fit(text, (screen.columns ?? 80) - 1)}\u001b[K`);
          drawn = true;
        } else {
          screen.write(`${text}\n`);
        }
      };
      timer = setInterval(draw, terminal ? DRAW_EVERY_MS : PLAIN_EVERY_MS);
      if (terminal) draw();
    },
    notice(text) {
      clear();
      screen.write(`epr: ${text}\n`);
    },
    stop() {
      clearInterval(timer);
      clear();
    },
  };
}

/** One line of where an import stands. `ratePerSecond` is undefined at the very beginning. */
export function describe(state: ImportState, ratePerSecond: number | undefined, withBar: boolean): string {
  const { counts, doneLine, totalBytes } = state;
  // what was read and is still on the way counts as not done
  const fraction =
    totalBytes === undefined || state.openedLine === 0
      ? undefined
      : (state.readBytes / totalBytes) * (doneLine / state.openedLine);
  const parts = [`${grouped(doneLine)} lines`];
  if (ratePerSecond !== undefined && ratePerSecond > 0) {
    parts.push(`${grouped(ratePerSecond)}/s`);
    if (fraction !== undefined && fraction > 0)
      parts.push(`${duration(((doneLine / fraction - doneLine) / ratePerSecond) * 1000)} left`);
  }
  parts.push(`${grouped(counts.failed)} failed`);
  if (state.waitingFor !== undefined) parts.push(`waiting: ${state.waitingFor}`);
  const percent = fraction === undefined ? '' : `${Math.floor(fraction * 100)}%`.padStart(4);
  if (!withBar) return [percent.trim(), ...parts].filter((part) => part !== '').join(', ');
  const filled = fraction === undefined ? 0 : Math.round(fraction * BAR_WIDTH);
  const bar =
    fraction === undefined ? '' : `[${'='.repeat(filled)}${' '.repeat(BAR_WIDTH - filled)}]${percent}  `;
  return bar + parts.join('  ');
}

function createRate(): (done: number) => number | undefined {
  const samples: { atMs: number; done: number }[] = [{ atMs: performance.now(), done: 0 }];
  return (done) => {
    const now = performance.now();
    samples.push({ atMs: now, done });
    while (samples.length > 2 && samples[1]!.atMs < now - RATE_OVER_MS) samples.shift();
    const first = samples[0]!;
    return now - first.atMs < 200 ? undefined : ((done - first.done) / (now - first.atMs)) * 1000;
  };
}
