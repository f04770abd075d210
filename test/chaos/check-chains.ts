import type { ToldHistory } from '../end-to-end/support/event-history.js';
import type { StoredEndpoint } from '../end-to-end/support/rest.js';
import type { Versions } from './connectivity-writer.js';
import { type Chain, faultOfStored, faultsOfChain, type Ledger } from './ledger.js';

type Stored = ReadonlyMap<string, StoredEndpoint>;

/** What of endpoints that are there contradicts the ledger. */
export function storeFaults(ledger: Ledger, records: Stored, versions: Versions): string[] {
  return chainsOf(ledger).flatMap((chain) => {
    const record = records.get(chain.endpointId);
    if (record === undefined || chain.kind === 'register' || chain.kind === 'unregister') return [];
    const found = numberOf(chain, record.metadata, record.appVersion.name, versions) ?? 0;
    // what a visitor has of an earlier visit is gone
    if (found === 0 && chain.endpointId.startsWith('v')) return [];
    return faultOfStored(chain, found) ?? [];
  });
}

/** What of the events does. */
export function eventFaults(ledger: Ledger, history: ToldHistory, versions: Versions): string[] {
  return chainsOf(ledger).flatMap((chain) => faultsOfChain(chain, valuesOf(chain, history, versions)));
}

/** Where `connected` is another than what was said with that time. */
export function connectivityFaults({ chains }: Ledger, history: ToldHistory, records: Stored): string[] {
  const faults: string[] = [];
  for (const { kind, endpointId, reports } of chains) {
    if (kind !== 'connected') continue;
    const stored = records.get(endpointId);
    const states = [...history.states(endpointId), ...(stored === undefined ? [] : [stored])];
    for (const { metadata } of states) {
      const { connected, connectivity_ts: timestampMs } = metadata;
      const said = reports.find((report) => report.timestampMs === timestampMs);
      if (said?.connected !== connected)
        faults.push(
          `${endpointId}: connected is ${JSON.stringify(connected)} with ${JSON.stringify(timestampMs)}`,
        );
    }
  }
  return faults;
}

/** Those that came tell a version, too: one more chain. */
function chainsOf({ chains }: Ledger): Chain[] {
  return chains.flatMap((chain) => {
    if (chain.kind !== 'connected') return [chain];
    const results = chain.results.map((result, i) => (chain.reports[i]!.connected ? result : 'refused'));
    return [chain, { ...chain, key: VERSION, results }];
  });
}

const VERSION = 'version';

/** The numbers that a chain had, one after the other. */
function valuesOf(chain: Chain, history: ToldHistory, versions: Versions): number[] {
  const values: number[] = [];
  let before: number | undefined;
  let left = 0;
  for (const { metadata, version, document } of history.states(chain.endpointId)) {
    if (chain.kind === 'unregister') {
      if (document === undefined) values.push(++left);
      continue;
    }
    const value = numberOf(chain, metadata, version, versions);
    if (value !== undefined && value !== before) values.push(value);
    before = value ?? before;
  }
  return values;
}

/** -1: none that was ever sent. */
function numberOf(
  { key, kind, reports }: Chain,
  metadata: StoredEndpoint['metadata'],
  version: string,
  versions: Versions,
): number | undefined {
  const value = metadata[key];
  if (kind !== 'connected') return value as number | undefined;
  if (key !== VERSION) {
    const place = reports.findIndex(({ timestampMs }) => timestampMs === value);
    return value === undefined ? undefined : place === -1 ? -1 : place + 1;
  }
  const number = Number(/\d+$/.exec(version)?.[0]);
  return version === versions.nameOf(number) && number > 0 ? number : undefined;
}
