import { hintsOf } from '../../filters/index.js';
import { askDepsOf } from '../ask.js';
import { CliFailure, EXIT } from '../failure.js';
import { addressOf } from '../address.js';
import { onInterrupt } from '../interrupt.js';
import { createProgressView } from '../progress-view.js';
import { duration, grouped, printable } from '../text.js';
import { applyChanges, summaryOf } from './apply-changes.js';
import { confirm } from './confirm.js';
import { compare, type Difference, isDifferent, renderDifference, type SavedFilter } from './difference.js';
import { type FilterFile, readFilterFile } from './filter-file.js';
import { createRegisterFilters, type RegisterFilters } from './register-filters.js';
import { untilActive } from './until-active.js';

/** The flags of `epr filters`. */
export interface FiltersFlags {
  url: URL;
  token?: string;
  tokenFile?: string;
  application?: string;
  prune?: boolean;
  yes?: boolean;
  dryRun?: boolean;
  wait: boolean;
  retryFor: number;
}

const SHOWN_HINTS = 20;

/** What `--dry-run` answers when there is something to do. */
const DIFFERENT = 2;

/** `epr filters`. Answers the exit code; rejects with a {@link CliFailure} for what ends it. */
export async function applyFilters(file: string, flags: FiltersFlags): Promise<number> {
  const wanted = readFilterFile(file, flags.application);
  const prune = flags.prune === true;
  const interrupt = onInterrupt();
  const view = createProgressView(process.stderr);
  const deps = askDepsOf(
    { ...flags, retryForMs: flags.retryFor },
    { signal: interrupt.first, onNotice: (text) => view.notice(text) },
  );
  let stage = 'Nothing was changed.';
  try {
    const filters = createRegisterFilters(deps, wanted.application);
    const difference = compare(wanted.filters, await filters.list());
    process.stdout.write(`Filters of ${wanted.application} at ${addressOf(flags.url)}\n`);
    process.stdout.write(renderDifference(difference, prune));
    for (const hint of hintsFor(difference, wanted)) process.stderr.write(`${hint}\n`);
    const different = isDifferent(difference, prune);
    if (flags.dryRun === true) return different ? DIFFERENT : EXIT.ok;
    const there = difference.unchanged;
    if (!different) return await wait(filters, there, []);
    if (flags.yes !== true && !(await isWanted(interrupt.first))) {
      process.stdout.write(`${stage}\n`);
      return EXIT.failed;
    }
    stage = 'Some changes may have been made; run this again to see which are left.';
    const applied = await applyChanges(filters, difference, { file: wanted, prune });
    process.stdout.write(summaryOf(applied));
    for (const failure of applied.failures) process.stderr.write(`epr: ${failure}\n`);
    stage = 'The changes are made; the register goes on evaluating the filters by itself.';
    return await wait(filters, [...there, ...applied.saved], applied.failures);
  } catch (error) {
    if (!interrupt.first.aborted && !isAbort(error)) throw error;
    view.stop();
    process.stderr.write(`Stopped. ${stage}\n`);
    return EXIT.interrupted;
  } finally {
    view.stop();
    deps.client.close();
    interrupt.forget();
  }

  async function wait(
    filters: RegisterFilters,
    all: readonly SavedFilter[],
    failures: readonly string[],
  ): Promise<number> {
    const code = failures.length > 0 ? EXIT.failed : EXIT.ok;
    if (!flags.wait || all.every(({ status }) => status === 'active')) return code;
    const startedMs = Date.now();
    const waiting = untilActive(filters, all, {
      signal: interrupt.first,
      waitingFor: () => deps.patience.waitingFor(),
    });
    view.start(() => waiting.progress());
    await waiting.done;
    view.stop();
    const took = duration(Date.now() - startedMs);
    process.stdout.write(`${grouped(all.length)} filters active, after ${took}.\n`);
    return code;
  }
}

/** Where queries that would be saved ask for what no endpoint has, with its place in the file. */
function hintsFor({ added, changed }: Difference, file: FilterFile): string[] {
  const hints = [...added, ...changed.map(({ wanted }) => wanted)].flatMap(({ mongoQuery, path }) =>
    hintsOf(mongoQuery).map((hint) =>
      printable(`Hint: ${file.placeOf(`${path}/mongoQuery${hint.path}`)}: ${hint.message}`),
    ),
  );
  const shown = hints.slice(0, SHOWN_HINTS);
  return hints.length > shown.length ? [...shown, `and ${hints.length - shown.length} more hints`] : shown;
}

async function isWanted(signal: AbortSignal): Promise<boolean> {
  if (process.stdin.isTTY && process.stdout.isTTY) return confirm('Make these changes? [y/N] ', signal);
  throw new CliFailure(
    'Nothing was changed: there is no terminal to ask on. --yes makes the changes, --dry-run only shows them.',
  );
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
