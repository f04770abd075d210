import type { KeptMessage } from './event-stream.js';

/**
 * What a consumer that reads the members at each `activated` comes to, where that differs from the members now: the last
 * `ep-matched` or `ep-unmatched` of an endpoint behind the filter's last `activated`, repeats included.
 */
export function faultsBehindActivated(
  filterId: string,
  messages: readonly KeptMessage[],
  members: ReadonlySet<string>,
): string[] {
  const last = messages.findLastIndex(
    ({ kind, source }) => kind === 'filter-activated' && source === filterId,
  );
  const told = new Map<string, KeptMessage>();
  for (const message of messages.slice(last + 1))
    if (message.filterId === filterId && message.kind.startsWith('ep-')) told.set(message.source, message);
  return [...told.values()]
    .filter(({ kind, source }) => (kind === 'ep-matched') !== members.has(source))
    .map(({ source, revision, kind }) => `${source}.${revision} says ${kind}, behind the last activated`);
}
