import type { OutgoingMessage, Publisher, PublishFailure } from './publisher.js';

/** A message that is of no use, as it came. */
export interface Letter {
  subject: string;
  data: Uint8Array;
  /** the same whenever it is given, and of no other message; undefined where there is no such thing */
  id?: string;
}

/**
 * Publishes it with its bytes, or, where these do not fit beside the headers, without. Resolves when it is certain: to
 * nothing, or to why it is not taken, with the remedy. Never rejects.
 */
export type Bury = (letter: Letter, error: string) => Promise<PublishFailure | undefined>;

/** Characters of a reason. */
const LONGEST_REASON = 500;

export function createDeadLetters(publisher: Publisher, subject: string): Bury {
  const publish = (message: OutgoingMessage) =>
    new Promise<PublishFailure | undefined>((resolve) => publisher.publish(message, resolve));

  return async ({ subject: from, data, id }, error) => {
    const reason = printable(error).slice(0, LONGEST_REASON);
    const messageWith = (payload: Uint8Array, text: string): OutgoingMessage => ({
      subject,
      headers: [
        ...(id === undefined ? [] : ([['Nats-Msg-Id', id]] as const)),
        ['Original-Subject', printable(from)],
        ['Error', text],
      ],
      payload,
    });
    const failure = await publish(messageWith(data, reason));
    if (failure?.reason !== 'too-large' || data.length === 0) return failure;
    return publish(
      messageWith(new Uint8Array(), `${reason} (its ${data.length} bytes do not fit beside headers)`),
    );
  };
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}
