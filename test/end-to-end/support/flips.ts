import { Query } from 'mingo';
import type { JsonObject } from '../../../src/model/json.js';
import { readMembership } from './contract-records.js';
import type { KeptMessage } from './event-stream.js';

/** An endpoint came into a filter, or left it, by the change with that revision. */
export interface Flip {
  revision: number;
  member: boolean;
}

/** An endpoint as filters see it. */
export type FilterDocument = JsonObject;

export function documentOf(endpointId: string, version: string, metadata: JsonObject): FilterDocument {
  return {
    endpoint_id: endpointId,
    application_version: version,
    metadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  };
}

/** Evaluates a query by a library that has nothing of ours. */
export function evaluatorOf(query: JsonObject): (document: FilterDocument) => boolean {
  const compiled = new Query(query);
  return (document) => compiled.test(document);
}

/** What the filter events of the stream say, by filter and endpoint. Repeats are left out. */
export interface PublishedFlips {
  of(filterId: string, endpointId: string): readonly Flip[];
  endpointIds(filterId: string): Iterable<string>;
  /** flips that contradict the one before, and events whose record says otherwise than their subject and id */
  faults: string[];
}

export function readFlips(messages: readonly KeptMessage[]): PublishedFlips {
  const byFilter = new Map<string, Map<string, Flip[]>>();
  const faults: string[] = [];
  const seen = new Set<string>();
  for (const { subject, source, revision, kind, filterId, data } of messages) {
    if (kind !== 'ep-matched' && kind !== 'ep-unmatched') continue;
    const event = readMembership(data);
    const id = `${source}.${revision}.${kind}.${filterId}`;
    const named = `kaa.v1.events.epr.endpoint-filter.${event.filterId}.${kind}`;
    if (subject !== named || event.filterId !== filterId || event.endpointId !== source)
      faults.push(`${id} on ${subject} says ${JSON.stringify(event)}`);
    if (seen.has(id)) continue;
    seen.add(id);
    const ofFilter = getOrPut(byFilter, event.filterId, () => new Map<string, Flip[]>());
    getOrPut(ofFilter, event.endpointId, () => []).push({ revision, member: kind === 'ep-matched' });
  }
  return {
    faults,
    of: (filterId, endpointId) => byFilter.get(filterId)?.get(endpointId) ?? [],
    endpointIds: (filterId) => byFilter.get(filterId)?.keys() ?? [],
  };
}

/** Where the members were known last: at the first revisions of each endpoint that are not in them yet. */
export interface Baseline {
  members: ReadonlySet<string>;
  /** the endpoint's revision then; 0 for one that did not exist */
  revisions: ReadonlyMap<string, number>;
}

export const EMPTY_BASELINE: Baseline = { members: new Set(), revisions: new Map() };

/** The members that the events since the baseline lead to, and what in them does not fit it. */
export function foldMembers(
  filterId: string,
  published: PublishedFlips,
  { members, revisions }: Baseline,
): { members: Set<string>; faults: string[] } {
  const folded = new Set(members);
  const faults: string[] = [];
  for (const endpointId of published.endpointIds(filterId)) {
    let before = 0;
    for (const { revision, member } of published.of(filterId, endpointId)) {
      if (revision <= (revisions.get(endpointId) ?? 0)) continue;
      if (revision <= before) faults.push(`${endpointId}.${revision} comes after ${before}`);
      if (folded.has(endpointId) === member)
        faults.push(`${endpointId}.${revision} ${member ? 'matched' : 'unmatched'} twice`);
      if (member) folded.add(endpointId);
      else folded.delete(endpointId);
      before = revision;
    }
  }
  return { members: folded, faults };
}

/** The flips that a query has along the states of an endpoint; without a document it is not registered then. */
export function expectedFlips(
  matches: (document: FilterDocument) => boolean,
  states: readonly { revision: number; document: FilterDocument | undefined }[],
): Flip[] {
  const flips: Flip[] = [];
  let member = false;
  for (const { revision, document } of states) {
    const now = document !== undefined && matches(document);
    if (now !== member) flips.push({ revision, member: now });
    member = now;
  }
  return flips;
}

/** When a query was in force, by the endpoint's revisions: events are certain between the inner, impossible outside the outer. */
export interface InForce {
  /** of the endpoint when the query was not known yet */
  after: (endpointId: string) => number;
  /** of the endpoint when the filter had been seen active */
  certainlyAfter: (endpointId: string) => number;
  /** of the endpoint when the end was asked for, and when it was answered; absent: it is in force still */
  until?: { certainly: (endpointId: string) => number; atMost: (endpointId: string) => number };
}

/** Whether the published flips are the expected ones of one stretch of revisions that fits what is known of it. */
export function isStretch(
  published: readonly Flip[],
  expected: readonly Flip[],
  endpointId: string,
  { after, certainlyAfter, until }: InForce,
): boolean {
  const low = after(endpointId);
  const sureLow = certainlyAfter(endpointId);
  const sureHigh = until === undefined ? Infinity : until.certainly(endpointId);
  const high = until === undefined ? Infinity : until.atMost(endpointId);
  const first = published[0];
  const last = published.at(-1);
  if (first !== undefined && (first.revision <= low || last!.revision > high)) return false;
  // one that was published shows that it was in force then
  const sure = Math.min(sureLow, (first?.revision ?? Infinity) - 1);
  const must = expected.filter(({ revision }) => revision > sure && revision <= sureHigh);
  const from = first?.revision ?? must[0]?.revision ?? Infinity;
  const to = last?.revision ?? Infinity;
  if (must.length > 0 && (first === undefined || from > must[0]!.revision || to < must.at(-1)!.revision))
    return false;
  if (first === undefined) return true;
  const stretch = expected.filter(({ revision }) => revision >= from && revision <= to);
  return JSON.stringify(stretch) === JSON.stringify(published);
}

function getOrPut<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
