import { askDepsOf } from '../ask.js';
import { CliFailure, EXIT } from '../failure.js';
import { onInterrupt } from '../interrupt.js';
import { createProgressView, type Progress } from '../progress-view.js';
import { duration, grouped } from '../text.js';
import { openFile, openStream, removePart, type Output } from './output.js';
import { createPages } from './pages.js';
import { loadResumePoint, removeResumePoint, saveResumePoint, type ResumePoint } from './resume-file.js';
import { runExport, type ExportState } from './run-export.js';

/** The flags of `epr export`. */
export interface ExportFlags {
  url: URL;
  token?: string;
  tokenFile?: string;
  application?: string;
  appVersion?: string;
  filter?: string;
  gzip?: boolean;
  force?: boolean;
  resume?: boolean;
  retryFor: number;
}

const SAVE_EVERY_MS = 1000;

/** `epr export`. Answers the exit code; rejects with a {@link CliFailure} for what ends it. */
export async function exportFleet(file: string, flags: ExportFlags): Promise<number> {
  const wanted = {
    url: flags.url.href,
    query: queryOf(flags),
    gzip: flags.gzip === true || file.endsWith('.gz'),
  };
  const toStream = file === '-';
  if (toStream) checkStream(flags, wanted.gzip);
  const earlier = !toStream && flags.resume === true ? loadResumePoint(file, wanted) : undefined;
  const interrupt = onInterrupt();
  const closed = new AbortController();
  const signal = AbortSignal.any([interrupt.first, closed.signal]);
  const output = toStream
    ? openStream(process.stdout, { gzip: wanted.gzip, onClosed: () => closed.abort() })
    : await openFile(file, {
        gzip: wanted.gzip,
        force: flags.force === true,
        keepBytes: earlier?.bytes ?? 0,
      });
  if (!toStream && earlier === undefined) removeResumePoint(file);
  const run: Run = {
    file,
    flags,
    wanted,
    output,
    signal,
    before: earlier?.endpoints ?? 0,
    state: { endpoints: earlier?.endpoints ?? 0, total: undefined, cursor: earlier?.cursor },
  };
  try {
    await exportWithDisplay(run);
    return EXIT.ok;
  } catch (error) {
    if (closed.signal.aborted) return EXIT.ok;
    const text = toStream ? '' : await keepPlace(run);
    if (interrupt.first.aborted) {
      process.stderr.write(`Stopped after ${grouped(run.state.endpoints)} endpoints.${text}\n`);
      return EXIT.interrupted;
    }
    if (error instanceof CliFailure) throw new CliFailure(error.message + text, error.exitCode);
    throw error;
  } finally {
    await output.close();
    interrupt.forget();
  }
}

interface Run {
  file: string;
  flags: ExportFlags;
  wanted: Pick<ResumePoint, 'url' | 'query' | 'gzip'>;
  output: Output;
  signal: AbortSignal;
  /** endpoints that an earlier export wrote */
  before: number;
  state: ExportState;
}

async function exportWithDisplay(run: Run): Promise<void> {
  const { file, flags, output, state, before } = run;
  const startedMs = Date.now();
  const over = new AbortController();
  const signal = AbortSignal.any([run.signal, over.signal]);
  const view = createProgressView(process.stderr);
  const { client, patience } = askDepsOf(
    { ...flags, retryForMs: flags.retryFor },
    { signal, onNotice: (text) => view.notice(text) },
  );
  if (before > 0) view.notice(`going on after ${grouped(before)} endpoints of an earlier export`);
  view.start(() => progressOf(state, before, patience.waitingFor()));
  let savedMs = startedMs;
  try {
    await runExport({
      readPage: createPages({ client, patience, signal }, run.wanted.query),
      output,
      state,
      signal,
      onNotice: (text) => view.notice(text),
      async onPage() {
        if (file === '-' || Date.now() - savedMs < SAVE_EVERY_MS) return;
        await output.flush();
        savedMs = Date.now();
        saveResumePoint(file, pointOf(run));
      },
    });
    await output.finish();
    if (file !== '-') removeResumePoint(file);
  } finally {
    // first, so that what is still asked for is not waited for
    over.abort();
    view.stop();
    client.close();
  }
  if (state.endpoints === 0) sayNothing(flags);
  const tookMs = Date.now() - startedMs;
  const here = state.endpoints - before;
  const rate = tookMs > 0 ? ` (${grouped((here / tookMs) * 1000)}/s)` : '';
  const earlier = before > 0 ? `, after ${grouped(before)} of an earlier run` : '';
  const where = file === '-' ? '' : `: ${file}, ${grouped(output.bytes())} bytes`;
  const text = `${grouped(here)} endpoints in ${duration(tookMs)}${rate}${earlier}${where}.\n`;
  (file === '-' ? process.stderr : process.stdout).write(text);
}

/** Nothing may not be what was meant: a version of another application makes an empty list. */
function sayNothing({ application, appVersion }: ExportFlags): void {
  const asked = [
    ...(application === undefined ? [] : [`the application "${application}"`]),
    ...(appVersion === undefined ? [] : [`the version "${appVersion}"`]),
  ];
  if (asked.length === 0) return;
  process.stderr.write(
    `epr: the register has no such endpoint of ${asked.join(' and ')}; are the names right?\n`,
  );
}

function progressOf(state: ExportState, before: number, waitingFor: string | undefined): Progress {
  const { endpoints, total } = state;
  // those that are registered meanwhile come at the end, and those that go may have been written
  const fraction = total === undefined || total === 0 ? undefined : Math.min(1, endpoints / total);
  return { done: endpoints, what: 'endpoints', before, fraction, notes: [], waitingFor };
}

function pointOf({ wanted, state, output }: Run): ResumePoint {
  return { ...wanted, cursor: state.cursor ?? null, endpoints: state.endpoints, bytes: output.bytes() };
}

/** Keeps the place where the export stopped; answers what to say about it. */
async function keepPlace(run: Run): Promise<string> {
  if (run.state.cursor === undefined) {
    await removePart(run.file);
    return '';
  }
  try {
    saveResumePoint(run.file, pointOf(run));
    return ` ${grouped(run.state.endpoints)} endpoints are in ${run.file}.part; the same command with --resume goes on from there.`;
  } catch {
    return ` What was written is in ${run.file}.part.`;
  }
}

function queryOf({ application, appVersion, filter }: ExportFlags): Record<string, string> {
  const query = { applicationName: application, applicationVersionName: appVersion, filterId: filter };
  return Object.fromEntries(
    Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function checkStream(flags: ExportFlags, gzip: boolean): void {
  if (flags.resume === true)
    throw new CliFailure('--resume needs a file: standard output can not be gone on with.', EXIT.usage);
  if (gzip && process.stdout.isTTY)
    throw new CliFailure(
      'Compressed output is not for a terminal: name a file, or leave --gzip out.',
      EXIT.usage,
    );
}
