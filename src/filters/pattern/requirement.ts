import type { PatternNode } from './syntax.js';

/** The items of nested sequences, in a row. */
export function flatten(node: PatternNode): PatternNode[] {
  return node.kind === 'sequence' ? node.items.flatMap(flatten) : [node];
}

/**
 * What every text that matches has, looked for without an engine: the plain text that it begins with, and the longest
 * plain text in it. `undefined` where the pattern names none. May hold of texts that don't match.
 */
export function requirementOf(node: PatternNode): ((text: string) => boolean) | undefined {
  const items = flatten(node);
  const first = items[0];
  const isAnchored = first?.kind === 'assertion' && first.assertion === 'textStart';
  const start = isAnchored ? plainTextAt(items, 1) : '';
  let longest = '';
  for (let i = 0; i < items.length; i++) {
    const run = plainTextAt(items, i);
    if (run.length > longest.length) longest = run;
  }
  if (longest === '') return undefined;
  if (start === '') return (text) => text.includes(longest);
  if (start === longest) return (text) => text.startsWith(start);
  return (text) => text.startsWith(start) && text.includes(longest);
}

function plainTextAt(items: readonly PatternNode[], from: number): string {
  let text = '';
  for (let i = from; i < items.length; i++) {
    const item = items[i]!;
    if (item.kind !== 'literal' || item.ignoresCase) break;
    text += String.fromCodePoint(item.codePoint);
  }
  return text;
}
