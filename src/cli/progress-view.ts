import { duration, fit, grouped } from './text.js';

/** Where a long command stands. */
export interface Progress {
  done: number;
  /** what is counted, in the plural */
  what: string;
  /** of `done`, what was done before this run began */
  before: number;
  /** 0 to 1; undefined: the end is not known */
  fraction: number | undefined;
  /** more to say, such as `3 failed` */
  notes: readonly string[];
  /** why it stands still */
  waitingFor: string | undefined;
}

/** Shows how a command goes: a bar that is drawn again on a terminal, a plain line now and then elsewhere. */
export interface ProgressView {
  start(progress: () => Progress): void;
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
/** where a terminal does not say how wide it is, or says 0 */
const UNTOLD_COLUMNS = 80;

export function createProgressView(screen: Screen): ProgressView {
  const terminal = screen.isTTY === true;
  let timer: NodeJS.Timeout | undefined;
  let drawn = false;
  const clear = (): void => {
    if (drawn) screen.write('\r\u001b[K');
    drawn = false;
  };
  return {
    start(progress) {
      const rate = createRate();
      const draw = (): void => {
        const now = progress();
        const text = describe(now, rate(now.done - now.before), terminal);
        if (terminal) {
          screen.write(`\r${fit(text, (screen.columns || UNTOLD_COLUMNS) - 1)}\u001b[K`);
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

/** One line of where a command stands. `ratePerSecond` is undefined at the very beginning. */
export function describe(
  { done, what, fraction, notes, waitingFor }: Progress,
  ratePerSecond: number | undefined,
  withBar: boolean,
): string {
  const parts = [`${grouped(done)} ${what}`];
  if (ratePerSecond !== undefined && ratePerSecond > 0) {
    parts.push(`${grouped(ratePerSecond)}/s`);
    if (fraction !== undefined && fraction > 0)
      parts.push(`${duration(((done / fraction - done) / ratePerSecond) * 1000)} left`);
  }
  parts.push(...notes);
  if (waitingFor !== undefined) parts.push(`waiting: ${waitingFor}`);
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
