import type { JsonObject } from '../../src/model/json.js';
import type { Answered } from './ask.js';
import { type Made, MadeValues, madeDate, madeTag } from './made-values.js';
import { fulfils, isSameJson } from './oracles.js';

/** Applications and limits of the configuration. */
export interface World {
  tenant: string;
  /** application by version */
  versions: Readonly<Record<string, string>>;
  metadataKeys: number;
  restrictedKeys: readonly string[];
  /** applications whose endpoints inherit metadata */
  inheriting: readonly string[];
}

export interface Endpoint {
  endpointId: string;
  token: string;
  application: string;
  version: string;
  versionSince: Made;
  created: Made;
  metadata: JsonObject;
  /** absent: never had any */
  metadataUpdated?: Made;
  tag: Made;
}

export interface Filter {
  id: string;
  application: string;
  name: string;
  description: string;
  query: JsonObject;
  created: Made;
  updated: Made;
  tag: Made;
}

/** Ids of an event that relations have changed, sorted, after the application that it is told under. */
export type RelationsUpdated = readonly [application: string, ...ids: string[]];

/**
 * Two maps, and what happened to them: one operation after the other, and every filter evaluated anew each time.
 * Endpoints and filters are replaced, never changed, so that a copy is cheap.
 */
export class State {
  constructor(
    readonly world: World,
    readonly made = new MadeValues(),
    readonly endpoints = new Map<string, Endpoint>(),
    readonly filters = new Map<string, Filter>(),
    /** by endpoint or filter: the events of each of its changes, as `kind` or `kind filterId`, sorted */
    readonly history = new Map<string, string[][]>(),
    /** `container>contained` */
    readonly relations = new Set<string>(),
    /** the first answer under each idempotency key */
    readonly answers = new Map<string, { content: string; answered: Answered }>(),
  ) {}

  /** by the own tag, and by what is shown */
  readonly inheritedTags = new Map<Made, Map<string, Made>>();
  /** events of changed relations, but for those of registrations; undefined: it depends on the order within a request */
  relationEvents: RelationsUpdated[] | undefined = [];

  copy(): State {
    const maps = [new Map(this.endpoints), new Map(this.filters), new Map(this.history)] as const;
    return new State(this.world, this.made.copy(), ...maps, new Set(this.relations));
  }

  /** The same for one endpoint alone. */
  of(endpointId: string): State {
    const only = <T>(map: Map<string, T>) => new Map([...map].filter(([id]) => id === endpointId));
    const maps = [only(this.endpoints), new Map(this.filters), only(this.history)] as const;
    return new State(this.world, this.made.copy(), ...maps);
  }

  isMember(endpoint: Endpoint | undefined, filter: Filter): boolean {
    return endpoint?.application === filter.application && isMatch(endpoint, filter.query);
  }

  /** Makes `after` of `before`; either may be absent. Filters that it flips have their events. */
  replace(before: Endpoint | undefined, after: Endpoint | undefined, ...kinds: string[]): void {
    const { endpointId } = (after ?? before)!;
    for (const filter of this.filters.values()) {
      const [was, is] = [this.isMember(before, filter), this.isMember(after, filter)];
      if (was !== is) kinds.push(`${is ? 'ep-matched' : 'ep-unmatched'} ${filter.id}`);
    }
    this.happened(endpointId, ...kinds);
    if (after === undefined) {
      this.endpoints.delete(endpointId);
      this.dropRelations(before!);
    } else this.endpoints.set(endpointId, after);
  }

  private dropRelations({ endpointId, application }: Endpoint): void {
    const mine = [...this.relations].filter((relation) => relation.split('>').includes(endpointId));
    for (const relation of mine) this.relations.delete(relation);
    if (mine.length > 0) this.related(application, mine);
  }

  /** Says that relations have changed. */
  related(application: string, relations: readonly string[]): void {
    const ids = new Set(relations.flatMap((relation) => relation.split('>')));
    this.relationEvents?.push([application, ...[...ids].sort()]);
  }

  /** Other metadata is another tag and another date; equal metadata is no change. */
  replaceMetadata(endpoint: Endpoint, wished: JsonObject): Endpoint {
    // a value that is equal stays as it is: filters see the order of keys in it
    const kept = Object.entries(wished).map(([key, value]) => {
      const old = Object.hasOwn(endpoint.metadata, key) ? endpoint.metadata[key] : undefined;
      return [key, isSameJson(old, value) ? old! : value] as const;
    });
    const metadata = Object.fromEntries(kept);
    if (isSameJson(metadata, endpoint.metadata)) return endpoint;
    const tag = madeTag(endpoint.endpointId);
    const after = { ...endpoint, metadata, metadataUpdated: madeDate(), tag };
    this.replace(endpoint, after, 'metadata-updated');
    return after;
  }

  happened(source: string, ...kinds: string[]): void {
    this.history.set(source, [...(this.history.get(source) ?? []), kinds.sort()]);
  }
}

export function isMatch({ endpointId, version, metadata }: Endpoint, query: JsonObject): boolean {
  return fulfils(query, { endpointId, applicationVersion: version, metadata });
}
