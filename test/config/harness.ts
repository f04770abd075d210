/** A working folder with files in it, and loading from there. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { type Config, type ConfigEntry, type ConfigProblem, loadConfig } from '../../src/config/index.js';

export interface Given {
  /** Text by path; `config/epr.yml` is the default file. */
  files?: Record<string, string | Buffer>;
  env?: Record<string, string>;
  config?: string;
  set?: Record<string, string>;
  isTty?: boolean;
  replicaId?: string;
}

export interface Loaded {
  config: Config;
  entries: ConfigEntry[];
  notes: string[];
  entry: (key: string) => ConfigEntry;
}

export function folder(t: Test, files: Record<string, string | Buffer> = {}): string {
  const cwd = t.testdir({});
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(cwd, path)), { recursive: true });
    writeFileSync(join(cwd, path), text);
  }
  return cwd;
}

function run(t: Test, given: Given): ReturnType<typeof loadConfig> {
  const { config, set, env = {}, isTty = false, replicaId } = given;
  return loadConfig({
    argv: { ...(config === undefined ? {} : { config }), ...(set ? { set } : {}) },
    env,
    cwd: folder(t, given.files),
    isTty,
    ...(replicaId === undefined ? {} : { replicaId }),
  });
}

export function load(t: Test, given: Given): Loaded {
  const loaded = run(t, given);
  if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join('\n'));
  return {
    ...loaded,
    entry(key) {
      const entry = loaded.entries.find((each) => each.key === key);
      if (!entry) throw new Error(`no entry ${key}`);
      return entry;
    },
  };
}

export function fail(t: Test, given: Given): ConfigProblem[] {
  const loaded = run(t, given);
  if (loaded.ok) throw new Error('loaded without a problem');
  return loaded.problems;
}

export function messages(t: Test, given: Given): string[] {
  return fail(t, given).map(({ message }) => message);
}

/** The default file with this text. */
export function yml(text: string): Given {
  return { files: { 'config/epr.yml': text } };
}
