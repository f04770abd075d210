import type { PatternNode } from './syntax.js';

/** How large a pattern is with its repetitions written out. */
export interface PatternSize {
  /** characters and classes */
  positions: number;
  /** places where one part follows another */
  seams: number;
  /** kinds of assertions, each by its own name */
  assertions: ReadonlySet<string>;
}

/** O(size of the pattern as it is written). */
export function sizeOf(root: PatternNode): PatternSize {
  const assertions = new Set<string>();
  const measure = (node: PatternNode): { positions: number; seams: number } => {
    switch (node.kind) {
      case 'literal':
      case 'class':
        return { positions: 1, seams: 0 };
      case 'assertion':
        assertions.add(node.assertion);
        return { positions: 0, seams: 0 };
      case 'sequence':
      case 'alternation': {
        const parts = node.kind === 'sequence' ? node.items : node.branches;
        const total = { positions: 0, seams: node.kind === 'sequence' ? Math.max(parts.length - 1, 0) : 0 };
        for (const { positions, seams } of parts.map(measure)) {
          total.positions += positions;
          total.seams += seams;
        }
        return total;
      }
      case 'repeat': {
        const copies = node.max === Infinity ? Math.max(node.min, 1) : node.max;
        const { positions, seams } = measure(node.item);
        return { positions: copies * positions, seams: copies * (seams + 1) };
      }
    }
  };
  return { ...measure(root), assertions };
}
