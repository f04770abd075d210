import type { LiveItem } from '../live/index.js';
import type { Missing } from '../model/republishing.js';

/** What can't be sent again of the changes since a time. `isShared`: other processes write to the same store. */
export function missingBefore(
  sinceMs: number,
  keptSinceMs: number | undefined,
  isShared: boolean,
): Missing[] {
  const missing: Missing[] = [];
  if (keptSinceMs !== undefined && keptSinceMs > sinceMs) {
    const before = isShared
      ? 'are not kept: with MongoDB they are in the memory of the process, and go with it'
      : 'are not kept any more (live-events.recent-age, live-events.recent-size)';
    missing.push({
      reason: 'not-kept',
      message: `Events before ${new Date(keptSinceMs).toISOString()} ${before}. Let their consumers read the present state over REST.`,
    });
  }
  if (isShared)
    missing.push({
      reason: 'other-processes',
      message:
        'A replica keeps the events of its own changes in its memory: those of replicas that have ended since then are not among them.',
    });
  return missing;
}

/** What a hole in the log of recent events means. */
export function missingAt({ reason }: Extract<LiveItem, { kind: 'gap' }>): Missing {
  if (reason === 'too-old' || reason === 'unknown-id')
    return {
      reason: 'too-slow',
      message:
        'Events were dropped before it was their turn, for more came than could be sent. Raise live-events.recent-size.',
    };
  const where =
    reason === 'unclean-stop'
      ? 'the power failed, or files of the folder live-events are gone'
      : 'the result of a write is not known';
  return {
    reason: 'gap',
    message: `Events may be missing where ${where}. Let their consumers read the present state over REST.`,
  };
}
