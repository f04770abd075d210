import type { ClientRequest, IncomingMessage } from 'node:http';
import { asksToWait, endingFailure, waitReason, type AskDeps } from '../ask.js';
import { CliFailure, asError } from '../failure.js';
import { type HttpAnswer, errorOf, readBody, retryAfterMs } from '../http.js';
import type { Entry } from './ledger.js';
import type { Sender } from './sender.js';

export interface MetadataStreamOptions {
  /** lines sent and not yet answered; bounds the memory here and the loss of time when a connection breaks */
  window: number;
  /** milliseconds from the line's being written to its answer's being read */
  onAnswered: (tookMs: number) => void;
}

interface Sent {
  entry: Entry;
  endpointId: string;
  conditional: boolean;
  sentAtMs: number;
  /** was sent before on a connection that broke, or answered with "later": it may have been done then */
  again: boolean;
}

interface LineAnswer {
  endpointId?: string | null;
  status: number;
  code?: string;
  message?: string;
}

const WRITE_BYTES = 64 * 1024;
const NEWLINE = Buffer.from('\n');
const WAIT_MS = 500;
const MOST_REFUSALS = 3;
const REFUSED = 'The register refuses one token after the other (401):';

/**
 * Sends metadata updates as one long NDJSON request to `POST /endpoints/metadata/batch`, reading answers while
 * sending. A broken connection is opened again, beginning with the first line that was not answered; lines of one
 * endpoint keep their order in that too, so the last one wins as it would have.
 */
export function createMetadataStream(deps: AskDeps, options: MetadataStreamOptions): Sender<'metadata'> {
  const { client, patience, signal } = deps;
  let waiting: Sent[] = [];
  let unanswered: Sent[] = [];
  let answeredOf = 0;
  /** lines to be sent once more, after all that are on the way are answered */
  let postponed: Sent[] = [];
  const postponedIds = new Set<string>();
  let request: ClientRequest | undefined;
  let writable = false;
  let fault: Error | undefined;
  let readying = false;
  /** one after the other, with no line answered in between */
  let refusals = 0;
  const changed = createSignal();

  const onTheWay = (): number => unanswered.length - answeredOf;
  const open = (): number => waiting.length + onTheWay() + postponed.length;

  const connect = (): void => {
    const mine = client.open({
      method: 'POST',
      path: '/api/v1/endpoints/metadata/batch',
      headers: { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' },
    });
    request = mine;
    const token = client.token();
    writable = true;
    const ended = (error: unknown, pause?: { ms: number; reason: string; unread?: true }): void => {
      if (request !== mine) return;
      if (error instanceof CliFailure) return fail(error);
      request = undefined;
      mine.destroy();
      const lost = unanswered
        .slice(answeredOf)
        .map((sent) => (pause?.unread === true ? sent : { ...sent, again: true }));
      // what was postponed is older than, or was answered between, the lines that are lost
      waiting = [...postponed, ...lost, ...waiting].sort((a, b) => a.entry.line.number - b.entry.line.number);
      unanswered = [];
      answeredOf = 0;
      postponed = [];
      postponedIds.clear();
      if (signal.aborted || fault !== undefined || open() === 0) return changed.raise();
      const paused =
        pause === undefined ? patience.afterFailure(error) : patience.asked(pause.reason, pause.ms);
      paused.then(pump, fail);
    };
    /** Nothing was done of what was not answered. */
    const refused = (answer: Pick<HttpAnswer, 'status' | 'body'>): void => {
      if (++refusals > MOST_REFUSALS) return fail(new CliFailure(`${REFUSED} ${errorOf(answer).message}`));
      client
        .refused(token, answer)
        .then(() => ended(undefined, { ms: 0, reason: 'the token was renewed', unread: true }), ended);
    };
    mine.on('error', ended);
    mine.on('drain', () => {
      writable = true;
      pump();
    });
    mine.on('response', (response) => {
      // told by the reading of it; a second one, at its being destroyed, would have no listener
      response.on('error', () => undefined);
      if (response.statusCode === 200) {
        readAnswers(response).then((end) => {
          if (typeof end === 'object') refused(end);
          else if (end === 'closed') ended(new Error('the connection was closed'));
          else ended(undefined, { ms: WAIT_MS, reason: 'the register is stopping', unread: true });
        }, ended);
        return;
      }
      const status = response.statusCode ?? 0;
      readBody(response).then((body) => {
        const answer = { status, body };
        if (status === 401) refused(answer);
        else if (asksToWait(status)) {
          patience.answered();
          ended(undefined, {
            ms: retryAfterMs(response.headers, WAIT_MS),
            reason: waitReason(answer),
          });
        } else if (status >= 500) {
          ended(new Error(`${status}: ${errorOf(answer).message}`));
        } else {
          fail(
            endingFailure(answer) ??
              new CliFailure(`The register refuses the updates (${status}: ${errorOf(answer).message})`),
          );
        }
      }, ended);
    });
  };

  const pump = (): void => {
    if (
      fault !== undefined ||
      signal.aborted ||
      waiting.length === 0 ||
      postponed.length > 0 ||
      patience.waitingFor() !== undefined
    )
      return;
    if (request === undefined) {
      if (readying) return;
      const wait = client.ready();
      if (wait !== undefined) {
        readying = true;
        wait
          .catch((error: unknown) => patience.afterFailure(error))
          .then(() => {
            readying = false;
            pump();
          }, fail);
        return;
      }
      connect();
    }
    let taken = 0;
    while (writable && taken < waiting.length && onTheWay() < options.window) {
      const parts: Buffer[] = [];
      const now = performance.now();
      for (let bytes = 0; bytes < WRITE_BYTES && taken < waiting.length && onTheWay() < options.window;) {
        const sent = waiting[taken++]!;
        sent.sentAtMs = now;
        unanswered.push(sent);
        parts.push(sent.entry.line.bytes, NEWLINE);
        bytes += sent.entry.line.bytes.length + 1;
      }
      writable = request!.write(Buffer.concat(parts));
    }
    waiting = waiting.slice(taken);
  };

  /** `stopping`: the register said that it read none of the lines that it has not answered. An answer: the token has ended. */
  const readAnswers = async (
    response: IncomingMessage,
  ): Promise<'closed' | 'stopping' | Pick<HttpAnswer, 'status' | 'body'>> => {
    let rest = '';
    response.setEncoding('utf8');
    for await (const chunk of response) {
      const lines = (rest + (chunk as string)).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.trim() === '') continue;
        const answer = parseAnswer(line);
        if (isStopping(answer)) return 'stopping';
        if (answer.status === 401) return { status: 401, body: Buffer.from(line) };
        take(answer);
      }
      compact();
      pump();
      changed.raise();
    }
    return 'closed';
  };

  const take = (answer: LineAnswer): void => {
    const sent = unanswered[answeredOf];
    if (sent === undefined)
      throw new CliFailure(
        'The register answered more lines than it was sent; this is a fault of the register.',
      );
    patience.answered();
    refusals = 0;
    answeredOf++;
    options.onAnswered(performance.now() - sent.sentAtMs);
    if (asksToWait(answer.status) || (postponedIds.has(sent.endpointId) && !sent.conditional)) {
      // a later line of the same endpoint is sent again too, or the older one would win
      postponedIds.add(sent.endpointId);
      postponed.push({ ...sent, again: true });
    } else if (answer.status < 300) {
      sent.entry.settle({ kind: 'updated' });
    } else {
      const doubt =
        sent.again && answer.status === 412
          ? ' The line had to be sent twice, and may have been done the first time.'
          : '';
      sent.entry.settle({
        kind: 'failed',
        status: answer.status,
        code: answer.code ?? 'refused',
        message: (answer.message ?? '') + doubt,
      });
    }
    if (postponed.length > 0 && onTheWay() === 0) repeatPostponed();
  };

  const repeatPostponed = (): void => {
    const wait = patience.asked('the register asks to wait', WAIT_MS);
    wait.then(() => {
      waiting = [...postponed, ...waiting];
      postponed = [];
      postponedIds.clear();
      pump();
    }, fail);
  };

  const compact = (): void => {
    if (answeredOf === 0) return;
    unanswered = unanswered.slice(answeredOf);
    answeredOf = 0;
  };

  const fail = (error: unknown): void => {
    fault ??= asError(error);
    request?.destroy();
    request = undefined;
    changed.raise();
  };
  signal.addEventListener('abort', () => fail(signal.reason), { once: true });

  const throwFault = (): void => {
    if (fault !== undefined) throw fault;
  };

  return {
    async send(entry, { endpointId, conditional }) {
      throwFault();
      waiting.push({ entry, endpointId, conditional, sentAtMs: 0, again: false });
      // written together with the lines that follow in the same turn
      if (waiting.length === 1) setImmediate(pump);
      while (open() >= options.window && fault === undefined) {
        pump();
        await changed.raised();
      }
      throwFault();
    },
    async drain() {
      pump();
      while (open() > 0 && fault === undefined) await changed.raised();
      throwFault();
      const last = request;
      request = undefined;
      last?.end();
    },
  };
}

/** Is of no line: the register stops, and reads no further. */
function isStopping({ endpointId, code }: LineAnswer): boolean {
  return endpointId === null && code === 'stopping';
}

function parseAnswer(text: string): LineAnswer {
  try {
    const answer = JSON.parse(text) as Partial<LineAnswer> | null;
    if (typeof answer?.status === 'number') return answer as LineAnswer;
  } catch {
    // said below
  }
  throw new CliFailure(
    `What answers at --url is no endpoint register of this version (a result line reads ${JSON.stringify(text.slice(0, 80))}).`,
  );
}

/** Wakes whoever waits for a change; those who wait look themselves whether it is theirs. */
function createSignal(): { raise(): void; raised(): Promise<void> } {
  let wake: () => void = () => undefined;
  let next = new Promise<void>((resolve) => (wake = resolve));
  return {
    raise() {
      wake();
      next = new Promise((resolve) => (wake = resolve));
    },
    raised: () => next,
  };
}
