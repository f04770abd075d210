/** Decides for every setting what is in force: flag, then environment, then file, then default. */
import { environmentName, type DefaultContext, type Setting } from './setting.js';
import { matchKey } from './keys.js';
import { badValue } from './problems.js';
import { namedRoots, settings } from './settings.js';
import {
  type Candidate,
  type FileTree,
  type LoadInput,
  readFlags,
  readRootVariable,
  readVariables,
} from './sources.js';
import { type Leaf, readTree, type Tree } from './tree.js';
import type { ConfigEntry, ConfigProblem, ConfigSource } from './types.js';
import { MASK } from './value-types.js';

/** A setting in force, with its row and the place that an error about it names. */
export interface Settled extends ConfigEntry {
  readonly row: Setting;
  readonly names: readonly string[];
  readonly valueWhere: string;
  /** The file that its value was read from, where a variable `..._FILE` names one. */
  readonly file?: string;
}

export interface Settlement {
  /** By key, in the order of the table; settings with names in their order of appearance. */
  readonly settled: ReadonlyMap<string, Settled>;
  /** For each named root, the names that were given, in order. */
  readonly names: ReadonlyMap<string, ReadonlySet<string>>;
  /** True when nothing was configured and the demo application stands in. */
  readonly demo: boolean;
  readonly problems: readonly ConfigProblem[];
}

/** What runs when nobody said anything. */
const demoTree = readTree('{"demo": {"versions": {"demo-v1": null, "demo-v2": null}}}', 'kaa.applications', {
  entry: () => 'default',
  problem: () => 'default',
});

export function settle(input: LoadInput, file: FileTree, defaults: Omit<DefaultContext, 'of'>): Settlement {
  const flags = readFlags(input.argv?.set ?? {});
  const problems: ConfigProblem[] = [...file.problems, ...flags.problems];
  const settled = new Map<string, Settled>();
  const names = new Map<string, Set<string>>();
  let demo = false;

  for (const row of settings) {
    if (row.key.includes('<')) continue;
    const variables = readVariables(row, row.key, input);
    problems.push(...variables.problems);
    const candidates = [from(flags, row.key, 'flag'), variables.candidate, from(file, row.key, 'file')];
    decide(row, row.key, [], candidates, (key) => settled.get(key)?.value);
  }
  for (const root of namedRoots) settleRoot(root);

  const order = new Map(settings.map(({ key }, index) => [key, index]));
  const sorted = [...settled].sort(
    ([, a], [, b]) => (order.get(a.row.key) ?? 0) - (order.get(b.row.key) ?? 0),
  );
  return { settled: new Map(sorted), names, demo, problems };

  function settleRoot(root: string): void {
    const base = baseOf(root);
    const leaves = new Map<string, Candidate | Leaf>();
    for (const leaf of [...base.tree.leaves.values(), ...flags.leaves.values()])
      if (leaf.key.startsWith(`${root}.`)) leaves.set(leaf.key, leaf);
    const known = new Set<string>();
    for (const { key } of [
      ...base.tree.leaves.values(),
      ...base.tree.emptyGroups,
      ...flags.leaves.values(),
    ]) {
      const match = matchKey(key);
      if (key.startsWith(`${root}.`) && 'names' in match && match.names[0] !== undefined)
        known.add(match.names[0]);
    }
    names.set(root, known);

    const meanings = new Map<string, string>();
    for (const row of settings.filter(({ key }) => key.startsWith(`${root}.`))) {
      const twoNames = row.key.split('<').length > 2;
      const keys = twoNames
        ? [...leaves.keys()].filter((key) => rowOf(key) === row)
        : [...known].map((name) => row.key.replace(/<[^>]+>/, () => name));
      for (const key of keys) {
        const match = matchKey(key);
        const keyNames = 'names' in match ? match.names : [];
        const variables = twoNames ? { problems: [] } : readVariables(row, key, input);
        problems.push(...variables.problems);
        if ('candidate' in variables && variables.candidate) {
          const other = meanings.get(environmentName(key));
          if (other !== undefined)
            problems.push(
              badValue({
                key,
                where: variables.candidate.where,
                found: `a variable that means ${other} as well`,
                allowed: `names that differ in more than - and _, or ${environmentName(root)} as JSON`,
              }),
            );
          meanings.set(environmentName(key), key);
        }
        const candidates = [
          from(flags, key, 'flag'),
          'candidate' in variables ? variables.candidate : undefined,
          base.source === 'default' ? undefined : from(base.tree, key, base.source),
        ];
        const of = (asked: string): unknown =>
          settled.get(asked.replace(/<[^>]+>/, () => keyNames[0] ?? ''))?.value;
        // The demo's versions have no candidate: they are the default.
        const isDemoVersion = base.source === 'default' && twoNames && candidates[0] === undefined;
        decide(row, key, keyNames, candidates, of, isDemoVersion ? true : undefined);
      }
    }
    if (base.tree !== file) checkOverridden(root);
  }

  /** Flag, variable or file: a root is taken whole from the first that has it. */
  function baseOf(root: string): { tree: Tree; source: ConfigSource } {
    const flag = flags.roots.get(root);
    const variable = readRootVariable(root, input.env);
    problems.push(...(variable?.problems ?? []));
    if (flag) return { tree: flag, source: 'flag' };
    if (variable) return { tree: variable, source: 'environment' };
    const flagged = [...flags.leaves.keys()].some((key) => key.startsWith(`${root}.`));
    const elsewhere = settled.get('kaa.tekton.enabled')?.value === true;
    if (root !== 'kaa.applications' || file.path !== undefined || flagged || elsewhere)
      return { tree: file, source: 'file' };
    demo = true;
    return { tree: demoTree, source: 'default' };
  }

  /** The file is checked whole, also where it is not in force. */
  function checkOverridden(root: string): void {
    for (const leaf of file.leaves.values()) {
      const row = leaf.key.startsWith(`${root}.`) ? rowOf(leaf.key) : undefined;
      if (row) read(row, { ...leaf, source: 'file' });
    }
  }

  function decide(
    row: Setting,
    key: string,
    keyNames: readonly string[],
    candidates: readonly (Candidate | undefined)[],
    of: DefaultContext['of'],
    fallback: unknown = row.default,
  ): void {
    const reads = candidates.flatMap((candidate) => {
      const value = candidate && read(row, candidate);
      return value ? [{ candidate, value: value.value }] : [];
    });
    const first = reads[0];
    if (first) {
      const { source, where, valueWhere, file } = first.candidate;
      const entry = { key, value: first.value, shown: show(row, first.value), source, where };
      const from = file === undefined ? {} : { file };
      settled.set(key, { ...entry, row, names: keyNames, valueWhere, ...from });
      return;
    }
    const value: unknown =
      typeof fallback === 'function'
        ? (fallback as (context: DefaultContext) => unknown)({ ...defaults, of })
        : fallback;
    const entry = { key, value, shown: show(row, value), source: 'default' as const };
    settled.set(key, { ...entry, row, names: keyNames, valueWhere: 'default' });
  }

  /** The value of a candidate, or undefined with a problem noted. */
  function read(row: Setting, candidate: Candidate): { value: unknown } | undefined {
    const result = row.type.read(candidate.given, { cwd: input.cwd });
    if (result.ok) return { value: result.value };
    const found = row.secret && candidate.given.kind === 'text' ? MASK : result.found;
    const { key, valueWhere: where } = candidate;
    problems.push(badValue({ key, where, found, why: result.why, allowed: row.type.allowed }));
    return undefined;
  }
}

function from(tree: Tree, key: string, source: Candidate['source']): Candidate | undefined {
  const leaf = tree.leaves.get(key);
  return leaf && { ...leaf, source };
}

function rowOf(key: string): Setting | undefined {
  const match = matchKey(key);
  return match.kind === 'setting' ? match.row : undefined;
}

function show(row: Setting, value: unknown): string {
  if (value === undefined) return '';
  return row.secret ? MASK : row.type.show(value);
}
