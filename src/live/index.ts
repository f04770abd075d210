/** Live events: everything that was committed, in one sequence, whose recent part is kept for who comes back. */
export {
  type LiveEventLog,
  type LiveEventOptions,
  type LiveEvents,
  openLiveEvents,
  outboxBehindLog,
} from './live-events.js';
export type { PastEvents } from './past-events.js';
export { type Place, parsePlace, PLACE_EXAMPLE, PLACE_PATTERN, placeBehind, placeText } from './place.js';
export type { LiveItem, Replay } from './replay.js';
export type { GapReason } from './runs.js';
