import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable, pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { CliFailure, EXIT, codeOf, messageOf } from '../failure.js';

/** One line of the input, without its line end. */
export interface InputLine {
  /** from 1 */
  number: number;
  bytes: Buffer;
  /** longer than {@link LINE_LIMIT_BYTES}; `bytes` is then only its beginning */
  tooLong: boolean;
}

/** What the register takes as one line of NDJSON. */
export const LINE_LIMIT_BYTES = 1024 * 1024;

export interface LineSource {
  /** A chunk's lines at a time. Memory: one chunk and the longest line. Rejects with a {@link CliFailure}. */
  chunks: AsyncIterable<InputLine[]>;
  /** of the file as it is stored; undefined for standard input */
  totalBytes: number | undefined;
  /** how much of the file has been taken in so far, as it is stored (compressed bytes of a .gz) */
  readBytes(): number;
}

/** Opens a file, or standard input for `-`. Gzip is known by its first two bytes, whatever the name. */
export async function openLines(file: string, signal: AbortSignal): Promise<LineSource> {
  const label = file === '-' ? 'standard input' : file;
  const totalBytes = file === '-' ? undefined : await sizeOf(file);
  const raw: Readable = file === '-' ? process.stdin : createReadStream(file);
  signal.addEventListener('abort', () => raw.destroy(), { once: true });
  let counted = (): number => 0;
  return {
    totalBytes,
    readBytes: () => counted(),
    chunks: splitLines(
      unpack(raw, (counter) => (counted = counter)),
      label,
      signal,
    ),
  };
}

async function sizeOf(file: string): Promise<number> {
  try {
    const found = await stat(file);
    if (found.isDirectory())
      throw new CliFailure(
        `${file} is a folder; name a file of NDJSON (one JSON object a line).`,
        EXIT.usage,
      );
    return found.size;
  } catch (error) {
    if (error instanceof CliFailure) throw error;
    if (codeOf(error) === 'ENOENT') throw new CliFailure(`There is no file ${file}.`, EXIT.usage);
    throw new CliFailure(`${file} can not be read: ${messageOf(error)}.`, EXIT.usage);
  }
}

async function* unpack(raw: Readable, setCounter: (counter: () => number) => void): AsyncGenerator<Buffer> {
  const chunks = raw[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let head = Buffer.alloc(0);
  while (head.length < 2) {
    const next = await chunks.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  async function* whole(): AsyncGenerator<Buffer> {
    if (head.length > 0) yield head;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
  }
  if (head[0] === 0x1f && head[1] === 0x8b) {
    const gunzip = createGunzip({ chunkSize: 64 * 1024 });
    setCounter(() => gunzip.bytesWritten);
    // faults come out of the iteration below
    pipeline(
      Readable.from(whole(), { objectMode: false, highWaterMark: 16 * 1024 }),
      gunzip,
      () => undefined,
    );
    yield* gunzip as AsyncIterable<Buffer>;
    return;
  }
  let taken = 0;
  setCounter(() => taken);
  for await (const chunk of whole()) {
    taken += chunk.length;
    yield chunk;
  }
}

async function* splitLines(
  chunks: AsyncIterable<Buffer>,
  label: string,
  signal: AbortSignal,
): AsyncGenerator<InputLine[]> {
  let number = 0;
  let rest: Buffer[] = [];
  let restBytes = 0;
  const finish = (end: Buffer): InputLine => {
    let bytes = rest.length === 0 ? end : Buffer.concat([...rest, end]);
    const tooLong = restBytes + end.length > LINE_LIMIT_BYTES;
    rest = [];
    restBytes = 0;
    number++;
    if (number === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf)
      bytes = bytes.subarray(3);
    if (bytes.at(-1) === 13) bytes = bytes.subarray(0, -1);
    return { number, bytes, tooLong };
  };
  try {
    for await (const chunk of chunks) {
      const lines: InputLine[] = [];
      let from = 0;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
        lines.push(finish(chunk.subarray(from, at)));
        from = at + 1;
      }
      if (from < chunk.length) {
        // of a line that is too long, only enough is kept to know it again
        if (restBytes <= LINE_LIMIT_BYTES) rest.push(chunk.subarray(from));
        restBytes += chunk.length - from;
      }
      if (lines.length > 0) yield lines;
    }
  } catch (error) {
    if (signal.aborted) return;
    const compressed = codeOf(error)?.startsWith('Z_') === true;
    const what = compressed ? 'is cut off or damaged' : 'can not be read any further';
    throw new CliFailure(`${label} ${what} after line ${number} (${messageOf(error)}).`);
  }
  if (restBytes > 0 && !signal.aborted) yield [finish(Buffer.alloc(0))];
}
