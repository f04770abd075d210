import type { Command } from '../model/command.js';
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

/**
 * Takes up to `most` commands from the head of a queue, grouped by endpoint. A registration after other commands on the
 * same endpoint waits, with all that comes behind it, for the next batch: it may begin another life of the endpoint, and
 * one write carries one life. O(most).
 */
export function takeBatch(queue: Pending[], most: number): Group[] {
  const taken = queue.splice(0, most);
  const groups = new Map<string, Group>();
  const held: Pending[] = [];
  const closed = new Set<string>();
  for (const pending of taken) {
    const { endpointId, type } = pending.command;
    const group = groups.get(endpointId);
    if (closed.has(endpointId) || (type === 'register' && group !== undefined)) {
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
