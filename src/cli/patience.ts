import { setTimeout as sleep } from 'node:timers/promises';
import { CliFailure, codeOf, messageOf } from './failure.js';

/** How long a command goes on when the register does not answer, or asks to wait. Shared by all its connections. */
export interface Patience {
  /** The register answered: whatever was counted against it is forgotten. */
  answered(): void;
  /** No answer came. Waits a while; rejects with a {@link CliFailure} when that lasts longer than is allowed. */
  afterFailure(error: unknown): Promise<void>;
  /** The register asked to wait (429, 503). Without end: it is there, and says when to come back. */
  asked(reason: string, waitMs: number): Promise<void>;
  /** why the command stands still, for the display */
  waitingFor(): string | undefined;
}

export interface PatienceOptions {
  server: string;
  retryForMs: number;
  signal: AbortSignal;
  onNotice: (text: string) => void;
}

const FIRST_MS = 100;
const LONGEST_MS = 5_000;

export function createPatience({ server, retryForMs, signal, onNotice }: PatienceOptions): Patience {
  let goneSinceMs: number | undefined;
  let attempts = 0;
  let waiting: string | undefined;

  const pause = async (reason: string, ms: number): Promise<void> => {
    waiting = reason;
    try {
      await sleep(ms, undefined, { signal });
    } finally {
      waiting = undefined;
    }
  };

  return {
    answered() {
      if (goneSinceMs !== undefined)
        onNotice(
          `${server} answers again after ${((Date.now() - goneSinceMs) / 1000).toFixed(1)} s; going on`,
        );
      goneSinceMs = undefined;
      attempts = 0;
    },
    async afterFailure(error) {
      if (error instanceof CliFailure) throw error;
      signal.throwIfAborted();
      const now = Date.now();
      if (goneSinceMs === undefined) {
        goneSinceMs = now;
        if (retryForMs > 0)
          onNotice(
            `${server} does not answer (${describe(error)}); trying again for up to ${Math.round(retryForMs / 1000)} s`,
          );
      }
      const leftMs = retryForMs - (now - goneSinceMs);
      if (leftMs <= 0) {
        const lasted = retryForMs === 0 ? '' : ` for ${Math.round(retryForMs / 1000)} s`;
        throw new CliFailure(
          `No answer from ${server}${lasted} (${describe(error)}). Is the register running there? --url names another.`,
        );
      }
      // jitter, so that many clients of a register that returns do not come at once
      const nextMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** attempts++) * (0.5 + Math.random() / 2);
      await pause(`no answer from ${server}`, Math.min(nextMs, leftMs));
    },
    asked: (reason, waitMs) => pause(reason, waitMs * (1 + Math.random() / 4)),
    waitingFor: () => waiting,
  };
}

function describe(error: unknown): string {
  const code = codeOf(error);
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'connection lost';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'no such host';
  return messageOf(error);
}
