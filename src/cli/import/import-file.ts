import { randomUUID } from 'node:crypto';
import { CliFailure, EXIT } from '../failure.js';
import { onInterrupt } from '../interrupt.js';
import { createProgressView } from '../progress-view.js';
import { duration, fit, grouped, printable } from '../text.js';
import { checkLine, type ImportKind } from './check-line.js';
import type { Counts } from './ledger.js';
import { progressOf } from './progress.js';
import { openLines } from './read-lines.js';
import { runImport, type ImportOptions, type ImportResult, type ImportState } from './run-import.js';

/** The flags of `epr import`. */
export interface ImportFlags {
  url: URL;
  token?: string;
  tokenFile?: string;
  as?: ImportKind;
  dryRun?: boolean;
  restart?: boolean;
  keepGoing?: boolean;
  rate?: number;
  concurrency: number;
  retryFor: number;
  failures?: string;
  tokens?: string;
}

/** `epr import`. Answers the exit code; rejects with a {@link CliFailure} for what ends it. */
export async function importFile(file: string, flags: ImportFlags): Promise<number> {
  const interrupt = onInterrupt();
  try {
    if (flags.dryRun === true) return await dryRun(file, flags.as, interrupt.first);
    return await importWithDisplay(file, flags, interrupt.first, interrupt.second);
  } finally {
    interrupt.forget();
  }
}

async function importWithDisplay(
  file: string,
  flags: ImportFlags,
  first: AbortSignal,
  second: AbortSignal,
): Promise<number> {
  const options: ImportOptions = {
    file,
    url: flags.url,
    concurrency: flags.concurrency,
    retryForMs: flags.retryFor,
    restart: flags.restart === true,
    keepGoing: flags.keepGoing === true,
    failuresFile: flags.failures ?? `${file === '-' ? 'stdin' : file}.failures.ndjson`,
    ...(file === '-' ? {} : { progressFile: `${file}.epr-progress.json` }),
    ...(flags.token === undefined ? {} : { token: flags.token }),
    ...(flags.tokenFile === undefined ? {} : { tokenFile: flags.tokenFile }),
    ...(flags.as === undefined ? {} : { as: flags.as }),
    ...(flags.rate === undefined ? {} : { rate: flags.rate }),
    ...(flags.tokens === undefined ? {} : { tokensFile: flags.tokens }),
  };
  const view = createProgressView(process.stderr);
  const watcher = {
    onStart: (state: () => ImportState) => view.start(() => progressOf(state())),
    onNotice: (text: string) => view.notice(text),
  };
  let result: ImportResult;
  try {
    result = await runImport(options, watcher, first, second);
  } finally {
    view.stop();
  }
  process.stdout.write(summaryOf(options, result));
  if (result.interrupted) return EXIT.interrupted;
  return result.counts.failed > 0 ? EXIT.someFailed : EXIT.ok;
}

function summaryOf(options: ImportOptions, result: ImportResult): string {
  const { counts, tookMs, lines, earlier } = result;
  const here = lines - (earlier?.lines ?? 0);
  const rate = tookMs > 0 ? ` (${grouped((here / tookMs) * 1000)}/s)` : '';
  const head = result.interrupted ? `Stopped after line ${grouped(lines)}: ` : '';
  const countsHere = earlier === undefined ? counts : less(counts, earlier.counts);
  let text = `${head}${grouped(here)} lines in ${duration(tookMs)}${rate}: ${describeCounts(countsHere)}.\n`;
  if (earlier !== undefined)
    text += `Before that, in earlier runs, ${grouped(earlier.lines)} lines: ${describeCounts(earlier.counts)}.\n`;
  if (counts.failed > 0) text += `Failed lines and their reasons: ${options.failuresFile}\n`;
  if (result.interrupted) {
    text +=
      options.progressFile === undefined
        ? `To go on, leave out the first ${lines} lines (tail -n +${lines + 1}).\n`
        : lines > 0
          ? 'The same command goes on from there; --restart begins again.\n'
          : 'Nothing was done.\n';
  }
  return text;
}

function less(counts: Counts, earlier: Counts): Counts {
  return {
    registered: counts.registered - earlier.registered,
    alreadyThere: counts.alreadyThere - earlier.alreadyThere,
    updated: counts.updated - earlier.updated,
    failed: counts.failed - earlier.failed,
    blank: counts.blank - earlier.blank,
  };
}

function describeCounts(counts: Counts): string {
  const parts: string[] = [];
  if (counts.registered > 0) parts.push(`${grouped(counts.registered)} registered`);
  if (counts.alreadyThere > 0) parts.push(`${grouped(counts.alreadyThere)} already there`);
  if (counts.updated > 0) parts.push(`${grouped(counts.updated)} updated`);
  if (counts.blank > 0) parts.push(`${grouped(counts.blank)} blank`);
  parts.push(`${grouped(counts.failed)} failed`);
  return parts.join(', ');
}

const SHOWN_FAULTS = 10;

/** Checks every line as far as that goes without a register, and says what an import would send. */
async function dryRun(file: string, as: ImportKind | undefined, interrupt: AbortSignal): Promise<number> {
  const source = await openLines(file, interrupt);
  const versions = new Map<string, number>();
  const found = { lines: 0, metadata: 0, blank: 0, bad: 0 };
  const seed = randomUUID();
  for await (const lines of source.chunks) {
    for (const line of lines) {
      found.lines++;
      const checked = checkLine(line, { as, seed });
      if (checked.kind === 'registration')
        versions.set(checked.versionName, (versions.get(checked.versionName) ?? 0) + 1);
      else if (checked.kind === 'bad') {
        if (++found.bad <= SHOWN_FAULTS)
          process.stderr.write(`line ${line.number}: ${printable(fit(checked.message, 400))}\n`);
      } else found[checked.kind]++;
    }
  }
  if (interrupt.aborted) throw new CliFailure(`Stopped after line ${found.lines}.`, EXIT.interrupted);
  if (found.bad > SHOWN_FAULTS) process.stderr.write(`and ${grouped(found.bad - SHOWN_FAULTS)} more\n`);
  let text = `${grouped(found.lines)} lines, nothing sent. An import would\n`;
  for (const [version, count] of versions) text += `  register ${grouped(count)} endpoints of ${version}\n`;
  if (found.metadata > 0) text += `  send ${grouped(found.metadata)} metadata updates\n`;
  if (found.bad > 0) text += `  fail ${grouped(found.bad)} lines\n`;
  if (versions.size === 0 && found.metadata === 0 && found.bad === 0) text += '  do nothing\n';
  process.stdout.write(text);
  return found.bad > 0 ? EXIT.someFailed : EXIT.ok;
}
