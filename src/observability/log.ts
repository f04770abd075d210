import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';

export interface LogOptions {
  /** trace, debug, info, warn, error, fatal or silent */
  level: string;
  /** `json`: one object a line, for machines; `pretty`: one readable line, for a person at a terminal */
  format: 'json' | 'pretty';
}

/**
 * The service's log, on standard output. Written synchronously: what was logged before a crash is there, and the
 * order with other output holds. At `info` the service logs by the second at most, never per request.
 */
export function createLog(options: LogOptions): Logger {
  const base = { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (options.format === 'json') {
    return pino(
      { ...base, formatters: { level: (label) => ({ level: label }) } },
      pino.destination({ dest: 1, sync: true }),
    );
  }
  const stream = pretty({
    destination: 1,
    sync: true,
    colorize: process.stdout.isTTY && process.env['NO_COLOR'] === undefined,
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
    messageFormat: (line, key) => printable(String(line[key])),
  });
  return pino(base, stream);
}

/** What others wrote may stand in a message: it must not look like lines of its own, nor move a terminal's cursor. */
function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
