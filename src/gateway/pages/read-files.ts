import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

export type Encoding = 'br' | 'gzip' | 'identity';

export interface PageFile {
  type: string;
  /** its name changes with its content, so that it may be kept for good */
  hashed: boolean;
  /** SHA-256 of the content, shortened */
  digest: string;
  /** absent: compressed it would not be smaller */
  bodies: Readonly<Partial<Record<Encoding, Uint8Array>> & { identity: Uint8Array }>;
}

/** Files in it have their content's hash in their names. */
const HASHED_FOLDER = 'assets/';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/vnd.microsoft.icon',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
};
const COMPRESSIBLE = new Set(['.html', '.js', '.css', '.json', '.svg', '.txt']);

/**
 * All files of a folder, by their path in it with `/` between; `undefined` when there is no such folder. Source maps are
 * left out. A file that the build compressed (`x.js.br`, `x.js.gz`) is not compressed again.
 */
export function readFiles(folder: string): Map<string, PageFile> | undefined {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
  const files = new Map<string, PageFile>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const extension = extname(entry.name);
    if (!entry.isFile() || ['.br', '.gz', '.map'].includes(extension)) continue;
    const file = join(entry.parentPath, entry.name);
    const path = relative(folder, file).split(sep).join('/');
    const identity = readFileSync(file);
    const type = TYPES[extension];
    if (type === undefined)
      throw new Error(`${file}: files "${extension}" have no content type; add one to read-files.ts.`);
    files.set(path, {
      type,
      hashed: path.startsWith(HASHED_FOLDER),
      digest: digestOf(identity),
      bodies: COMPRESSIBLE.has(extension) ? withCompressed(file, identity) : { identity },
    });
  }
  return files;
}

/** SHA-256, shortened. */
export function digestOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('base64url').slice(0, 22);
}

function withCompressed(file: string, identity: Buffer): PageFile['bodies'] {
  const br =
    readIfThere(`${file}.br`) ??
    brotliCompressSync(identity, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } });
  const gzip = readIfThere(`${file}.gz`) ?? gzipSync(identity);
  return {
    identity,
    ...(br.length < identity.length ? { br } : {}),
    ...(gzip.length < identity.length ? { gzip } : {}),
  };
}

function readIfThere(file: string): Buffer | undefined {
  return statSync(file, { throwIfNoEntry: false }) === undefined ? undefined : readFileSync(file);
}
