import { encodeRelationsUpdated } from '../avro/index.js';
import { encodeEvents } from '../model/event.js';
import { endKeyOf, relationEventRevision, relationSourceOf, type Relation } from '../model/relation.js';
import type { Cause, LiveEnd, RelationWish } from './relation-wishes.js';

/** An event of a change of relations, before it has a revision. */
export interface EventDraft {
  /** by which who may see it is decided */
  application: string;
  cause: Cause;
  endpointIds: readonly string[];
}

const IDS_PER_EVENT = 1000;

/** One event for each application that containers have. */
export function changeDrafts(
  cause: Cause,
  changed: readonly Relation[],
  live: ReadonlyMap<string, LiveEnd>,
): EventDraft[] {
  const byApplication = new Map<string, Set<string>>();
  for (const { from, to } of changed) {
    const application = live.get(from.endpointId)!.application;
    let ids = byApplication.get(application);
    if (ids === undefined) byApplication.set(application, (ids = new Set()));
    ids.add(from.endpointId).add(to.endpointId);
  }
  return Array.from(byApplication, ([application, ids]) => ({ application, cause, endpointIds: [...ids] }));
}

/** Each names the end, and some of those that it was linked with: an event must fit into a message. */
export function dropDrafts(
  { end, application, cause }: Extract<RelationWish, { kind: 'drop' }>,
  dropped: readonly Relation[],
): EventDraft[] {
  const key = endKeyOf(end);
  const others = new Set<string>();
  for (const { from, to } of dropped) {
    if (endKeyOf(from) === key) others.add(to.endpointId);
    if (endKeyOf(to) === key) others.add(from.endpointId);
  }
  const ids = [...others];
  const drafts: EventDraft[] = [];
  for (let at = 0; at < ids.length; at += IDS_PER_EVENT)
    drafts.push({ application, cause, endpointIds: [end.endpointId, ...ids.slice(at, at + IDS_PER_EVENT)] });
  return drafts;
}

export function encodeDrafts(tenant: string, revision: number, drafts: readonly EventDraft[]): Uint8Array[] {
  const source = relationSourceOf(tenant);
  return drafts.map(({ application, cause, endpointIds }, place) => {
    const payload = encodeRelationsUpdated(cause, endpointIds);
    const event = {
      kind: 'relations-updated',
      revision: relationEventRevision(revision, place),
      payload,
    } as const;
    return encodeEvents({ source, tenant, application, events: [event] });
  });
}
