/** `unknown`: no answer came, or one that leaves it open; `refused`: certainly nothing was written. */
export type Result = 'acknowledged' | 'unknown' | 'refused';

export const KINDS = [
  'PUT',
  'PATCH',
  'key update',
  'batch update',
  'connected',
  'disconnected',
  'register',
  'unregister',
] as const;
export type Kind = (typeof KINDS)[number];

/** What a connectivity event says of an endpoint. */
export interface Report {
  connected: boolean;
  timestampMs: number;
}

/** One value of one endpoint, which a single writer writes: 1, 2, 3, ..., the next when it is known what came of the last. */
export interface Chain {
  /** `connected`: all that is said of its connectivity, `disconnected` too */
  readonly kind: Kind;
  readonly endpointId: string;
  /** the metadata key */
  readonly key: string;
  /** of the number n in place n - 1 */
  readonly results: Result[];
  /** of the kind `connected`, as `results` */
  readonly reports: Report[];
  /** one that is `unknown` may still be carried out when later ones have been */
  readonly mayComeLate: boolean;
}

/** What the writers know of their writes. */
export interface Ledger {
  readonly chains: readonly Chain[];
  chain(kind: Kind, endpointId: string, key: string, mayComeLate?: boolean): Chain;
  counts(result: Result): ReadonlyMap<Kind, number>;
}

export function createLedger(): Ledger {
  const chains: Chain[] = [];
  return {
    chains,
    chain(kind, endpointId, key, mayComeLate = false) {
      const chain: Chain = { kind, endpointId, key, results: [], reports: [], mayComeLate };
      chains.push(chain);
      return chain;
    },
    counts(wanted) {
      const counts = new Map<Kind, number>();
      for (const { kind, results, reports } of chains)
        results.forEach((result, i) => {
          if (result !== wanted) return;
          const said = reports[i]?.connected === false ? 'disconnected' : kind;
          counts.set(said, (counts.get(said) ?? 0) + 1);
        });
      return counts;
    },
  };
}

/** 0: none was. */
export function lastAcknowledged({ results }: Pick<Chain, 'results'>): number {
  return results.lastIndexOf('acknowledged') + 1;
}

/** What in the values that a chain had, one after the other, contradicts what is known of its writes. */
export function faultsOfChain(
  { kind, endpointId, key, results, mayComeLate }: Chain,
  values: readonly number[],
): string[] {
  const faults: string[] = [];
  const fault = (text: string) => void faults.push(`${endpointId}.${key} (${kind}): ${text}`);
  const seen = new Set<number>();
  let highest = 0;
  for (const value of values) {
    const result = results[value - 1];
    const isLate = mayComeLate && result === 'unknown' && !seen.has(value);
    if (value <= highest && !isLate) fault(`${value} came after ${highest}`);
    if (result === undefined) fault(`${value} was never sent`);
    if (result === 'refused') fault(`${value} was refused, and happened`);
    seen.add(value);
    highest = Math.max(highest, value);
  }
  for (const [i, result] of results.entries())
    if (result === 'acknowledged' && !seen.has(i + 1))
      fault(`${i + 1} was acknowledged, and never happened; it had ${values.slice(-5).join(', ')} at last`);
  return faults;
}

/** What in the value that is stored at the end contradicts it; 0: there is none. */
export function faultOfStored(
  { kind, endpointId, key, results, mayComeLate }: Chain,
  found: number,
): string | undefined {
  const last = lastAcknowledged({ results });
  const result = results[found - 1];
  const isLate = mayComeLate && result === 'unknown';
  if ((found >= last || isLate) && result !== 'refused' && (found === 0 || result !== undefined))
    return undefined;
  return `${endpointId}.${key} (${kind}): ${last} was acknowledged, ${found} is stored`;
}
