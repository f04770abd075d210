import { CliFailure } from '../failure.js';
import { grouped } from '../text.js';
import type { Failure } from './ledger.js';

/** What helps against a refusal, where it is clear; ends with what to do then. */
export function remedyOf(code: string, versionName?: string): string {
  switch (code) {
    case 'forbidden':
      return 'Have who looks after the rights of the tenant grant it, and import those again.';
    case 'application-not-found':
    case 'application-version-not-found':
      return `Add it to the register's configuration (kaa.applications.<application>.versions.${versionName ?? '<version>'}), or use a token of the tenant that has it, and import those again.`;
    case 'endpoint-not-found':
      return 'Register the endpoints first, or use a token of the tenant that has them, and import those again.';
    default:
      return 'Mend that, and import those again.';
  }
}

/** So many lines that are refused for one reason, with none that was not, leave no hope for the rest. */
const HOPELESS_LINES = 1000;

export interface HopeWatch {
  /** Told of each failed line, in their order, and how many were accepted before it. */
  failed(failure: Failure, accepted: number): void;
  /** Aborted, with a {@link CliFailure}, when the register has refused a thousand lines for one reason, and taken none. */
  readonly hopeless: AbortSignal;
}

export function watchHope(): HopeWatch {
  const hopeless = new AbortController();
  let reason: string | undefined;
  let isHopeful = false;
  let refused = 0;
  return {
    hopeless: hopeless.signal,
    failed({ status, code, message }, accepted) {
      // what was not sent says nothing of the register
      if (isHopeful || status === undefined) return;
      isHopeful = accepted > 0 || (reason ??= code) !== code;
      if (isHopeful || ++refused < HOPELESS_LINES) return;
      hopeless.abort(
        new CliFailure(
          `The first ${grouped(refused)} lines were all refused (${status}, ${code}) and none was taken, so this stops here. The last of them: ${message} ${remedyOf(code)} The same command begins anew; with --keep-going it goes through the whole file.`,
        ),
      );
    },
  };
}
