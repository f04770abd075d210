import { Writable } from 'node:stream';
import { type Logger, type LevelWithSilent, pino } from 'pino';

export interface LogLine {
  level: number;
  msg: string;
  error?: string;
  detail?: string;
  count?: number;
}

/** A log, and what was written to it; `texts`: messages with the details that they have. */
export function hearLog(level: LevelWithSilent = 'info') {
  const lines: LogLine[] = [];
  const texts: string[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const line = JSON.parse(chunk.toString()) as LogLine;
      lines.push(line);
      texts.push(`${line.msg} ${line.detail ?? ''}`.trim());
      done();
    },
  });
  const log: Logger = pino({ level }, destination);
  const said = (pattern: RegExp) => lines.filter(({ msg }) => pattern.test(msg));
  return { lines, texts, log, said };
}
