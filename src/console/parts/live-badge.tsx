import type { LiveState } from '../live.js';

const TEXTS: Record<LiveState['kind'], string> = {
  connecting: 'connecting',
  live: 'live',
  reconnecting: 'reconnecting',
  denied: 'not granted',
  asleep: 'asleep',
};

/** How the stream of events is: in words, not by colour alone. */
export function LiveBadge({ state }: { state: LiveState }) {
  const why = 'reason' in state ? state.reason : undefined;
  return (
    <span class={`live live-${state.kind}`} role="status" title={why}>
      <span class="live-dot" aria-hidden="true" />
      <span class="visually-hidden">Live events: </span>
      {TEXTS[state.kind]}
      {why !== undefined && <span class="visually-hidden"> {why}</span>}
    </span>
  );
}
