/** Where settings come from: flags, environment, file. Nothing is understood here, only found. */
import { existsSync, readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { matchKey } from './keys.js';
import { badName, badValue, givenTwice, notAGroup, unknownKey, unreadable } from './problems.js';
import { environmentName, environmentNames, type Setting } from './setting.js';
import { namedRoots } from './settings.js';
import { type Leaf, readTree, type Tree } from './tree.js';
import type { ConfigProblem, ConfigSource } from './types.js';
import { quote } from './value-types.js';

export interface LoadInput {
  /** From the command line: `--config <file>` and `--set <key>=<value>`. */
  readonly argv?: { readonly config?: string; readonly set?: Readonly<Record<string, string>> };
  readonly env: NodeJS.ProcessEnv;
  /** What relative paths start from. */
  readonly cwd: string;
  /** Whether standard output is a terminal. */
  readonly isTty: boolean;
  /** On SIGHUP: the replica id in force, so that a random one stays. */
  readonly replicaId?: string;
}

/** Something written for a key, and by whom. */
export interface Candidate extends Leaf {
  readonly source: Exclude<ConfigSource, 'default'>;
  /** The file that a variable `..._FILE` names, absolute. */
  readonly file?: string;
}

export interface FileTree extends Tree {
  /** Undefined: no file, because none was named and the default is not there. */
  readonly path?: string;
}

const emptyTree: Tree = { leaves: new Map(), emptyGroups: [], problems: [] };
const defaultFile = 'config/epr.yml';

export function readFileSource(input: LoadInput): FileTree {
  const named = input.argv?.config ?? (input.env['APP_CONFIG_PATH'] || undefined);
  const by = input.argv?.config === undefined ? 'APP_CONFIG_PATH' : '--config';
  const path = resolve(input.cwd, named ?? defaultFile);
  if (named === undefined && !existsSync(path)) return emptyTree;
  const shown = named ?? relative(input.cwd, path);
  const text = readText(path);
  if ('error' in text) {
    const problem = unreadable(
      named === undefined ? shown : by,
      `${shown}: ${text.error}`,
      'a YAML file that can be read',
    );
    return { ...emptyTree, path: shown, problems: [problem] };
  }
  const tree = readTree(text.text, '', {
    entry: (line) => `${shown}:${line}`,
    problem: (line, column) => `${shown}:${line}:${column}`,
  });
  return { ...tree, path: shown };
}

/** The variable of a named root, such as KAA_APPLICATIONS; undefined when it is not set. */
export function readRootVariable(root: string, env: NodeJS.ProcessEnv): Tree | undefined {
  const name = environmentName(root);
  const text = env[name];
  return text ? readTree(text, root, { entry: () => name, problem: () => name }) : undefined;
}

/** Flags. A flag for a named root (`kaa.applications={...}`) holds JSON, as its variable does. */
export function readFlags(
  set: Readonly<Record<string, string>>,
): Tree & { readonly roots: ReadonlyMap<string, Tree> } {
  const leaves = new Map<string, Leaf>();
  const roots = new Map<string, Tree>();
  const problems: ConfigProblem[] = [];
  for (const [key, text] of Object.entries(set)) {
    const where = `--set ${key}`;
    const match = matchKey(key);
    if (match.kind === 'setting')
      leaves.set(key, { key, given: { kind: 'text', text }, where, valueWhere: where });
    else if (namedRoots.includes(key)) {
      const tree = readTree(text, key, { entry: () => where, problem: () => where });
      roots.set(key, tree);
      problems.push(...tree.problems);
    } else if (match.kind === 'group') problems.push(notAGroup(key, where, 'text'));
    else if (match.kind === 'bad-name') problems.push(badName(key, where, match.name, match.allowed));
    else problems.push(unknownKey(key, where));
  }
  return { leaves, emptyGroups: [], problems, roots };
}

/** What the variables of one setting say. An empty variable counts as not set. */
export function readVariables(
  row: Setting,
  key: string,
  input: LoadInput,
): { candidate?: Candidate; problems: ConfigProblem[] } {
  const problems: ConfigProblem[] = [];
  let found: { text: string; where: string; file?: string } | undefined;
  const take = (text: string, where: string, file?: string): void => {
    if (found && found.text !== text) problems.push(givenTwice(key, where, found.where));
    found ??= { text, where, ...(file === undefined ? {} : { file }) };
  };
  for (const name of environmentNames(row, key)) {
    const text = input.env[name];
    if (text) take(text, name);
    const path = row.fromFile ? input.env[`${name}_FILE`] : undefined;
    if (!path) continue;
    const file = resolve(input.cwd, path);
    const read = readText(file);
    if ('text' in read) take(read.text.replace(/\r?\n$/, ''), `${name}_FILE`, file);
    else {
      const reason = `${quote(path)} (${read.error})`;
      problems.push(
        badValue({
          key,
          where: `${name}_FILE`,
          found: reason,
          allowed: 'the path of a file that can be read',
        }),
      );
    }
  }
  if (!found) return { problems };
  const { text, ...rest } = found;
  return {
    candidate: {
      key,
      given: { kind: 'text', text },
      valueWhere: found.where,
      source: 'environment',
      ...rest,
    },
    problems,
  };
}

/** The text of a UTF-8 file, or why there is none. */
export function readText(path: string): { text: string } | { error: string } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path)) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return { error: 'no such file' };
    if (code === 'EISDIR') return { error: 'it is a folder' };
    if (code === 'EACCES') return { error: 'permission denied' };
    return { error: code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8 text' : String(code) };
  }
}
