import { createServer, type AddressInfo } from 'node:net';
import { pino } from 'pino';
import { loadConfig } from '../../src/config/index.js';
import { startService, type RunningService } from '../../src/service.js';
import { startCli, temporaryFolder, type RunningCli, type TestContext } from './run-cli.js';

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

/** The same as a process of its own, for tests that kill it or need its port again. */
export async function startRegisterProcess(
  t: TestContext,
  options: { folder: string; port?: string },
): Promise<{ running: RunningCli; url: string }> {
  const { folder, port = '0' } = options;
  const flags = ['--set', 'management.port=0', '--set', 'logging.format=json'];
  const running = startCli(['serve', '--data', folder, '--port', port, ...flags], { cwd: folder });
  t.teardown(() => running.child.kill('SIGKILL'));
  await running.said('is ready');
  return { running, url: /"url":"([^"]+)"/.exec(running.stdout())![1]! };
}

export async function freePort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}
