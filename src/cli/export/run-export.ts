import { LINE_LIMIT_BYTES } from '../import/index.js';
import { grouped } from '../text.js';
import type { Output } from './output.js';
import type { ListedEndpoint, Page } from './pages.js';

/** Where an export stands: everything up to here is written. */
export interface ExportState {
  endpoints: number;
  total: number | undefined;
  /** of the next page; null: all is written */
  cursor: string | null | undefined;
}

export interface ExportDeps {
  readPage: (cursor: string | undefined) => Promise<Page>;
  output: Output;
  /** kept up to date, page by page */
  state: ExportState;
  signal: AbortSignal;
  onPage: () => Promise<void>;
  onNotice: (text: string) => void;
}

/**
 * Writes all that follows `state.cursor`. The next page is read while one is written. Rejects when `signal` aborts, with
 * `state` true of what was written. Memory: two pages.
 */
export async function runExport(deps: ExportDeps): Promise<void> {
  const { readPage, output, state, signal } = deps;
  if (state.cursor === null) return;
  let page = await readPage(state.cursor);
  for (;;) {
    const following = page.next === undefined ? undefined : readPage(page.next);
    // told when it is awaited; until then it is not unhandled
    following?.catch(() => undefined);
    const text = linesOf(page.content, deps.onNotice);
    if (text !== '') await output.write(text);
    state.endpoints += page.content.length;
    state.total = page.total;
    state.cursor = page.next ?? null;
    signal.throwIfAborted();
    await deps.onPage();
    if (following === undefined) return;
    page = await following;
  }
}

/** Registrations as `epr import` reads them. */
function linesOf(endpoints: readonly ListedEndpoint[], onNotice: (text: string) => void): string {
  let text = '';
  for (const { appVersion, endpointId, metadata } of endpoints) {
    const line = JSON.stringify({ appVersion: { name: appVersion.name }, endpointId, metadata });
    if (line.length > LINE_LIMIT_BYTES / 4 && Buffer.byteLength(line) > LINE_LIMIT_BYTES)
      onNotice(
        `the line of ${endpointId} has ${grouped(Buffer.byteLength(line))} bytes, more than epr import takes (${grouped(LINE_LIMIT_BYTES)})`,
      );
    text += `${line}\n`;
  }
  return text;
}
