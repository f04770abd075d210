import type { Page } from 'playwright-core';
import { pino } from 'pino';
import type { Test } from 'tap';
import { loadConfig } from '../../src/config/index.js';
import { startService } from '../../src/service.js';
import { temporaryFolder } from '../cli/run-cli.js';
import { startChromium } from '../servers/index.js';

export interface PageOptions {
  width?: number;
  height?: number;
  colorScheme?: 'light' | 'dark';
  /** default `/console/` */
  path?: string;
  /** false: it may say errors, and ask anybody */
  watched?: boolean;
}

export interface ConsoleOptions {
  /** origins that pages may ask besides that of the service */
  allowed?: readonly string[];
  /** of {@link Console.call} */
  token?: () => Promise<string>;
}

export interface Console {
  /** of the service */
  url: string;
  /** a page of its own browser context, at that place of the console (`#/fleet`) */
  open(place?: string, options?: PageOptions): Promise<Page>;
  /** a request under `/api/v1`, as another client would send it; rejects when it is refused */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<unknown>;
  register(endpointId: string, metadata?: object, version?: string): Promise<void>;
  set(endpointId: string, key: string, value: unknown): Promise<void>;
}

/**
 * The console of a real service with the embedded store, in a real browser. At the end of the test no page may have asked
 * anybody else, or have said an error. `undefined`: no browser is here, and `t` has been given a skip.
 */
export async function startConsole(
  t: Test,
  settings: Record<string, string> = {},
  { allowed = [], token }: ConsoleOptions = {},
): Promise<Console | undefined> {
  const browser = await startChromium(t);
  if (browser === undefined) return undefined;
  const folder = temporaryFolder(t);
  const set = {
    'server.port': '0',
    'management.port': '0',
    'storage.url': `file:${folder}`,
    'workers.threads': '1',
    ...settings,
  };
  const loaded = loadConfig({ argv: { set }, env: {}, cwd: folder, isTty: false });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join('\n'));
  const service = await startService(loaded.config, pino({ level: 'silent' }));
  const { url } = service;
  t.teardown(() => service.stop());
  // before the service stops: its pages would say that it is away
  t.teardown(() => browser.close());

  async function call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<unknown> {
    const answer = await fetch(`${url}/api/v1/${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${await token()}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  }

  return {
    url,
    call,
    async open(place = '', options = {}) {
      const {
        width = 1280,
        height = 800,
        colorScheme = 'light',
        path = '/console/',
        watched = true,
      } = options;
      const context = await browser.newContext({ viewport: { width, height }, colorScheme });
      const page = await context.newPage();
      if (watched) watch(t, page, [url, ...allowed]);
      page.setDefaultTimeout(60_000);
      await page.goto(`${url}${path}${place}`);
      return page;
    },
    async register(endpointId, metadata = {}, version = 'demo-v1') {
      await call('POST', 'endpoints', { appVersion: { name: version }, endpointId, metadata });
    },
    async set(endpointId, key, value) {
      await call('PUT', `endpoints/${endpointId}/metadata/${key}`, value);
    },
  };
}

/** What a browser writes to its console when an answer is a refusal, which the page shows itself. */
const REFUSED = /^Failed to load resource: the server responded with a status of 4\d\d/;

/** @param urls - that the page may ask */
export function watch(t: Test, page: Page, urls: readonly string[]): void {
  page.on('request', (request) => {
    if (!urls.some((url) => request.url().startsWith(`${url}/`))) t.fail(`the page asks ${request.url()}`);
  });
  page.on('pageerror', (error) => t.fail(`the page throws: ${error.stack ?? error.message}`));
  page.on('dialog', (dialog) => {
    t.fail(`a script that came as data says ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !REFUSED.test(message.text()))
      t.fail(`the page says: ${message.text()}`);
  });
}

/** Resolves when it holds; the test's own time limit ends it otherwise. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 30));
}

/** Waits until all streams of the view are connected: one of the page, and one of a view that has its own. */
export async function untilLive(page: Page, streams: number): Promise<void> {
  await page
    .locator('.live-live')
    .nth(streams - 1)
    .waitFor();
}
