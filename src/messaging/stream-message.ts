import type { JsMsg } from 'nats';
import type { IncomingMessage } from './connectivity-processor.js';
import type { Bury } from './dead-letters.js';
import type { PublishFailure } from './publisher.js';

/** What the messages of one consumer have in common. */
export interface MessageSource {
  /** whatever the stream had up to here may have been given before */
  lastSequence: number;
  bury: Bury;
}

/** Where a message stands in its stream, and how often it was given. */
export interface StreamPlace {
  sequence: number;
  deliveries: number;
  /** when the stream took it, Unix ms by the broker's clock, with fractions: it is told apart from others of the same millisecond */
  storedMs: number;
}

/** A message of a stream, with its ways to answer. One for each of tens of thousands a second: no closures. */
export class StreamMessage implements IncomingMessage {
  readonly sequence: number;
  readonly deliveries: number;
  readonly mayBeRepeat: boolean;
  readonly arrivedMs: number;

  constructor(
    private readonly message: JsMsg,
    { sequence, deliveries, storedMs }: StreamPlace,
    private readonly source: MessageSource,
  ) {
    this.sequence = sequence;
    this.deliveries = deliveries;
    this.arrivedMs = storedMs;
    this.mayBeRepeat = deliveries > 1 || sequence <= source.lastSequence;
  }

  get subject(): string {
    return this.message.subject;
  }

  get data(): Uint8Array {
    return this.message.data;
  }

  acknowledge(): void {
    answer(() => this.message.ack());
  }

  extend(): void {
    answer(() => this.message.working());
  }

  giveBack(delayMs: number): void {
    answer(() => this.message.nak(delayMs));
  }

  giveUp(reason: string): void {
    answer(() => this.message.term(reason));
  }

  bury(error: string): Promise<PublishFailure | undefined> {
    const { subject, data, info } = this.message;
    // another one than that of a message at the same place of a stream that was made anew
    const id = `${info.stream}.${info.streamSequence}.${info.timestampNanos}`;
    return this.source.bury({ subject, data, id }, error);
  }
}

/** An answer that can't be sent costs a repeat, no more. */
function answer(send: () => void): void {
  try {
    send();
  } catch {
    // the connection is closing
  }
}

/**
 * Reads the places of one consumer's messages from their reply subjects, which begin alike. The client would take each
 * apart into its dozen of parts.
 */
export function createPlaceReader(): (message: JsMsg) => StreamPlace {
  let prefix: string | undefined;

  return (message) => {
    // the client has it, its interface does not say so
    const { reply } = message as { reply?: string };
    if (reply !== undefined && prefix !== undefined && reply.startsWith(prefix)) {
      const first = reply.indexOf('.', prefix.length);
      const second = reply.indexOf('.', first + 1);
      const third = reply.indexOf('.', second + 1);
      return {
        deliveries: Number(reply.slice(prefix.length, first)),
        sequence: Number(reply.slice(first + 1, second)),
        storedMs: millisOf(reply.slice(third + 1, reply.indexOf('.', third + 1))),
      };
    }
    const { stream, consumer, deliveryCount, streamSequence, timestampNanos } = message.info;
    const named = `.${stream}.${consumer}.`;
    const at = reply?.indexOf(`${named}${deliveryCount}.${streamSequence}.`) ?? -1;
    prefix = at < 0 ? undefined : reply!.slice(0, at + named.length);
    return { deliveries: deliveryCount, sequence: streamSequence, storedMs: millisOf(timestampNanos) };
  };
}

function millisOf(nanos: number | string): number {
  return Number(nanos) / 1e6;
}
