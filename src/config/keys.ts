/** Which setting a dotted key names, and which one was probably meant by a key that names none. */
import type { Setting } from './setting.js';
import { settings } from './settings.js';

export type KeyMatch =
  /** `names` are what stands for the placeholders, in order. */
  | { readonly kind: 'setting'; readonly row: Setting; readonly names: readonly string[] }
  | { readonly kind: 'group'; readonly names: readonly string[] }
  | { readonly kind: 'bad-name'; readonly name: string; readonly allowed: string }
  | { readonly kind: 'unknown' };

/** What the name of an application or a version is to be. */
export const NAME = 'a name of a-z, 0-9, _ and -, of at most 256 characters';

const nameRules: Readonly<Record<string, { pattern: RegExp; allowed: string }>> = {
  '<app>': { pattern: /^[a-z0-9_-]{1,256}$/, allowed: NAME },
  '<version>': { pattern: /^[a-z0-9_-]{1,256}$/, allowed: NAME },
  '<tenant>': { pattern: /^[A-Za-z0-9_-]+$/, allowed: 'a name of letters, digits, _ and -' },
  '<role>': { pattern: /^\S+$/, allowed: 'a name without white space' },
};

/** Cost: O(rows). */
export function matchKey(key: string, rows = settings): KeyMatch {
  let best: KeyMatch = { kind: 'unknown' };
  for (const row of rows) {
    const match = matchRow(key.split('.'), row);
    if (match.kind === 'setting') return match;
    if (match.kind === 'group' || (match.kind === 'bad-name' && best.kind === 'unknown')) best = match;
  }
  return best;
}

function matchRow(segments: readonly string[], row: Setting): KeyMatch {
  const parts = row.key.split('.');
  const names: string[] = [];
  for (const [index, part] of parts.entries()) {
    const segment = segments[index];
    if (segment === undefined) return { kind: 'group', names };
    const rule = nameRules[part];
    if (!rule) {
      if (segment !== part) return { kind: 'unknown' };
      continue;
    }
    // The last name takes the rest, dots included.
    const name = index === parts.length - 1 ? segments.slice(index).join('.') : segment;
    if (!rule.pattern.test(name)) return { kind: 'bad-name', name, allowed: rule.allowed };
    names.push(name);
    if (index === parts.length - 1) return { kind: 'setting', row, names };
  }
  return segments.length === parts.length ? { kind: 'setting', row, names } : { kind: 'unknown' };
}

/** The keys that may stand directly under the deepest group that `key` is in, as dotted keys. */
export function siblingKeys(key: string): string[] {
  const segments = key.split('.');
  for (let depth = segments.length - 1; depth >= 0; depth--) {
    const keys = childKeys(segments.slice(0, depth));
    if (keys.length > 0) return keys;
  }
  return [];
}

export function childKeys(parent: readonly string[]): string[] {
  const children = settings.flatMap(({ key }) => {
    const parts = key.split('.');
    const inside = parent.every(
      (segment, index) => parts[index] === segment || (parts[index] ?? '') in nameRules,
    );
    return inside && parts.length > parent.length ? [[...parent, parts[parent.length]].join('.')] : [];
  });
  return [...new Set(children)];
}

/** The known key or group nearest to `key`; undefined when none is near. */
export function nearestKey(key: string): string | undefined {
  const segments = key.split('.');
  const candidates = new Set<string>();
  for (const row of settings) {
    const parts = row.key.split('.');
    const fitted = parts.map((part, index) => (part in nameRules ? (segments[index] ?? part) : part));
    for (let depth = 1; depth <= fitted.length; depth++) candidates.add(fitted.slice(0, depth).join('.'));
  }
  const bySuffix = [...candidates].filter((each) => each.endsWith(`.${key}`));
  if (bySuffix.length === 1) return bySuffix[0];
  return nearestOf(key, [...candidates]);
}

/** The word nearest to `word`, when at most a third of its last part (two letters at least) differs. */
export function nearestOf(word: string, candidates: readonly string[]): string | undefined {
  const plain = normalize(word);
  const last = plain.split('.').at(-1) ?? '';
  let bound = Math.max(2, Math.floor(last.length / 3)) + 1;
  let nearest: string | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(plain, normalize(candidate));
    if (distance < bound) [bound, nearest] = [distance, candidate];
  }
  return nearest;
}

function normalize(key: string): string {
  return key.toLowerCase().replace(/[-_]/g, '');
}

/** Levenshtein's distance. O(a * b). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
