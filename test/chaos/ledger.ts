/** `unknown`: no answer came, or one that leaves it open; `refused`: certainly nothing was written. */
export type Result = 'acknowledged' | 'unknown' | 'refused';

export const KINDS = [
  'PUT',
  'PATCH',
  'key update',
  'batch update',
  'connected',
  'register',
  'unregister',
] as const;
export type Kind = (typeof KINDS)[number];

/** One value of one endpoint, which a single writer writes: 1, 2, 3, ..., the next when it is known what came of the last. */
export interface Chain {
  readonly kind: Kind;
  readonly endpointId: string;
  /** the metadata key; `version` is the application version */
  readonly key: string;
  /** of the number n in place n - 1 */
  readonly results: Result[];
}

/** What the writers know of their writes. */
export interface Ledger {
  readonly chains: readonly Chain[];
  chain(kind: Kind, endpointId: string, key: string): Chain;
  counts(result: Result): ReadonlyMap<Kind, number>;
}

export function createLedger(): Ledger {
  const chains: Chain[] = [];
  return {
    chains,
    chain(kind, endpointId, key) {
      const chain: Chain = { kind, endpointId, key, results: [] };
      chains.push(chain);
      return chain;
    },
    counts(wanted) {
      const counts = new Map<Kind, number>();
      for (const { kind, results } of chains) {
        const count = results.filter((result) => result === wanted).length;
        if (count > 0) counts.set(kind, (counts.get(kind) ?? 0) + count);
      }
      return counts;
    },
  };
}

/** 0: none was. */
export function lastAcknowledged({ results }: Chain): number {
  return results.lastIndexOf('acknowledged') + 1;
}

/** What in the values that a chain had, one after the other, contradicts what is known of its writes. */
export function faultsOfChain(
  { kind, endpointId, key, results }: Chain,
  values: readonly number[],
): string[] {
  const faults: string[] = [];
  const fault = (text: string) => void faults.push(`${endpointId}.${key} (${kind}): ${text}`);
  let before = 0;
  for (const value of values) {
    const result = results[value - 1];
    if (value <= before) fault(`${value} came after ${before}`);
    if (result === undefined) fault(`${value} was never sent`);
    if (result === 'refused') fault(`${value} was refused, and happened`);
    before = value;
  }
  const seen = new Set(values);
  for (const [i, result] of results.entries())
    if (result === 'acknowledged' && !seen.has(i + 1))
      fault(`${i + 1} was acknowledged, and never happened; it had ${values.slice(-5).join(', ')} at last`);
  return faults;
}
