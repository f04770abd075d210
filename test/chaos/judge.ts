import { isDeepStrictEqual } from 'node:util';
import type { NatsConnection } from 'nats';
import { faultsBehindActivated } from '../end-to-end/support/behind-activated.js';
import { type Claim, claimsOfFilter } from '../end-to-end/support/check-filter.js';
import { historyFromEvents, type ToldHistory } from '../end-to-end/support/event-history.js';
import { type KeptMessage, readEvents } from '../end-to-end/support/event-stream.js';
import { documentOf, readFlips } from '../end-to-end/support/flips.js';
import { findGaps, isOfEndpoint } from '../end-to-end/support/order.js';
import type { Rest, StoredEndpoint } from '../end-to-end/support/rest.js';
import { connectivityFaults, eventFaults, storeFaults } from './check-chains.js';
import { type MadeFilter, savedFilterOf } from './filter-changes.js';
import type { Kind, Ledger } from './ledger.js';
import type { Versions } from './connectivity-writer.js';

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
  /** of each register */
  rests: readonly Rest[];
  connection: NatsConnection;
  ledger: Ledger;
  filters: readonly MadeFilter[];
  versions: Versions;
  deadStream: string;
}

/** Compares what was acknowledged, what is stored and what was published. All is quiet. */
export async function judge({
  rests,
  connection,
  ledger,
  filters,
  versions,
  deadStream,
}: Evidence): Promise<Verdict> {
  const records = await rests[0]!.endpoints();
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
      says: 'an endpoint is connected or not as the event of its time says',
      faults: connectivityFaults(ledger, history, records),
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
  const documents = new Map(
    [...records].map(([id, { appVersion, metadata }]) => [id, documentOf(id, appVersion.name, metadata)]),
  );
  const endpointIds = [...history.endpointIds()];
  for (const rest of rests) {
    const stored = new Map((await rest.filters()).map((filter) => [filter.id, filter]));
    for (const made of filters) {
      if (made.isDeleted === stored.has(made.filter.id))
        claims.push({
          says: `${made.filter.name} is ${made.isDeleted ? 'deleted' : 'there'}`,
          faults: ['it is not'],
        });
      const saved = savedFilterOf(made, stored, history);
      claims.push(...(await claimsOfFilter(saved, { rest, documents, history, published })));
      if (saved.baseline === 'gone') continue;
      const members = await rest.memberIds(saved.filter.id);
      claims.push({
        says: `${saved.filter.name}: what follows its last activated leads to its members`,
        faults: faultsBehindActivated(saved.filter.id, messages, members),
      });
    }
  }
  let flips = 0;
  for (const { filter } of filters)
    for (const endpointId of endpointIds) flips += published.of(filter.id, endpointId).length;
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
