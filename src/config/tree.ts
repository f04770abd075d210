/** A YAML text (JSON is YAML too) as settings by dotted key, each with its place. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';
import { matchKey } from './keys.js';
import { badName, badValue, givenTwice, notAGroup, unknownKey, unreadable } from './problems.js';
import type { ConfigProblem } from './types.js';
import type { Given } from './value-types.js';

/** What was written for one key. */
export interface Leaf {
  readonly key: string;
  readonly given: Given;
  /** The place of the key, for `epr config`. */
  readonly where: string;
  /** The place of the value, for errors. */
  readonly valueWhere: string;
}

export interface Tree {
  readonly leaves: ReadonlyMap<string, Leaf>;
  /** Groups that were named without anything in them. */
  readonly emptyGroups: readonly Leaf[];
  readonly problems: readonly ConfigProblem[];
}

export interface Places {
  /** Of an entry in force. */
  entry(line: number): string;
  /** Of a problem. */
  problem(line: number, column: number): string;
}

/**
 * Reads the settings under `prefix` ('' for the whole tree). Nested mappings and dotted keys mean the same.
 * Values are not looked at yet; unknown keys and bad names are problems. Texts of errors never quote the source,
 * which may hold secrets.
 */
export function readTree(text: string, prefix: string, places: Places): Tree {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const at = (offset: number | undefined): { line: number; col: number } => {
    const { line, col } = lines.linePos(offset ?? 0);
    return { line: Math.max(line, 1), col: Math.max(col, 1) };
  };
  const problemAt = (offset: number | undefined): string => {
    const { line, col } = at(offset);
    return places.problem(line, col);
  };

  const leaves = new Map<string, Leaf>();
  const emptyGroups: Leaf[] = [];
  const problems: ConfigProblem[] = [];
  const done: Tree = { leaves, emptyGroups, problems };

  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    const what = code === 'TAG_RESOLVE_FAILED' ? 'a value with an unknown tag (!...)' : firstLine(message);
    problems.push(
      unreadable(problemAt(pos[0]), what, 'valid YAML (text with special characters needs quotes)'),
    );
  }
  if (problems.length > 0) return done;

  const resolve = (node: unknown): Node | null | undefined =>
    isAlias(node) ? node.resolve(document) : (node as Node | null);

  const root = resolve(document.contents);
  if (isMap(root)) walk(root, prefix === '' ? [] : [prefix]);
  else if (root != null && !(isScalar(root) && root.value === null)) {
    const where = problemAt(document.contents?.range?.[0]);
    if (prefix === '') problems.push(unreadable(where, kindOf(root), 'a mapping of settings'));
    else problems.push(notAGroup(prefix, where, kindOf(root)));
  }
  return done;

  function walk(map: YAMLMap, path: readonly string[]): void {
    const seen = new Map<string, string>();
    for (const pair of map.items) {
      const keyNode = pair.key as Node;
      const keyWhere = problemAt(keyNode.range?.[0]);
      if (!isScalar(keyNode)) {
        problems.push(unreadable(keyWhere, 'a key that is not text', 'text as a key'));
        continue;
      }
      const name =
        typeof keyNode.value === 'string' ? keyNode.value : (keyNode.source ?? String(keyNode.value));
      const key = [...path, name].join('.');
      const first = seen.get(name);
      if (first !== undefined) {
        problems.push(givenTwice(key, keyWhere, first));
        continue;
      }
      seen.set(name, keyWhere);
      take(key, keyNode, pair.value as Node | null, keyWhere);
    }
  }

  function take(key: string, keyNode: Node, written: Node | null, keyWhere: string): void {
    const match = matchKey(key);
    if (match.kind === 'unknown') {
      problems.push(unknownKey(key, keyWhere));
      return;
    }
    if (match.kind === 'bad-name') {
      problems.push(badName(key, keyWhere, match.name, match.allowed));
      return;
    }
    // An empty value has no place of its own.
    const valueWhere = isEmpty(written) ? keyWhere : problemAt(written?.range?.[0]);
    const value = resolve(written);
    if (value === undefined) {
      const found = 'an alias (*) to no anchor';
      problems.push(
        badValue({ key, where: valueWhere, found, allowed: 'text that begins with * in quotes' }),
      );
      return;
    }
    const where = places.entry(at(keyNode.range?.[0]).line);
    const leaf: Leaf = { key, given: givenBy(value), where, valueWhere };
    if (match.kind === 'group') {
      if (isMap(value) && value.items.length > 0) walk(value, [key]);
      else if (leaf.given.kind === 'nothing') emptyGroups.push(leaf);
      else problems.push(notAGroup(key, valueWhere, kindOf(value)));
      return;
    }
    const earlier = leaves.get(key);
    if (earlier) problems.push(givenTwice(key, keyWhere, earlier.valueWhere));
    else leaves.set(key, leaf);
  }

  function givenBy(value: Node | null): Given {
    if (value === null || (isMap(value) && value.items.length === 0)) return { kind: 'nothing' };
    if (isScalar(value)) {
      const scalar = scalarText(value);
      return scalar === undefined ? { kind: 'nothing' } : { kind: 'text', text: scalar };
    }
    if (!isSeq(value)) return { kind: 'other', what: kindOf(value) };
    const items = value.items.map((item) => {
      const node = resolve(item);
      return isScalar(node) ? scalarText(node) : undefined;
    });
    return items.every((item) => item !== undefined)
      ? { kind: 'list', items }
      : { kind: 'other', what: 'a list whose items are not all text' };
  }
}

/** A scalar as it was written, so that 007 stays 007; undefined for null. */
function scalarText(node: { value: unknown; source?: string }): string | undefined {
  if (node.value === null) return undefined;
  return typeof node.value === 'string' ? node.value : node.source;
}

function isEmpty(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null && !node.source);
}

function kindOf(node: unknown): string {
  if (isMap(node)) return 'a mapping';
  if (isSeq(node)) return 'a list';
  return isScalar(node) && typeof node.value !== 'string' ? `a ${typeof node.value}` : 'text';
}

function firstLine(message: string): string {
  return message.split('\n')[0] ?? message;
}
