export { watch, type WatchFlags } from './watch.js';
export { followEvents, type FollowOptions } from './follow-events.js';
