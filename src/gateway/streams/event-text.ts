import { decodeEvent } from '../../avro/index.js';
import { decodeEvents, type EventGroup, messageIdOf, type StoredEvent } from '../../model/event.js';
import { type GapReason, type LiveItem, placeBehind, placeText } from '../../live/index.js';

/** Which events a subscriber wants: all that fit every part that is given. */
export interface EventInterest {
  tenant: string | undefined;
  /** applications the caller may read; absent: all */
  applications: ReadonlySet<string> | undefined;
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
  text(): EventText;
}

/** What an item tells, in its order. Decodes what stands around the events; an event only when its text is asked for. */
export function tellablesOf(item: LiveItem): Tellable[] {
  if (item.kind === 'gap') return [{ number: item.number, text: () => gapText(item) }];
  const group = decodeEvents(item.events);
  const all = group.events.map((event, i): Tellable => {
    let text: EventText | undefined;
    const id = placeBehind(item.run, item.number, i, group.events.length);
    return { number: item.number, group, event, text: () => (text ??= eventText(id, group, event)) };
  });
  return item.skip === 0 ? all : all.slice(item.skip);
}

/** A gap concerns everybody. */
export function isWanted({ group, event }: Tellable, interest: EventInterest): boolean {
  if (group === undefined || event === undefined) return true;
  const { tenant, applications, types, filterIds, endpointIds } = interest;
  if (tenant !== undefined && tenant !== group.tenant) return false;
  if (applications !== undefined && !applications.has(group.application)) return false;
  if (types !== undefined && !types.has(event.kind)) return false;
  if (filterIds !== undefined && (event.filterId === undefined || !filterIds.has(event.filterId)))
    return false;
  return endpointIds === undefined || isAbout(endpointIds, group, event);
}

/** An event of relations is about all that it names. */
function isAbout(endpointIds: ReadonlySet<string>, group: EventGroup, event: StoredEvent): boolean {
  if (endpointIds.has(group.source)) return true;
  if (event.kind !== 'relations-updated') return false;
  return (decodeEvent(event.kind, event.payload)['endpointIds'] as string[]).some((id) =>
    endpointIds.has(id),
  );
}

function eventText(id: string, group: EventGroup, event: StoredEvent): EventText {
  const data = {
    type: event.kind,
    messageId: messageIdOf(group.source, event),
    source: group.source,
    application: group.application,
    ...decodeEvent(event.kind, event.payload),
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
