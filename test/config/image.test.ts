/** What the image and compose.yml say, as far as the configuration goes; neither is run here. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse } from 'yaml';
import { load } from './harness.js';

const read = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');

/** The instructions of the last stage: arguments by name, in their order. */
function lastStage(): Map<string, string[]> {
  const stage = read('Dockerfile')
    .replaceAll(/\\\n/g, ' ')
    .split(/^FROM .*$/m)
    .at(-1)!;
  const found = new Map<string, string[]>();
  for (const [, name, rest] of stage.matchAll(/^([A-Z]+) +(.*)$/gm))
    found.set(name!, [...(found.get(name!) ?? []), rest!]);
  return found;
}

function imageEnvironment(): Record<string, string> {
  const assignments = (lastStage().get('ENV') ?? []).flatMap((each) => each.trim().split(/\s+/));
  return Object.fromEntries(assignments.map((each) => each.split('=', 2) as [string, string]));
}

void t.test('the image: what it stores by default is in its volume', async (t) => {
  const { config } = load(t, { env: imageEnvironment() });
  t.equal(imageEnvironment()['SERVER_HOST'], '0.0.0.0');
  t.match(config.storage, { url: 'file:./data' });
  t.same(lastStage().get('VOLUME'), [join(lastStage().get('WORKDIR')!.at(-1)!, 'data')]);
});

void t.test('compose.yml: no variable of the image comes before its configuration file', async (t) => {
  const { register } = (
    parse(read('compose.yml')) as { services: Record<string, { environment: Record<string, string> }> }
  ).services;
  const { entries, entry } = load(t, {
    files: { 'epr.yml': read('deploy/epr.yml') },
    config: 'epr.yml',
    env: { ...imageEnvironment(), ...register!.environment },
  });
  t.match(entry('storage.url').shown, /^mongodb:\/\/mongodb\//);
  t.same(
    entries.filter(({ source }) => source === 'environment').map(({ key }) => key),
    ['server.host', 'kaa.tenants.kaa.client-secret'],
  );
});
