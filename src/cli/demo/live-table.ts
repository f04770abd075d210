import type { Screen } from '../progress-view.js';
import { duration, fit, grouped } from '../text.js';

/** What the table shows, looked at each time it is drawn. */
export interface ReplayState {
  done: number;
  total: number;
  elapsedMs: number;
  ratePerSecond: number;
  p50Ms: number | undefined;
  p99Ms: number | undefined;
  events: ReadonlyMap<string, number>;
  filters: { name: string; members: number }[];
}

export interface LiveTable {
  start(state: () => ReplayState): void;
  /** draws it once more and leaves it */
  stop(): void;
}

const DRAW_EVERY_MS = 200;
const PLAIN_EVERY_MS = 2000;
const COLUMNS = 3;
const COLUMN_WIDTH = 25;
const BAR_WIDTH = 30;

export type TableScreen = Screen & { rows?: number | undefined };

/** Whether it is a terminal, and large enough for the table. */
export function showsTable(screen: TableScreen): boolean {
  return (
    screen.isTTY === true && (screen.columns ?? 80) >= COLUMNS * COLUMN_WIDTH + 2 && (screen.rows ?? 24) >= 16
  );
}

/** Drawn again in its place on a terminal that is large enough; a plain line now and then elsewhere. */
export function createLiveTable(screen: TableScreen): LiveTable {
  const large = showsTable(screen);
  let timer: NodeJS.Timeout | undefined;
  let look: (() => ReplayState) | undefined;
  let height = 0;
  const draw = (): void => {
    if (look === undefined) return;
    const state = look();
    if (!large) return void screen.write(`  ${plainLine(state)}\n`);
    const lines = tableLines(state).map((line) => fit(line, (screen.columns ?? 80) - 1));
    const up = height > 0 ? `\u001b[${height}A` : '';
    screen.write(`${up}\r${lines.map((line) => `${line}\u001b[K\n`).join('')}`);
    height = lines.length;
  };
  return {
    start(state) {
      look = state;
      if (large) draw();
      timer = setInterval(draw, large ? DRAW_EVERY_MS : PLAIN_EVERY_MS);
    },
    stop() {
      clearInterval(timer);
      draw();
      look = undefined;
    },
  };
}

export function tableLines(state: ReplayState): string[] {
  const share = state.total === 0 ? 1 : state.done / state.total;
  const filled = Math.round(share * BAR_WIDTH);
  const bar = `[${'='.repeat(filled)}${' '.repeat(BAR_WIDTH - filled)}]`;
  const lines = [
    '',
    `  ${bar} ${grouped(state.done)} of ${grouped(state.total)}   ${grouped(state.ratePerSecond)}/s   ${duration(state.elapsedMs)}`,
    `  answered after  p50 ${milliseconds(state.p50Ms)}  p99 ${milliseconds(state.p99Ms)}`,
    `  events          ${describeEvents(state.events)}`,
    '',
  ];
  return [...lines, ...memberLines(state.filters)];
}

/** The filters and their members, in columns that are read downwards. */
export function memberLines(filters: ReplayState['filters']): string[] {
  const lines: string[] = [];
  const perColumn = Math.ceil(filters.length / COLUMNS);
  for (let row = 0; row < perColumn; row++) {
    let line = '  ';
    for (let column = 0; column < COLUMNS; column++) {
      const filter = filters[column * perColumn + row];
      if (filter === undefined) continue;
      const members = grouped(filter.members);
      line += `${fit(filter.name, 16).padEnd(16)}${members.padStart(7)}`.padEnd(COLUMN_WIDTH);
    }
    lines.push(line.trimEnd());
  }
  return lines;
}

function plainLine(state: ReplayState): string {
  const events = [...state.events.values()].reduce((sum, count) => sum + count, 0);
  return `${grouped(state.done)} of ${grouped(state.total)}, ${grouped(state.ratePerSecond)}/s, p50 ${milliseconds(state.p50Ms)}, p99 ${milliseconds(state.p99Ms)}, ${grouped(events)} events`;
}

const SHOWN_KINDS = ['metadata-updated', 'ep-matched', 'ep-unmatched'];

export function describeEvents(events: ReadonlyMap<string, number>): string {
  return SHOWN_KINDS.map((kind) => `${grouped(events.get(kind) ?? 0)} ${kind}`).join(', ');
}

export function milliseconds(ms: number | undefined): string {
  return ms === undefined ? '-' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
