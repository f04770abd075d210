import { pino } from 'pino';
import { loadConfig } from '../../src/config/index.js';
import { startService, type RunningService } from '../../src/service.js';
import { temporaryFolder, type TestContext } from './run-cli.js';

/** A real register on free ports, with a store of its own. It stops with the test. */
export async function startRegister(
  t: TestContext,
  set: Record<string, string> = {},
): Promise<RunningService> {
  const folder = temporaryFolder(t);
  const all = {
    'server.port': '0',
    'management.port': '0',
    'storage.url': `file:${folder}`,
    'workers.threads': '1',
    ...set,
  };
  const loaded = loadConfig({ argv: { set: all }, env: {}, cwd: folder, isTty: false });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join('\n'));
  const service = await startService(loaded.config, pino({ level: 'silent' }));
  t.teardown(() => service.stop());
  return service;
}

export async function getJson(url: string): Promise<unknown> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
