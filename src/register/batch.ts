import { type Command, textLengthOf } from '../model/command.js';
import type { Outcome } from '../model/outcome.js';

/** A command that waits for its outcome. */
export interface Pending {
  command: Command;
  resolve: (outcome: Outcome) => void;
  /** how often it met a record that had changed under it */
  conflicts: number;
}

/** The commands of one batch on one endpoint, in order. */
export interface Group {
  endpointId: string;
  pending: Pending[];
}

/** UTF-16 units of the texts in one batch at most, but for a single command that has more: bounds its memory. */
const MAX_TEXT = 8 * 1024 * 1024;

/**
 * Takes up to `most` commands from the head of a queue, grouped by endpoint. A registration after other commands on the
 * same endpoint waits, with all that comes behind it, for the next batch: it may begin another life of the endpoint, and
 * one write carries one life. So does an unregistration after a registration: whether the registration may have its
 * token is known when it is written. O(most).
 */
export function takeBatch(queue: Pending[], most: number): Group[] {
  const taken = queue.splice(0, countFitting(queue, most));
  const groups = new Map<string, Group>();
  const held: Pending[] = [];
  const closed = new Set<string>();
  for (const pending of taken) {
    const { endpointId, type } = pending.command;
    const group = groups.get(endpointId);
    const isOtherLife =
      type === 'register' || (type === 'unregister' && group?.pending[0]!.command.type === 'register');
    if (closed.has(endpointId) || (isOtherLife && group !== undefined)) {
      closed.add(endpointId);
      held.push(pending);
    } else if (group === undefined) {
      groups.set(endpointId, { endpointId, pending: [pending] });
    } else {
      group.pending.push(pending);
    }
  }
  if (held.length > 0) queue.unshift(...held);
  return [...groups.values()];
}

function countFitting(queue: readonly Pending[], most: number): number {
  let text = 0;
  for (let count = 0; count < most && count < queue.length; count++) {
    text += textLengthOf(queue[count]!.command);
    if (text > MAX_TEXT && count > 0) return count;
  }
  return most;
}
