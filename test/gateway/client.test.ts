import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import ts from 'typescript';
import { startHarness } from './harness.js';

const run = promisify(execFile);
// from build/test/gateway/ back to the sources
const GENERATE = fileURLToPath(new URL('../../../scripts/generate-client.mjs', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../../../test/gateway/client/program.ts', import.meta.url));

/** Compiles beside the sources, strictly; answers what is wrong with each, by its name. */
function compile(files: string[]): Map<string, string> {
  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
  });
  const { diagnostics } = program.emit();
  const wrong = new Map<string, string>();
  for (const { messageText, file, start } of [...ts.getPreEmitDiagnostics(program), ...diagnostics]) {
    const name = basename(file?.fileName ?? '');
    const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
    const text = `${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    wrong.set(name, `${wrong.get(name) ?? ''}${text}\n`);
  }
  return wrong;
}

/** What users get wrong, in the place of what is right, and what they are told. */
const MISTAKES: readonly [right: string, wrong: string, told: RegExp][] = [
  [
    "client.PUT('/endpoints/{endpointId}/metadata/{key}'",
    "client.PUT('/endpoints/{endpointId}/metadata/{k}'",
    /argument/i,
  ],
  ['endpointIds: [', 'endpointId: [', /endpointIds?/],
  ["appVersion: { name: 'demo-v1' }, endpointId }", 'endpointId }', /appVersion/],
  ['limit: 1,', "limit: '1',", /number/],
  ["let taken: 'endpoint-exists'", "let taken: 'endpoint-is-there'", /endpoint-exists/],
  ["status: 'Inactive' =", "status: 'Active' =", /Inactive/],
  ['.createdCount +', '.created +', /operator|number/i],
];

void t.test('a client generated from the served document type-checks, and works', async (t) => {
  const h = await startHarness(t);
  const program = readFileSync(PROGRAM, 'utf8');
  const wrong = MISTAKES.map(([right, mistake], i): [string, string] => {
    t.ok(program.includes(right), right);
    return [`wrong-${i}.ts`, program.replace(right, mistake)];
  });
  const folder = t.testdir({
    'package.json': '{"type":"module"}',
    'program.ts': program,
    ...Object.fromEntries(wrong),
  });
  // .ts, for what is in a .d.ts would not be checked
  const types = join(folder, 'endpoint-register.ts');
  await run(process.execPath, [GENERATE, `${h.origin}/api/v1/openapi.json`, types]);
  const files = ['program.ts', ...wrong.map(([name]) => name)].map((name) => join(folder, name));
  const faults = compile(files);
  t.equal(faults.get('program.ts'), undefined);
  t.equal(faults.get('endpoint-register.ts'), undefined);
  for (const [i, [, mistake, told]] of MISTAKES.entries())
    t.match(faults.get(`wrong-${i}.ts`), told, `"${mistake}" is refused`);

  const { stdout } = await run(process.execPath, [join(folder, 'program.js'), `${h.origin}/api/v1`]);
  t.same(JSON.parse(stdout), {
    status: 'Inactive',
    taken: 'endpoint-exists',
    unchanged: 304,
    stale: 'precondition-failed',
    patched: { city: 'Kyiv', temp: 92, note: { by: 'hand' } },
    ids: ['typed-1'],
    found: [['typed-1', 92]],
    batch: [1, 1, ['endpoint-exists']],
    results: [
      [200, null],
      [404, 'endpoint-not-found'],
    ],
    filter: 'pending',
    preview: [1, 1],
    keys: ['city', 'temp'],
    deleted: ['typed-1', 'typed-2'],
    failed: ['endpoint-not-found'],
  });
});

void t.test('a document that can not be had is said', async (t) => {
  const h = await startHarness(t);
  const folder = t.testdir({});
  const generate = run(process.execPath, [GENERATE, `${h.origin}/nothing.json`, join(folder, 'x.d.ts')]);
  await t.rejects(generate, {
    code: 1,
    stderr: /nothing\.json could not be made into types: it answers 404\n/,
  });
});
