import type { JsonObject } from '../../src/model/json.js';
import { type Made, madeTag } from './made-values.js';
import { type Answer, Fault, NO_ENDPOINT, ok } from './rules.js';
import type { Endpoint, State } from './state.js';

/** `from` is the container. */
export interface Link {
  from: string;
  to: string;
}

/**
 * Links them one after the other; the first that can not be is why none is.
 *
 * @param registering id of an endpoint that comes with these links
 */
export function link(state: State, links: readonly Link[], registering?: string): Set<string> | Fault {
  const relations = new Set(state.relations);
  const isKnown = (id: string) => id === registering || state.endpoints.has(id);
  for (const { from, to } of links) {
    if (!isKnown(from) || !isKnown(to)) return NO_ENDPOINT;
    if (from === to) return new Fault(409, 'relation-to-itself');
    if (levelsOf(relations, from, '!contains').flat().includes(to)) return new Fault(409, 'relation-cycle');
    relations.add(`${from}>${to}`);
  }
  return relations;
}

export function changeRelations(state: State, kind: 'link' | 'unlink', links: readonly Link[]): Answer {
  const before = new Set(state.relations);
  const after = kind === 'link' ? link(state, links) : unlink(state, links);
  if (after instanceof Fault) return after;
  const words = kind === 'link' ? ['linked', 'already-linked'] : ['unlinked', 'not-linked'];
  const changed = new Map<string, string[]>();
  const statuses = links.map(({ from, to }) => {
    const relation = `${from}>${to}`;
    if (before.has(relation) === (kind === 'link')) return { type: 'contains', from, to, status: words[1] };
    if (kind === 'link') before.add(relation);
    else before.delete(relation);
    const { application } = state.endpoints.get(from)!;
    changed.set(application, [...(changed.get(application) ?? []), relation]);
    return { type: 'contains', from, to, status: words[0] };
  });
  state.relations.clear();
  for (const relation of after) state.relations.add(relation);
  for (const [application, relations] of changed) state.related(application, relations);
  return ok(statuses);
}

function unlink(state: State, links: readonly Link[]): Set<string> | Fault {
  const gone = links.map(({ from, to }) => `${from}>${to}`);
  const known = (id: string) => state.endpoints.has(id);
  for (const { from, to } of links) {
    if (!known(from) || !known(to)) return NO_ENDPOINT;
    if (from === to) return new Fault(409, 'relation-to-itself');
  }
  return new Set([...state.relations].filter((relation) => !gone.includes(relation)));
}

/** Ids that an endpoint contains, or that contain it, directly. */
export function relatedTo(relations: ReadonlySet<string>, id: string, direction: string): string[] {
  const pairs = [...relations].map((relation) => relation.split('>') as [string, string]);
  return direction === 'contains'
    ? pairs.flatMap(([from, to]) => (from === id ? [to] : []))
    : pairs.flatMap(([from, to]) => (to === id ? [from] : []));
}

/** The same, their own, and so on: level by level, each id once, by id in a level. */
function levelsOf(relations: ReadonlySet<string>, id: string, direction: string): string[][] {
  const levels: string[][] = [];
  const seen = new Set([id]);
  for (let level = [id]; level.length > 0;) {
    const next = level.flatMap((each) => relatedTo(relations, each, direction));
    level = [...new Set(next)].filter((each) => !seen.has(each)).sort();
    for (const each of level) seen.add(each);
    levels.push(level);
  }
  return levels;
}

/** What the nearest container has of keys that the endpoint lacks. */
export function inherited(state: State, { endpointId, application, metadata }: Endpoint): JsonObject {
  if (!state.world.inheriting.includes(application)) return {};
  const containers = levelsOf(state.relations, endpointId, '!contains').flat();
  const found = containers.map((id) => state.endpoints.get(id)!.metadata);
  const all = Object.assign({}, ...found.reverse()) as JsonObject;
  return Object.fromEntries(Object.entries(all).filter(([key]) => !Object.hasOwn(metadata, key)));
}

/** Of what is shown with inherited values in it: another one than the endpoint's own. */
export function tagOf(state: State, { endpointId, tag }: Endpoint, shown: JsonObject): Made {
  const tags = state.inheritedTags.get(tag) ?? new Map<string, Made>();
  state.inheritedTags.set(tag, tags);
  const content = JSON.stringify(Object.entries(shown).sort());
  const made = tags.get(content) ?? madeTag(endpointId);
  tags.set(content, made);
  return made;
}
