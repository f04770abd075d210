import { isDeepStrictEqual } from 'node:util';
import type { NatsConnection } from 'nats';
import { type Claim, claimsOfFilter } from '../end-to-end/support/check-filter.js';
import { historyFromEvents, type ToldHistory } from '../end-to-end/support/event-history.js';
import { type KeptMessage, readEvents } from '../end-to-end/support/event-stream.js';
import { documentOf, readFlips } from '../end-to-end/support/flips.js';
import { findGaps, isOfEndpoint } from '../end-to-end/support/order.js';
import type { Rest, StoredEndpoint } from '../end-to-end/support/rest.js';
import { type MadeFilter, savedFilterOf } from './filter-changes.js';
import { type Chain, faultsOfChain, type Kind, lastAcknowledged, type Ledger } from './ledger.js';
import type { Versions } from './connected-writer.js';

/** What was found at the end of a run. */
export interface Verdict {
  claims: readonly Claim[];
  acknowledged: ReadonlyMap<Kind, number>;
  unknown: ReadonlyMap<Kind, number>;
  refused: ReadonlyMap<Kind, number>;
  /** messages in the stream, and those of them that had been there before */
  events: number;
  repeated: number;
  endpoints: number;
  filters: number;
  /** (endpoint, filter) whose events were compared with what they should be, and how many flips those told */
  pairs: number;
  flips: number;
}

export interface Evidence {
  rest: Rest;
  connection: NatsConnection;
  ledger: Ledger;
  filters: readonly MadeFilter[];
  versions: Versions;
  deadStream: string;
}

/** Compares what was acknowledged, what is stored and what was published. All is quiet. */
export async function judge({
  rest,
  connection,
  ledger,
  filters,
  versions,
  deadStream,
}: Evidence): Promise<Verdict> {
  const records = await rest.endpoints();
  const messages = await readEvents(connection);
  const published = readFlips(messages);
  const { history, faults } = historyFromEvents(messages);
  const dead = (await (await connection.jetstreamManager()).streams.info(deadStream)).state.messages;

  const changed = new Set(filters.flatMap(({ filter, phases }) => (phases.length > 1 ? [filter.id] : [])));
  const claims: Claim[] = [
    { says: 'no acknowledged write is missing in the store', faults: storeFaults(ledger, records, versions) },
    {
      says: 'no acknowledged write is missing in the events, none comes twice',
      faults: eventFaults(ledger, history, versions),
    },
    {
      says: 'first appearances of revisions are in order, without gaps',
      faults: findGaps(messages, lastRevisions(history)),
    },
    { says: 'each event goes on from the one before', faults },
    { says: 'the events lead to what is stored', faults: differences(history, records) },
    {
      says: 'matched and unmatched alternate, and records, subjects and ids agree',
      faults: [...published.faults, ...alternationFaults(messages, changed)],
    },
    { says: 'no event was given up', faults: dead === 0 ? [] : [`${dead} dead letters`] },
  ];
  const stored = new Map((await rest.filters()).map((filter) => [filter.id, filter]));
  const documents = new Map(
    [...records].map(([id, { appVersion, metadata }]) => [id, documentOf(id, appVersion.name, metadata)]),
  );
  const endpointIds = [...history.endpointIds()];
  let flips = 0;
  for (const made of filters) {
    if (made.isDeleted === stored.has(made.filter.id))
      claims.push({
        says: `${made.filter.name} is ${made.isDeleted ? 'deleted' : 'there'}`,
        faults: ['it is not'],
      });
    const saved = savedFilterOf(made, stored, history);
    claims.push(...(await claimsOfFilter(saved, { rest, documents, history, published })));
    for (const endpointId of endpointIds) flips += published.of(made.filter.id, endpointId).length;
  }
  return {
    claims,
    acknowledged: ledger.counts('acknowledged'),
    unknown: ledger.counts('unknown'),
    refused: ledger.counts('refused'),
    events: messages.length,
    repeated: messages.length - new Set(messages.map(idOf)).size,
    endpoints: endpointIds.length,
    filters: filters.length,
    pairs: filters.length * endpointIds.length,
    flips,
  };
}

function idOf({ source, revision, kind, filterId }: KeptMessage): string {
  return `${source}.${revision}.${kind}.${filterId ?? ''}`;
}

/** Of endpoints that are there: the number that a record has now. */
function storeFaults(
  { chains }: Ledger,
  records: ReadonlyMap<string, StoredEndpoint>,
  versions: Versions,
): string[] {
  const faults: string[] = [];
  for (const chain of chains) {
    const record = records.get(chain.endpointId);
    if (record === undefined || isOfVisits(chain)) continue;
    const found = numberOf(chain, record.metadata, record.appVersion.name, versions) ?? 0;
    const last = lastAcknowledged(chain);
    const result = chain.results[found - 1];
    const isLost = found < last && !(chain.endpointId.startsWith('v') && found === 0);
    if (isLost || result === 'refused' || (found > 0 && result === undefined))
      faults.push(
        `${chain.endpointId}.${chain.key} (${chain.kind}): ${last} was acknowledged, ${found} is stored`,
      );
  }
  return faults;
}

function eventFaults({ chains }: Ledger, history: ToldHistory, versions: Versions): string[] {
  return chains.flatMap((chain) => faultsOfChain(chain, valuesOf(chain, history, versions)));
}

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

function numberOf(
  { key, kind }: Chain,
  metadata: StoredEndpoint['metadata'],
  version: string,
  versions: Versions,
): number | undefined {
  if (kind !== 'connected') return metadata[key] as number | undefined;
  const number = Number(/\d+$/.exec(version)?.[0]);
  return version === versions.nameOf(number) && number > 0 ? number : undefined;
}

function isOfVisits({ kind }: Chain): boolean {
  return kind === 'register' || kind === 'unregister';
}

function lastRevisions(history: ToldHistory): Map<string, number> {
  return new Map([...history.endpointIds()].map((id) => [id, history.last(id)!.revision]));
}

function differences(history: ToldHistory, records: ReadonlyMap<string, StoredEndpoint>): string[] {
  const faults: string[] = [];
  for (const id of new Set([...history.endpointIds(), ...records.keys()])) {
    const record = records.get(id);
    const last = history.last(id);
    const told =
      last?.document === undefined ? undefined : { version: last.version, metadata: last.metadata };
    const stored =
      record === undefined ? undefined : { version: record.appVersion.name, metadata: record.metadata };
    if (!isDeepStrictEqual(told, stored))
      faults.push(
        `${id}: told ${JSON.stringify(told)} at revision ${last?.revision}, stored ${JSON.stringify(stored)}`,
      );
  }
  return faults;
}

/** Of each endpoint and filter, in the order of first appearances; a filter whose query changed begins anew. */
function alternationFaults(messages: readonly KeptMessage[], changed: ReadonlySet<string>): string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  const members = new Map<string, string>();
  for (const message of messages) {
    const { source, kind, filterId } = message;
    const id = idOf(message);
    if (!isOfEndpoint(message) || !kind.startsWith('ep-') || seen.has(id) || changed.has(filterId!)) continue;
    seen.add(id);
    const pair = `${source} ${filterId}`;
    if (members.get(pair) === kind) faults.push(`${id} came after another ${kind}`);
    members.set(pair, kind);
  }
  return faults;
}
