import { useMemo, useState } from 'preact/hooks';
import { describeEvent } from '../event-text.js';
import type { SeenEvent } from '../feed.js';
import { formatClock, formatUtc } from '../format.js';
import { routeHref } from '../route.js';
import { Text } from './basics.js';

/** In the place of events that the reader is not told of. */
export const NO_EVENTS_GRANTED = 'Live events are not granted, so what happens does not appear here.';

interface EventListProps {
  events: readonly SeenEvent[];
  /** how many are shown */
  limit: number;
  /** leave out what every line would say */
  withEndpoint?: boolean;
  /** two lines each, at most */
  brief?: boolean;
  label: string;
  empty: string;
}

/** The newest events, newest first; they can be held, to read them. */
export function EventList({
  events,
  limit,
  withEndpoint = true,
  label,
  empty,
  brief = false,
}: EventListProps) {
  const [held, setHeld] = useState<readonly SeenEvent[]>();
  const shown = (held ?? events).slice(0, limit);
  const newer = held === undefined ? 0 : (events[0]?.number ?? -1) - (held[0]?.number ?? -1);
  return (
    <section class="panel" aria-label={label}>
      <header class="panel-head">
        <h2>{label}</h2>
        <button
          type="button"
          class="button button-small"
          aria-pressed={held !== undefined}
          disabled={held === undefined && events.length === 0}
          onClick={() => setHeld(held === undefined ? events : undefined)}
        >
          {held === undefined ? 'Hold' : newer > 0 ? `Go on (${newer} newer)` : 'Go on'}
        </button>
      </header>
      {shown.length === 0 ? (
        <p class="muted pad">{empty}</p>
      ) : (
        <ol class={brief ? 'events events-brief' : 'events'} tabIndex={0} aria-label={label}>
          {shown.map((event) => (
            <EventLine key={event.number} event={event} withEndpoint={withEndpoint} />
          ))}
        </ol>
      )}
    </section>
  );
}

function EventLine({ event, withEndpoint }: { event: SeenEvent; withEndpoint: boolean }) {
  const { text, endpointId, application, filter } = useMemo(
    () => describeEvent(event.type, event.data),
    [event],
  );
  const seen = new Date(event.seenMs);
  return (
    <li class="event">
      <time class="muted" dateTime={seen.toISOString()} title={formatUtc(seen)}>
        {formatClock(seen)}
      </time>
      <span class={`event-kind kind-${event.type}`}>{event.type}</span>
      <span class="event-text">
        {withEndpoint && endpointId !== undefined && (
          <a href={routeHref(['endpoints', endpointId])}>
            <Text>{endpointId}</Text>
          </a>
        )}{' '}
        <Text>{text}</Text>{' '}
        {filter !== undefined && (
          <a href={routeHref(['filters', application, filter.id])}>
            <Text>{filter.name}</Text>
          </a>
        )}
      </span>
    </li>
  );
}
