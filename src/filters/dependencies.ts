import type { Expression } from './expression.js';
import { entryConditionOf } from './metadata-entry.js';

/** What the truth of a query can depend on. Sound: what is not named here never changes it. */
export interface Dependencies {
  /** null: any metadata key, and their order */
  keys: ReadonlySet<string> | null;
  usesVersion: boolean;
  usesId: boolean;
}

export function dependenciesOf(expression: Expression): Dependencies {
  const keys = new Set<string>();
  const found = { anyKey: false, usesVersion: false, usesId: false };
  collect(expression);
  return { keys: found.anyKey ? null : keys, usesVersion: found.usesVersion, usesId: found.usesId };

  function collect(inner: Expression): void {
    switch (inner.kind) {
      case 'and':
      case 'or':
        inner.clauses.forEach(collect);
        return;
      case 'not':
        collect(inner.clause);
        return;
      case 'never':
        return;
      case 'condition': {
        const name = inner.path[0];
        if (name === 'application_version') found.usesVersion = true;
        else if (name === 'endpoint_id') found.usesId = true;
        else if (name === 'metadata') {
          const entry = entryConditionOf(inner.path, inner.test);
          if (entry === undefined) found.anyKey = true;
          else entry.keys.forEach((key) => keys.add(key));
        }
      }
    }
  }
}
