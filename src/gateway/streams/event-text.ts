import { decodeEvent } from '../../avro/index.js';
import {
  decodeEvents,
  type EventGroup,
  type EventKind,
  messageIdOf,
  type StoredEvent,
} from '../../model/event.js';
import { type GapReason, type LiveItem, placeBehind, placeText } from '../../live/index.js';

/** What a caller may be told, as is known now. */
export interface Readable {
  /** events of these applications; absent: of all */
  applications: ReadonlySet<string> | undefined;
  /** of their endpoints, only what is of those that it says yes to; absent: of all. O(1). */
  endpoint: ((endpointId: string) => boolean) | undefined;
}

/** Which events a subscriber wants: all that fit every part that is given. */
export interface EventInterest {
  tenant: string | undefined;
  readable: Readable;
  endpointIds: ReadonlySet<string> | undefined;
  filterIds: ReadonlySet<string> | undefined;
  types: ReadonlySet<string> | undefined;
}

/** One event as both protocols tell it; written once for all subscribers. */
export class EventText {
  #serverSent: string | undefined;
  #message: string | undefined;

  constructor(
    readonly id: string,
    readonly type: string,
    /** an object's JSON */
    private readonly data: string,
  ) {}

  /** for `text/event-stream` */
  get serverSent(): string {
    return (this.#serverSent ??= `id: ${this.id}\nevent: ${this.type}\ndata: ${this.data}\n\n`);
  }

  /** for a WebSocket */
  get message(): string {
    return (this.#message ??= `{"id":"${this.id}",${this.data.slice(1)}`);
  }
}

/** An event of an item, and its text when somebody wants it. */
export interface Tellable {
  /** of the group in the sequence; of a gap, of the group behind it */
  number: number;
  group?: EventGroup;
  event?: StoredEvent;
  /** that it names; an event of a filter names none. Throws AvroDecodeError. */
  endpointIds(): readonly string[];
  /** `named`: the only endpoints that an event of relations is to name; absent: all. Throws AvroDecodeError. */
  text(named?: readonly string[]): EventText;
}

/** What an item tells, in its order. Decodes what stands around the events; an event only when it is asked for. */
export function tellablesOf(item: LiveItem): Tellable[] {
  if (item.kind === 'gap') return [{ number: item.number, endpointIds: () => [], text: () => gapText(item) }];
  const group = decodeEvents(item.events);
  const all = group.events.map((event, i): Tellable => {
    let ids: readonly string[] | undefined;
    let text: EventText | undefined;
    const id = placeBehind(item.run, item.number, i, group.events.length);
    return {
      number: item.number,
      group,
      event,
      endpointIds: () => (ids ??= endpointIdsOf(group, event)),
      text: (named) =>
        named === undefined ? (text ??= eventText(id, group, event)) : eventText(id, group, event, named),
    };
  });
  return item.skip === 0 ? all : all.slice(item.skip);
}

/**
 * What a subscriber is told; `undefined`: nothing. A gap concerns everybody. What is written for all is written once; an
 * event of relations leaves out the endpoints that the caller may not read. Throws AvroDecodeError.
 */
export function textFor(told: Tellable, interest: EventInterest): EventText | undefined {
  const { group, event } = told;
  if (group === undefined || event === undefined) return told.text();
  const { tenant, readable, types, filterIds, endpointIds } = interest;
  if (tenant !== undefined && tenant !== group.tenant) return undefined;
  if (readable.applications !== undefined && !readable.applications.has(group.application)) return undefined;
  if (types !== undefined && !types.has(event.kind)) return undefined;
  if (filterIds !== undefined && (event.filterId === undefined || !filterIds.has(event.filterId)))
    return undefined;
  if (readable.endpoint === undefined && endpointIds === undefined) return told.text();
  const named = told.endpointIds();
  const shown = readable.endpoint === undefined ? named : named.filter(readable.endpoint);
  if (named.length > 0 && shown.length === 0) return undefined;
  // what is left out must not show by what was asked for
  if (endpointIds !== undefined && !shown.some((id) => endpointIds.has(id))) return undefined;
  return shown.length === named.length ? told.text() : told.text(shown);
}

function endpointIdsOf(group: EventGroup, event: StoredEvent): readonly string[] {
  if (isOfFilter(event.kind)) return [];
  if (event.kind !== 'relations-updated') return [group.source];
  return decodeEvent(event.kind, event.payload)['endpointIds'] as string[];
}

function isOfFilter(kind: EventKind): boolean {
  return kind === 'filter-pending' || kind === 'filter-activated' || kind === 'filter-deleted';
}

function eventText(id: string, group: EventGroup, event: StoredEvent, named?: readonly string[]): EventText {
  const data = {
    type: event.kind,
    messageId: messageIdOf(group.source, event),
    source: group.source,
    application: group.application,
    ...decodeEvent(event.kind, event.payload),
    ...(named === undefined ? {} : { endpointIds: named }),
  };
  return new EventText(id, event.kind, JSON.stringify(data));
}

const GAPS: Record<GapReason, string> = {
  'unknown-id':
    'The register does not know this id: another one gave it, or it is older than what is remembered. Events follow from now on.',
  'too-old':
    'What came behind this id is not kept any more (live-events.recent-size, live-events.recent-age). Events follow from now on.',
  'unclean-stop':
    'The register or its machine stopped at once: the last events before that may be missing. Those since then follow.',
  'uncertain-write':
    'The storage did not say whether a write was made. If it was, its events are missing. Later ones follow.',
};

function gapText({ run, number, reason }: LiveItem & { kind: 'gap' }): EventText {
  const from = placeText(run, number, 0);
  return new EventText(from, 'gap', JSON.stringify({ type: 'gap', reason, message: GAPS[reason], from }));
}
