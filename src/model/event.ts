import { FrameReader, FrameWriter } from './frames.js';

/** Kinds of published events; also the last part of the `Nats-Msg-Id`. The order is the order within one change. */
export const EVENT_KINDS = [
  'registered',
  'metadata-updated',
  'appversion-updated',
  'relations-updated',
  'ep-unmatched',
  'ep-matched',
  'unregistered',
  'filter-pending',
  'filter-activated',
  'filter-deleted',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** One event of a change, encoded: what is published, but for the subject. */
export interface StoredEvent {
  kind: EventKind;
  /** of the endpoint, or of the filter for filter-... events */
  revision: number;
  /** of ep-matched, ep-unmatched and filter-... events */
  filterId?: string;
  /** Avro, raw binary */
  payload: Uint8Array;
}

/** The events of one write of one endpoint or filter, in their order. This is what an outbox holds. */
export interface EventGroup {
  /** endpoint id, or filter id */
  source: string;
  tenant: string;
  application: string;
  events: readonly StoredEvent[];
}

/** Used again for each group: what it writes is copied out. */
const frame = new FrameWriter();

export function encodeEvents(group: EventGroup): Uint8Array {
  frame.text(group.source).text(group.tenant).text(group.application).u32(group.events.length);
  for (const event of group.events) {
    frame
      .u8(EVENT_KINDS.indexOf(event.kind))
      .f64(event.revision)
      .text(event.filterId ?? '')
      .bytes(event.payload);
  }
  return frame.take();
}

/** Payloads are views of `bytes`. */
export function decodeEvents(bytes: Uint8Array): EventGroup {
  const frame = new FrameReader(bytes);
  const source = frame.text();
  const tenant = frame.text();
  const application = frame.text();
  const events = Array.from({ length: frame.u32() }, (): StoredEvent => {
    const kind = EVENT_KINDS[frame.u8()]!;
    const revision = frame.f64();
    const filterId = frame.text();
    const payload = frame.bytes();
    return filterId === '' ? { kind, revision, payload } : { kind, revision, filterId, payload };
  });
  return { source, tenant, application, events };
}

/** `<endpointId>.<revision>.<kind>[.<filterId>]`: the same at every attempt, so that JetStream drops repeats. */
export function messageIdOf(source: string, event: StoredEvent): string {
  const id = `${source}.${event.revision}.${event.kind}`;
  return event.filterId === undefined || event.filterId === source ? id : `${id}.${event.filterId}`;
}
