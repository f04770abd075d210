import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { askDepsOf } from '../ask.js';
import { CliFailure, EXIT } from '../failure.js';
import { aborted } from '../interrupt.js';
import type { Patience } from '../patience.js';
import { checkLine, type CheckedLine, type ImportKind } from './check-line.js';
import { openFailuresFile } from './failures-file.js';
import { NO_COUNTS, createLedger, type Counts, type Ledger } from './ledger.js';
import { createMetadataStream } from './metadata-stream.js';
import { createPace } from './pace.js';
import {
  identityOf,
  loadProgress,
  removeProgress,
  saveProgress,
  type FileIdentity,
  type Progress,
} from './progress-file.js';
import { openLines, type InputLine, type LineSource } from './read-lines.js';
import { createRegisterBatches } from './register-batches.js';
import { remedyOf, watchHope } from './refusals.js';
import type { Sender } from './sender.js';
import { openTokensFile } from './tokens-file.js';

export interface ImportOptions {
  /** path, or `-` for standard input */
  file: string;
  url: URL;
  token?: string;
  tokenFile?: string;
  as?: ImportKind;
  /** lines a second */
  rate?: number;
  /** requests of up to a thousand lines on the way */
  concurrency: number;
  /** metadata lines on the way; 1000 times `concurrency` unless said */
  window?: number;
  retryForMs: number;
  /** forget what an earlier, interrupted import of this file did */
  restart: boolean;
  /** Goes through the whole file, though nothing but refusals for one reason comes back. */
  keepGoing?: boolean;
  failuresFile: string;
  /** undefined: no progress is kept (standard input) */
  progressFile?: string;
  /** where to write the tokens of registered endpoints; undefined: nowhere */
  tokensFile?: string;
}

/** What is going on, looked at by a display whenever it likes. */
export interface ImportState {
  counts: Readonly<Counts>;
  doneLine: number;
  /** read, and done or on the way */
  openedLine: number;
  /** where this run began: lines before were done by an earlier one */
  startLine: number;
  readBytes: number;
  totalBytes: number | undefined;
  waitingFor: string | undefined;
}

export interface ImportWatcher {
  onStart(state: () => ImportState): void;
  onNotice(text: string): void;
  /** a metadata line was answered, this long after it was sent */
  onAnswered?(tookMs: number): void;
}

export interface ImportResult {
  /** of this run and of the earlier ones that it goes on from */
  counts: Counts;
  /** lines done, those of earlier runs included */
  lines: number;
  /** what earlier runs did of it; undefined when this one began at the first line */
  earlier: { lines: number; counts: Counts } | undefined;
  tookMs: number;
  interrupted: boolean;
}

const SAVE_EVERY_MS = 1000;
const STOP_WAIT_MS = 2000;

/**
 * Imports a file: registrations by batch tasks, metadata updates by one streamed request. Lines of one kind are done
 * before lines of the other kind that follow them begin. Memory is bounded by what is on the way.
 * An aborted `interrupt` ends it after what is on the way (2 s at most), with the progress saved; `kill` ends it at once.
 */
export async function runImport(
  options: ImportOptions,
  watcher: ImportWatcher,
  interrupt: AbortSignal,
  kill?: AbortSignal,
): Promise<ImportResult> {
  const startedMs = Date.now();
  const identity = options.progressFile === undefined ? undefined : await identityOrUsage(options.file);
  const earlier = identity === undefined ? undefined : findProgress(options, identity);
  if (earlier !== undefined)
    watcher.onNotice(`going on after line ${earlier.line} of an earlier import (--restart begins again)`);

  const ended = new AbortController();
  const abort = kill === undefined ? ended.signal : AbortSignal.any([ended.signal, kill]);
  const source = await openLines(options.file, AbortSignal.any([interrupt, abort]));
  const failures = openFailuresFile(options.failuresFile, earlier?.failuresBytes ?? 0);
  const tokens = openTokensFile(options.tokensFile);
  const hope = watchHope();
  const ledger = createLedger(
    { line: earlier?.line ?? 0, counts: earlier?.counts ?? NO_COUNTS },
    (failure) => {
      failures.add(failure);
      if (options.keepGoing !== true) hope.failed(failure, acceptedOf(ledger.counts()));
    },
  );
  const deps = askDepsOf(options, { signal: abort, onNotice: (text) => watcher.onNotice(text) });
  const { client, patience } = deps;
  const senders: Senders = {
    registration: createRegisterBatches(deps, {
      concurrency: options.concurrency,
      onToken: tokens.add,
      onRefusedVersion: sayOnce((versionName, { code, message }) =>
        watcher.onNotice(
          `${message} The lines that register endpoints of ${versionName} fail, the others go on. ${remedyOf(code, versionName)}`,
        ),
      ),
    }),
    metadata: createMetadataStream(deps, {
      window: options.window ?? options.concurrency * 1000,
      onAnswered: (tookMs) => watcher.onAnswered?.(tookMs),
    }),
  };
  const startLine = earlier?.line ?? 0;
  watcher.onStart(() => stateOf(ledger, source, startLine, patience));

  const save = (): void => {
    if (identity === undefined || options.progressFile === undefined) return;
    if (ledger.doneLine() === 0) return;
    saveProgress(options.progressFile, {
      file: identity,
      url: options.url.href,
      line: ledger.doneLine(),
      counts: { ...ledger.counts() },
      failuresBytes: failures.length(),
    });
  };
  const saving = setInterval(save, SAVE_EVERY_MS);
  const seed = identity?.hash ?? randomUUID();
  try {
    const work = feed(source, {
      ledger,
      senders,
      startLine,
      interrupt,
      check: (line) => checkLine(line, { as: options.as, seed }),
      pace: createPace(options.rate, interrupt),
    });
    const finished = await Promise.race([
      work.then(() => true),
      aborted(interrupt).then(() => false),
      aborted(hope.hopeless).then(() => Promise.reject(hope.hopeless.reason as Error)),
    ]);
    if (!finished)
      await Promise.race([work, sleep(STOP_WAIT_MS, undefined, { ref: false })]).catch(() => undefined);
    const interruptedNow = interrupt.aborted;
    if (interruptedNow) save();
    else if (options.progressFile !== undefined) removeProgress(options.progressFile);
    return {
      counts: { ...ledger.counts() },
      lines: ledger.doneLine(),
      earlier: earlier && { lines: earlier.line, counts: earlier.counts },
      tookMs: Date.now() - startedMs,
      interrupted: interruptedNow,
    };
  } catch (error) {
    if (!hope.hopeless.aborted) {
      save();
      throw withResumption(error, ledger, options);
    }
    // nothing was done, so there is nothing to go on from
    if (options.progressFile !== undefined) removeProgress(options.progressFile);
    throw error;
  } finally {
    clearInterval(saving);
    ended.abort();
    client.close();
    failures.close(ledger.doneLine() > startLine);
    tokens.close();
  }
}

function acceptedOf({ registered, alreadyThere, updated }: Counts): number {
  return registered + alreadyThere + updated;
}

/** For each subject once. */
function sayOnce<T>(say: (subject: string, what: T) => void): typeof say {
  const said = new Set<string>();
  return (subject, what) => {
    if (said.has(subject)) return;
    said.add(subject);
    say(subject, what);
  };
}

interface Senders {
  registration: Sender<'registration'>;
  metadata: Sender<'metadata'>;
}

interface Feed {
  ledger: Ledger;
  senders: Senders;
  startLine: number;
  interrupt: AbortSignal;
  check: (line: InputLine) => CheckedLine;
  pace: () => Promise<void> | undefined;
}

async function feed(
  source: LineSource,
  { ledger, senders, startLine, interrupt, check, pace }: Feed,
): Promise<void> {
  let current: keyof Senders | undefined;
  for await (const lines of source.chunks) {
    for (const line of lines) {
      if (line.number <= startLine) continue;
      if (interrupt.aborted) break;
      await pace();
      const entry = ledger.open(line);
      const checked = check(line);
      if (checked.kind === 'blank') {
        entry.settle({ kind: 'blank' });
      } else if (checked.kind === 'bad') {
        entry.settle({ kind: 'failed', code: 'invalid-line', message: checked.message });
      } else {
        // an update may be of an endpoint that the registrations before it bring
        if (current !== undefined && current !== checked.kind) await senders[current].drain();
        current = checked.kind;
        if (checked.kind === 'registration') await senders.registration.send(entry, checked);
        else await senders.metadata.send(entry, checked);
      }
    }
  }
  if (current !== undefined) await senders[current].drain();
}

function stateOf(ledger: Ledger, source: LineSource, startLine: number, patience: Patience): ImportState {
  return {
    counts: ledger.counts(),
    doneLine: ledger.doneLine(),
    openedLine: ledger.doneLine() + ledger.openLines(),
    startLine,
    readBytes: source.readBytes(),
    totalBytes: source.totalBytes,
    waitingFor: patience.waitingFor(),
  };
}

async function identityOrUsage(file: string): Promise<FileIdentity | undefined> {
  // what is wrong with the file is said better when it is opened
  return identityOf(file).catch(() => undefined);
}

function findProgress(options: ImportOptions, identity: FileIdentity): Progress | undefined {
  if (options.progressFile === undefined || options.restart) return undefined;
  const found = loadProgress(options.progressFile);
  if (found === undefined) return undefined;
  const again = `--restart begins again at line 1; nothing is registered twice by that.`;
  if ('unreadable' in found)
    throw new CliFailure(
      `${options.progressFile} can not be used: ${found.unreadable}. ${again}`,
      EXIT.usage,
    );
  if (
    found.file.hash !== identity.hash ||
    found.file.size !== identity.size ||
    found.file.modified !== identity.modified
  ) {
    throw new CliFailure(
      `${options.file} has changed since its import was interrupted after line ${found.line}. ${again}`,
      EXIT.usage,
    );
  }
  if (found.url !== options.url.href) {
    throw new CliFailure(
      `${options.file} was being imported to ${found.url}, up to line ${found.line}; this is ${options.url.href}. ${again}`,
      EXIT.usage,
    );
  }
  return found;
}

function withResumption(error: unknown, ledger: Ledger, options: ImportOptions): unknown {
  if (!(error instanceof CliFailure)) return error;
  if (options.progressFile === undefined || ledger.doneLine() === 0) return error;
  return new CliFailure(
    `${error.message} Lines up to ${ledger.doneLine()} are done; the same command goes on from there.`,
    error.exitCode,
  );
}
