import { setTimeout as sleep } from 'node:timers/promises';
import { ask, type AskDeps, askDepsOf, endingFailure } from '../ask.js';
import { CliFailure, EXIT } from '../failure.js';
import { errorOf, type HttpAnswer } from '../http.js';
import { onInterrupt } from '../interrupt.js';
import { createProgressView, type Progress } from '../progress-view.js';
import { duration, grouped } from '../text.js';

/** The flags of `epr republish`. */
export interface RepublishFlags {
  url: URL;
  token?: string;
  tokenFile?: string;
  /** Unix ms */
  since?: number;
  status?: boolean;
  cancel?: boolean;
  wait: boolean;
  retryFor: number;
}

interface Status {
  id: string;
  state: 'running' | 'done' | 'cancelled' | 'failed';
  since: string;
  startedDate: string;
  endedDate: string | null;
  changes: { total: number; done: number };
  events: { sent: number; repeated: number; failed: number };
  missing: { reason: string; message: string }[];
  waiting: string | null;
}

const PATH = '/api/v1/events/republish';
const POLL_MS = 250;

/** `epr republish`. Answers the exit code; rejects with a {@link CliFailure} for what ends it. */
export async function republish(flags: RepublishFlags): Promise<number> {
  const interrupt = onInterrupt();
  const view = createProgressView(process.stderr);
  const deps: AskDeps = askDepsOf(
    { ...flags, retryForMs: flags.retryFor },
    { signal: interrupt.first, onNotice: (text) => view.notice(text) },
  );
  let isBegun = false;
  try {
    if (flags.cancel === true) {
      const answer = await ask(deps, { method: 'GET', path: PATH });
      const isUnderWay = codeOf(answer) !== 'republishing-not-found' && read(answer, 200).state === 'running';
      if (isUnderWay) read(await ask(deps, { method: 'DELETE', path: PATH }), 204);
      process.stdout.write(
        isUnderWay
          ? 'Cancelled: nothing is sent again any more.\n'
          : 'Nothing is being sent again, so there was nothing to cancel.\n',
      );
      return EXIT.ok;
    }
    const begun = flags.since === undefined ? await look() : await begin(flags.since);
    isBegun = true;
    if (!flags.wait || flags.status === true) return report(begun);
    let status = begun;
    view.start(() => progressOf(status, deps.patience.waitingFor()));
    let told: string | undefined;
    while (status.state === 'running') {
      const { waiting } = status;
      // a line that is drawn again has no room for it
      if (waiting !== null && waiting !== told)
        view.notice(`It waits: ${waiting} It goes on by itself then; Ctrl-C ends this command only.`);
      told = waiting ?? undefined;
      await sleep(POLL_MS, undefined, { signal: interrupt.first });
      status = await look(begun.id);
    }
    view.stop();
    return report(status);
  } catch (error) {
    if (!interrupt.first.aborted) throw error;
    view.stop();
    process.stderr.write(
      isBegun
        ? 'Stopped waiting. The register goes on: epr republish --status shows how, --cancel ends it.\n'
        : 'Stopped. Nothing may have been begun: epr republish --status shows it.\n',
    );
    return EXIT.interrupted;
  } finally {
    view.stop();
    deps.client.close();
    interrupt.forget();
  }

  async function begin(sinceMs: number): Promise<Status> {
    const body = JSON.stringify({ since: new Date(sinceMs).toISOString() });
    const headers = { 'content-type': 'application/json' };
    return read(await ask(deps, { method: 'POST', path: PATH, headers, body }), 202);
  }

  async function look(id?: string): Promise<Status> {
    const answer = await ask(deps, { method: 'GET', path: PATH });
    const status =
      codeOf(answer) === 'republishing-not-found' && id !== undefined ? undefined : read(answer, 200);
    if (status === undefined || (id !== undefined && status.id !== id))
      throw new CliFailure(
        'The register was started again meanwhile, or was asked for another sending: this one was not sent to the end. Run this again.',
      );
    return status;
  }
}

function read(answer: HttpAnswer, expected: 200 | 202 | 204): Status {
  if (answer.status === expected)
    return (expected === 204 ? {} : JSON.parse(answer.body.toString())) as Status;
  const { message, code } = errorOf(answer);
  if (code === 'republishing-not-found') throw new CliFailure(message);
  throw endingFailure(answer) ?? new CliFailure(`${message} (${answer.status})`);
}

function codeOf(answer: HttpAnswer): string | undefined {
  return answer.status === 404 ? errorOf(answer).code : undefined;
}

function progressOf({ changes, events, waiting }: Status, waitingFor: string | undefined): Progress {
  return {
    done: changes.done,
    what: 'changes',
    before: 0,
    fraction: changes.total === 0 ? undefined : changes.done / changes.total,
    notes: [
      `${grouped(events.sent)} events`,
      ...(events.failed > 0 ? [`${grouped(events.failed)} failed`] : []),
    ],
    waitingFor: waitingFor ?? waiting ?? undefined,
  };
}

/** Answers the exit code. */
function report({ state, since, startedDate, endedDate, changes, events, missing, waiting }: Status): number {
  const took = endedDate === null ? '' : ` in ${duration(Date.parse(endedDate) - Date.parse(startedDate))}`;
  const counts =
    `${grouped(events.sent)} events of ${grouped(changes.done)} changes since ${since} sent again${took}; ` +
    `the stream had ${grouped(events.repeated)} of them.`;
  const lines = {
    running: `Under way: ${grouped(changes.done)} of ${grouped(changes.total)} changes since ${since}.`,
    done: counts,
    cancelled: `Cancelled. ${counts}`,
    failed: `It failed by a fault of the register, which is in its log. ${counts}`,
  };
  process.stdout.write(`${lines[state]}\n`);
  if (state === 'running' && waiting !== null) process.stdout.write(`It waits: ${waiting}\n`);
  for (const { message } of missing) process.stderr.write(`epr: ${message}\n`);
  if (events.failed > 0)
    process.stderr.write(
      `epr: ${grouped(events.failed)} events were given up; the log of the register names them.\n`,
    );
  if (state === 'running') return EXIT.ok;
  if (state === 'failed' || state === 'cancelled') return EXIT.failed;
  return missing.length > 0 || events.failed > 0 ? EXIT.someFailed : EXIT.ok;
}
