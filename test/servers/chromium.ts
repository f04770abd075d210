import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import type { Test } from 'tap';
import { skipWithout } from './installed.js';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/**
 * A headless Chromium of this test, ended at its teardown; takes about 0.5 s. Looked for in `CHROMIUM_PATH`, then on the
 * path.
 * @returns undefined when there is none; then `t` has been given a skip
 * @throws Error when there is none and EPR_TESTS_REQUIRE_SERVERS is 1, or when it does not start
 */
export async function startChromium(t: Test): Promise<Browser | undefined> {
  const executablePath = process.env['CHROMIUM_PATH'] || browserOnPath();
  if (executablePath === undefined)
    return skipWithout(t, 'Chromium', 'install it (Debian: apt-get install chromium), or set CHROMIUM_PATH');
  const browser = await chromium.launch({ executablePath });
  t.teardown(() => browser.close());
  return browser;
}

/** A script, too: Debian's is one, and becomes the browser. */
function browserOnPath(): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    for (const name of NAMES) {
      const file = join(folder, name);
      if (folder !== '' && isExecutable(file)) return file;
    }
  }
  return undefined;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
