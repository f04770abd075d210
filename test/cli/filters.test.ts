import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { runCli, startCli, temporaryFolder, type CliResult, type TestContext } from './run-cli.js';
import { getJson, startRegister } from './start-register.js';

interface Filter {
  id: string;
  name: string;
  description: string;
  mongoQuery: object;
  status: string;
  matchedEndpointsCount: number;
}

const hotter = (than: number): object => ({
  metadata: { $elemMatch: { key: 'temp', value: { $gte: than } } },
});
const fileOf = (filters: object[], applicationName = 'demo'): string =>
  JSON.stringify({ applicationName, filters }, null, 2);

async function filtersOf(url: string, application = 'demo'): Promise<Filter[]> {
  const page = await getJson(`${url}/api/v1/applications/${application}/filters`);
  return (page as { content: Filter[] }).content;
}

async function apply(url: string, cwd: string, content: string, ...args: string[]): Promise<CliResult> {
  writeFileSync(join(cwd, 'f.json'), content);
  return runCli(['filters', 'f.json', '--url', url, ...args], { cwd });
}

void t.test('new, changed, unchanged and gone: shown first, then made, then nothing is left', async (t) => {
  const { url } = await startRegister(t);
  const cwd = temporaryFolder(t);
  const fleet = Array.from({ length: 1200 }, (_, i) =>
    JSON.stringify({ appVersion: { name: 'demo-v1' }, endpointId: `e${i}`, metadata: { temp: i % 100 } }),
  );
  await runCli(['import', '-', '--url', url], { cwd, input: fleet.join('\n') });
  const before = fileOf([
    { name: 'hot', description: 'from 90', mongoQuery: hotter(90) },
    { name: 'same', description: 'stays', mongoQuery: hotter(50) },
    { name: 'old', mongoQuery: hotter(10) },
  ]);
  const first = await apply(url, cwd, before, '--yes');
  t.equal(first.code, 0, first.stderr);
  t.match(first.stdout, /^Filters of demo at http:.*\n\+ hot\n {4}from 90\n {4}\{"metadata".*\n\+ same\n/);
  t.match(first.stdout, /\n3 new, 0 changed, 0 unchanged\.\n3 saved\.\n/);
  const made = await filtersOf(url);
  t.match(made, [
    { name: 'hot', status: 'active', matchedEndpointsCount: 120, description: 'from 90' },
    { name: 'old', status: 'active', matchedEndpointsCount: 1080, description: '' },
    { name: 'same', status: 'active', matchedEndpointsCount: 600 },
  ]);

  const after = fileOf([
    { name: 'hot', description: 'from 95', mongoQuery: hotter(95) },
    { name: 'same', mongoQuery: JSON.stringify(hotter(50)) },
    { name: 'new', mongoQuery: hotter(99) },
  ]);
  const dry = await apply(url, cwd, after, '--dry-run', '--prune');
  t.equal(dry.code, 2, dry.stderr);
  const shown = [
    `Filters of demo at ${url}`,
    '+ new',
    `    ${JSON.stringify(hotter(99))}`,
    '~ hot',
    '  - from 90',
    '  + from 95',
    `  - ${JSON.stringify(hotter(90))}`,
    `  + ${JSON.stringify(hotter(95))}`,
    '- old',
    `    ${JSON.stringify(hotter(10))}`,
    '1 new, 1 changed, 1 unchanged, 1 to delete.',
  ];
  t.equal(dry.stdout, `${shown.join('\n')}\n`);
  t.same(await filtersOf(url), made, 'nothing was changed');

  const unasked = await apply(url, cwd, after);
  t.equal(unasked.code, 1);
  t.match(unasked.stdout, /1 not in the file, left as they are \(--prune deletes them\)/);
  t.match(unasked.stderr, /^epr: Nothing was changed: there is no terminal.*--yes.*--dry-run.*\n$/);
  t.same(await filtersOf(url), made);

  const kept = await apply(url, cwd, after, '--yes');
  t.equal(kept.code, 0, kept.stderr);
  t.match(await filtersOf(url), [
    { id: made[0]!.id, name: 'hot', status: 'active', matchedEndpointsCount: 60, description: 'from 95' },
    { name: 'new', status: 'active', matchedEndpointsCount: 12 },
    { id: made[1]!.id, name: 'old' },
    { id: made[2]!.id, name: 'same', description: 'stays' },
  ]);
  t.equal((await apply(url, cwd, after, '--dry-run')).code, 0);
  t.equal((await apply(url, cwd, after, '--dry-run', '--prune')).code, 2);
  const pruned = await apply(url, cwd, after, '--yes', '--prune');
  t.equal(pruned.code, 0, pruned.stderr);
  t.match(pruned.stdout, /0 saved, 1 deleted\./);
  t.same(
    (await filtersOf(url)).map(({ name }) => name),
    ['hot', 'new', 'same'],
  );
  const again = await apply(url, cwd, after, '--prune');
  t.equal(again.code, 0, 'there is nothing to ask');
  t.match(again.stdout, /\n0 new, 0 changed, 3 unchanged, 0 to delete\.\n$/);
});

void t.test('YAML, and the filters of the weather example', async (t) => {
  const { url } = await startRegister(t, {
    'kaa.applications.weather.versions.weather-v1': '',
    'kaa.applications.demo.versions.demo-v1': '',
  });
  const cwd = temporaryFolder(t);
  const yaml = `# of the kettles
applicationName: demo
filters:
  - name: hot
    description: >-
      90 degrees
      and more
    mongoQuery: &hot
      metadata: {$elemMatch: {key: temp, value: {$gte: 90}}}
  - name: hot or odd
    mongoQuery:
      $or:
        - *hot
        - metadata: {$elemMatch: {key: "no", value: {$in: [0x1, 3, yes, 5.5, null, 1e3]}}}
`;
  writeFileSync(join(cwd, 'f.yaml'), yaml);
  const { code, stderr } = await runCli(['filters', 'f.yaml', '--url', url, '--yes'], { cwd });
  t.equal(code, 0, stderr);
  const odd = { metadata: { $elemMatch: { key: 'no', value: { $in: [1, 3, 'yes', 5.5, null, 1000] } } } };
  t.match(await filtersOf(url), [
    { name: 'hot', description: '90 degrees and more', mongoQuery: hotter(90) },
    { name: 'hot or odd', mongoQuery: { $or: [hotter(90), odd] } },
  ]);
  const input = await runCli(['filters', '-', '--url', url, '--dry-run'], { cwd, input: yaml });
  t.equal(input.code, 0, input.stderr);

  const weather = fileURLToPath(new URL('../../../examples/weather/filters.json', import.meta.url));
  const saved = await runCli(['filters', weather, '--url', url, '--yes'], { cwd });
  t.equal(saved.code, 0, saved.stderr);
  const wanted = JSON.parse(readFileSync(weather, 'utf8')) as { filters: Filter[] };
  const names = (filters: Filter[]): unknown[] =>
    filters.map(({ name, description, mongoQuery }) => [name, description, mongoQuery]).sort();
  t.same(names(await filtersOf(url, 'weather')), names(wanted.filters));
  const elsewhere = await runCli(
    ['filters', weather, '--application', 'demo', '--url', url, '--yes', '--no-wait', '--prune'],
    { cwd },
  );
  t.equal(elsewhere.code, 0, elsewhere.stderr);
  t.same(names(await filtersOf(url)), names(wanted.filters));
});

void t.test('what is wrong with a file is told with its place, and nothing is sent', async (t) => {
  const cwd = temporaryFolder(t);
  const wrong: [string, string, RegExp][] = [
    [
      'f.json',
      '{\n  "applicationName": "demo",\n  "filters": [,]\n}',
      /^epr: f\.json:3:15: The text is not JSON/,
    ],
    [
      'f.json',
      '{"applicationName": "demo",\n "filters": [], "filters": []}',
      /^epr: f\.json:2:17: The key "filters"/,
    ],
    [
      'f.json',
      '[]',
      /^epr: f\.json:1:1: The file has the form \{.*this is a list\. Nothing was changed\.\n$/,
    ],
    ['f.json', '{"filters": []}', /^epr: f\.json:1:1: .*applicationName.*--application/],
    [
      'f.yaml',
      'applicationName: demo\nfilters:\n  - name: [\n',
      /^epr: f\.yaml has \d faults[^]*f\.yaml:4:1: |^epr: f\.yaml:4:1: /,
    ],
    ['f.yaml', 'applicationName: demo\nfilters:\n  - 5\n', /^epr: f\.yaml:3:5: A filter is an object/],
    ['f.yaml', 'applicationName: demo\nfilters: []\nfilters: []\n', /^epr: f\.yaml:3:1: /],
    [
      'f.yaml',
      'applicationName: demo\nfilters:\n  - name: a\n    mongoQuery: {a: .nan}\n',
      /^epr: f\.yaml:4:21: .*JSON/,
    ],
    [
      'f.yaml',
      'applicationName: demo\nfilters:\n  - name: a\n    mongoQuery: {a: 9007199254740993}\n',
      /^epr: f\.yaml:4:21: 9007199254740993 is more exact/,
    ],
    ['f.yaml', 'a: &a [*a]\n', /^epr: f\.yaml/],
    ['none.json', '', /^epr: There is no file none\.json\.\n$/],
  ];
  for (const [file, content, message] of wrong) {
    if (file !== 'none.json') writeFileSync(join(cwd, file), content);
    const { code, stderr, stdout } = await runCli(['filters', file, '--url', 'http://127.0.0.1:1'], { cwd });
    t.equal(code, 1, content);
    t.equal(stdout, '');
    t.match(stderr, message);
  }
  const many = `applicationName: demo
filters:
  - name: one
    mongoQuery:
      metadata: {$elemMatch: {key: temp, value: {$gte: 1, $near: 2}}}
  - name: one
    query: {}
    mongoQuery: {$where: "1"}
  - mongoQuery: "{"
`;
  writeFileSync(join(cwd, 'f.yaml'), many);
  const { code, stderr } = await runCli(['filters', 'f.yaml', '--url', 'http://127.0.0.1:1'], { cwd });
  t.equal(code, 1);
  t.match(stderr, /^epr: f\.yaml has 6 faults; nothing was changed:\n/);
  t.match(stderr, /f\.yaml:9:17: mongoQuery, as a text: The text is not JSON: [^:]* at position 1\b/, 'once');
  const places = stderr
    .split('\n')
    .map((line) =>
      /f\.yaml:(\d+:\d+): .*?("one"|"query"|\$near|\$where|name of 1|not JSON|$)/.exec(line)?.slice(1),
    );
  t.same(
    places.filter((found) => found !== undefined),
    [
      ['5:66', '$near'],
      ['6:11', '"one"'],
      ['7:12', '"query"'],
      ['8:26', '$where'],
      ['9:5', 'name of 1'],
      ['9:17', 'not JSON'],
    ],
  );
});

void t.test('what no endpoint has is hinted at, once', async (t) => {
  const { url } = await startRegister(t);
  const cwd = temporaryFolder(t);
  const file = fileOf([
    { name: 'a', mongoQuery: { temp: 3 } },
    { name: 'b', mongoQuery: hotter(1) },
  ]);
  const first = await apply(url, cwd, file, '--yes');
  t.equal(first.code, 0, first.stderr);
  t.match(first.stderr, /^Hint: f\.json:7:\d+: .*no "temp".*\{"key": "temp", "value": 3\}/m);
  t.equal(first.stderr.match(/Hint/g)?.length, 1);
  t.equal((await filtersOf(url)).length, 2, 'it is saved all the same');
  const again = await apply(url, cwd, file, '--yes');
  t.notMatch(again.stderr, /Hint/);
});

void t.test('what the register refuses is told with its place, and the others are made', async (t) => {
  const { url } = await startRegister(t, { 'limits.filter-conditions': '2' });
  const cwd = temporaryFolder(t);
  const large = { $and: [hotter(1), hotter(2), hotter(3)] };
  const { code, stdout, stderr } = await apply(
    url,
    cwd,
    fileOf([
      { name: 'large', mongoQuery: large },
      { name: 'small', mongoQuery: hotter(1) },
    ]),
    '--yes',
  );
  t.equal(code, 1);
  t.match(stdout, /1 saved, 1 not done\./);
  t.match(
    stderr,
    /^epr: f\.json:6:21: filter "large" \(400\): The query has 6 conditions, 2 are allowed.*\n$/,
  );
  t.match(await filtersOf(url), [{ name: 'small', status: 'active' }]);

  const unknown = await apply(url, cwd, fileOf([], 'dmeo'), '--dry-run');
  t.equal(unknown.code, 1);
  t.match(unknown.stderr, /^epr: .*"dmeo".*kaa\.applications.*\n$/);
  const away = await apply('http://127.0.0.1:1', cwd, fileOf([]), '--retry-for', '50ms');
  t.equal(away.code, 1);
  t.match(away.stderr, /No answer from .*--url/);
  const both = await apply(url, cwd, fileOf([]), '--yes', '--dry-run');
  t.equal(both.code, 2);
});

/** Stands between `epr` and the register; `between` is done before a request goes on. */
async function startProxy(
  t: TestContext,
  target: string,
  between: (method: string) => Promise<'lose-answer' | undefined>,
): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    void between(incoming.method!).then((how) => {
      const { method, headers, url } = incoming;
      const onward = httpRequest(target + url!, { method, headers }, (answer) => {
        if (how === 'lose-answer') return void incoming.socket.destroy();
        outgoing.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(onward);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

void t.test('a lost answer is no failure, and what somebody else changed meanwhile stays', async (t) => {
  const { url } = await startRegister(t);
  const cwd = temporaryFolder(t);
  const lost = new Set<string>();
  const flaky = await startProxy(t, url, async (method) => {
    if (method === 'GET' || lost.has(method)) return undefined;
    lost.add(method);
    return 'lose-answer';
  });
  t.equal((await apply(flaky, cwd, fileOf([{ name: 'a', mongoQuery: hotter(1) }]), '--yes')).code, 0);
  t.equal((await apply(flaky, cwd, fileOf([{ name: 'a', mongoQuery: hotter(2) }]), '--yes')).code, 0);
  t.match(await filtersOf(url), [{ name: 'a', mongoQuery: hotter(2) }]);
  t.equal((await apply(flaky, cwd, fileOf([]), '--yes', '--prune')).code, 0);
  t.same(await filtersOf(url), []);
  t.same([...lost], ['POST', 'PATCH', 'DELETE']);

  await apply(url, cwd, fileOf([{ name: 'a', mongoQuery: hotter(1) }]), '--yes');
  const { id } = (await filtersOf(url))[0]!;
  let raced = false;
  const racing = await startProxy(t, url, async (method) => {
    if (method !== 'PATCH' || raced) return undefined;
    raced = true;
    const answer = await fetch(`${url}/api/v1/applications/demo/filters/${id}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ mongoQuery: hotter(7) }),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return undefined;
  });
  const { code, stderr } = await apply(racing, cwd, fileOf([{ name: 'a', mongoQuery: hotter(2) }]), '--yes');
  t.equal(code, 1);
  t.match(stderr, /^epr: f\.json:4:5: filter "a" \(412\): It was changed by somebody else meanwhile.*\n$/);
  t.match(await filtersOf(url), [{ name: 'a', mongoQuery: hotter(7) }]);
});

const SCRIPT = '/usr/bin/script';

void t.test('on a terminal it asks', { skip: !existsSync(SCRIPT) }, async (t) => {
  const { url } = await startRegister(t);
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, 'f.json'), fileOf([{ name: 'a', mongoQuery: hotter(1) }]));
  const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));
  const answer = async (keys: string): Promise<{ code: number | null; output: string }> => {
    const command = `'${process.execPath}' '${main}' filters f.json --url ${url}`;
    const child = spawn(SCRIPT, ['-qec', command, '/dev/null'], { cwd, stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      const before = output;
      output += chunk.toString();
      if (!before.includes('[y/N] ') && output.includes('[y/N] ')) child.stdin.write(keys);
    });
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    return { code, output };
  };
  const no = await answer('n\r');
  t.equal(no.code, 1, no.output);
  t.match(no.output, /Nothing was changed\./);
  const pressed = await answer('\u0003');
  t.equal(pressed.code, 130, pressed.output);
  t.match(pressed.output, /Stopped\. Nothing was changed\./);
  const end = await answer('\u0004');
  t.equal(end.code, 1, end.output);
  t.same(await filtersOf(url), []);
  const yes = await answer('y\r');
  t.equal(yes.code, 0, yes.output);
  t.match(await filtersOf(url), [{ name: 'a', status: 'active' }]);
});

void t.test('Ctrl-C while it waits leaves the register to it', async (t) => {
  const { url } = await startRegister(t);
  const cwd = temporaryFolder(t);
  // the filters never become active for this one
  const waiting = await startProxy(t, url, async (method) =>
    method === 'GET' && (await filtersOf(url)).length > 0 ? 'lose-answer' : undefined,
  );
  writeFileSync(join(cwd, 'f.json'), fileOf([{ name: 'a', mongoQuery: hotter(1) }]));
  const running = startCli(['filters', 'f.json', '--url', waiting, '--yes'], { cwd });
  await running.said('does not answer');
  running.child.kill('SIGINT');
  const { code, stdout, stderr } = await running.done;
  t.equal(code, 130, stderr);
  t.match(stdout, /1 saved\.\n$/);
  t.match(stderr, /Stopped\. The changes are made; the register goes on/);
});
