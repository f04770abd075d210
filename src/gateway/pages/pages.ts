import { join } from 'node:path';
import type { Logger } from 'pino';
import { refuse } from '../../model/errors.js';
import type { GatewayMetrics, RouteMetrics } from '../gateway-metrics.js';
import { readIfNoneMatch } from '../../model/entity-tags.js';
import type { Exchange, Header } from '../wire/exchange.js';
import { sendFault } from '../wire/send-result.js';
import { acceptedEncoding } from './accepted-encoding.js';
import { HOME, type PageSet, PAGE_SETS, policyOf } from './page-sets.js';
import { digestOf, type PageFile, readFiles } from './read-files.js';

/** What answers at one path. */
export interface Page {
  metrics: RouteMetrics;
  answer(exchange: Exchange): void;
}

export interface Pages {
  /** `path` as it came. `undefined`: no page is there, nor could one be. O(1). */
  find(path: string): Page | undefined;
}

export interface PagesOptions {
  /** holds a folder for each set */
  folder: string;
  pathPrefixes: readonly string[];
  /** of those who sign people in, now */
  signInOrigins: () => readonly string[];
}

const INDEX = 'index.html';

/**
 * Reads every page into memory, with its compressed forms. A set that was not built is said in the log, and answered
 * with 404 and the remedy.
 */
export function createPages(options: PagesOptions, metrics: GatewayMetrics, log: Logger): Pages {
  const pages = new Map<string, Page>();
  const bases: { base: string; missing: Page }[] = [];
  for (const set of PAGE_SETS) {
    const files = readFiles(join(options.folder, set.name));
    if (files === undefined) log.info(`${set.title} is not served: ${NOT_BUILT}`);
    const counted = metrics.forRoute('GET', `/${set.name}/*`);
    const policy = (): string => policyOf(set, options.signInOrigins());
    const page = (answer: Page['answer']): Page => ({ metrics: counted, answer });
    const missing = page((exchange) => sendMissing(exchange, set, files));
    for (const prefix of options.pathPrefixes) {
      const base = `${prefix}/${set.name}`;
      bases.push({ base, missing });
      if (files === undefined) continue;
      pages.set(
        base,
        page((exchange) => redirect(exchange, `${set.name}/`)),
      );
      for (const [path, file] of files) {
        const served = page((exchange) => sendFile(exchange, file, policy()));
        pages.set(`${base}/${path}`, served);
        if (path === INDEX) pages.set(`${base}/`, served);
      }
      if (set.name !== HOME) continue;
      // relative, so that it holds behind a proxy that puts a path of its own before ours
      pages.set(
        `${prefix}/`,
        page((exchange) => redirect(exchange, `${HOME}/`)),
      );
      const last = prefix.slice(prefix.lastIndexOf('/') + 1);
      if (prefix !== '')
        pages.set(
          prefix,
          page((exchange) => redirect(exchange, `${last}/${HOME}/`)),
        );
    }
  }
  return {
    find: (path) =>
      pages.get(path) ?? bases.find(({ base }) => path === base || path.startsWith(`${base}/`))?.missing,
  };
}

const NOT_BUILT = 'it was not built; run "npm run build" and start the service again.';

function sendMissing(
  exchange: Exchange,
  set: PageSet,
  files: ReadonlyMap<string, PageFile> | undefined,
): void {
  const path = exchange.head.path.slice(0, 200);
  const why = files === undefined ? NOT_BUILT : `its page is at /${set.name}/.`;
  sendFault(exchange, refuse('not-found', `There is nothing at ${path}. ${set.title}: ${why}`));
}

function redirect(exchange: Exchange, location: string): void {
  if (!isReading(exchange)) return;
  const { query } = exchange.head;
  exchange.send(308, [
    ['Location', query === '' ? location : `${location}?${query}`],
    ['Cache-Control', 'no-cache'],
  ]);
}

function sendFile(exchange: Exchange, file: PageFile, policy: string): void {
  if (!isReading(exchange)) return;
  const { head } = exchange;
  const encoding = acceptedEncoding(head.acceptEncoding).find((each) => file.bodies[each] !== undefined)!;
  // a strong tag is of these very bytes (RFC 9110, section 8.8.1), and a page that is kept keeps its policy
  const digest = file.hashed ? file.digest : `${file.digest}-${digestOf(policy)}`;
  const etag = encoding === 'identity' ? `"${digest}"` : `"${digest}-${encoding}"`;
  const always: Header[] = [
    ['ETag', etag],
    ['Cache-Control', file.hashed ? 'public, max-age=31536000, immutable' : 'no-cache'],
    ['Vary', 'Accept-Encoding'],
  ];
  if (head.ifNoneMatch !== undefined) {
    const known = readIfNoneMatch(head.ifNoneMatch);
    if ('kind' in known) return sendFault(exchange, known);
    if (known.tags.includes(etag) || known.tags[0] === '*') return exchange.send(304, always);
  }
  const headers: Header[] = [
    ...always,
    ['Content-Type', file.type],
    ['X-Content-Type-Options', 'nosniff'],
    ['Referrer-Policy', 'no-referrer'],
    ['Cross-Origin-Opener-Policy', 'same-origin'],
    ['Content-Security-Policy', policy],
  ];
  if (encoding !== 'identity') headers.push(['Content-Encoding', encoding]);
  exchange.send(200, headers, file.bodies[encoding]);
}

function isReading(exchange: Exchange): boolean {
  const { method } = exchange.head;
  if (method === 'GET' || method === 'HEAD') return true;
  const found = method.slice(0, 20);
  sendFault(exchange, refuse('method-not-allowed', `This path takes GET, HEAD; found ${found}.`), [
    ['Allow', 'GET, HEAD'],
  ]);
  return false;
}
