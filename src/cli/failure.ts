/** What the process answers to the shell. */
export const EXIT = {
  ok: 0,
  /** could not be done, or not to the end */
  failed: 1,
  /** the command line or the configuration is wrong; nothing was done */
  usage: 2,
  /** done to the end, but some items failed */
  someFailed: 3,
  /** stopped by Ctrl-C */
  interrupted: 130,
} as const;

/** Ends a command with one line on standard error that says what is wrong and what helps. */
export class CliFailure extends Error {
  constructor(
    message: string,
    readonly exitCode: number = EXIT.failed,
  ) {
    super(message);
    this.name = 'CliFailure';
  }
}

/** The message of anything that was thrown. Node's failed connections often have an empty one, but always a code. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0]);
  if (error instanceof Error) return error.message === '' ? (codeOf(error) ?? error.name) : error.message;
  return String(error);
}

/** `ECONNREFUSED`, `ENOENT` and the like; undefined when there is none. */
export function codeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
