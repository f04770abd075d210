import { createHash, randomBytes } from 'node:crypto';
import { type Refusal, refuse } from '../../model/errors.js';
import type { Caller } from '../../security/index.js';

export const TICKET_MS = 30_000;
const MAX_TICKETS = 10_000;
/** of one caller */
const MAX_OWN = 100;

/** Stand for a caller once, where a token can't be sent: an `EventSource` sends no headers, and a URL is no place for a token. */
export interface Tickets {
  /** 256 bits from the system's generator, good for {@link TICKET_MS} in this process. */
  issue(caller: Caller): { ticket: string } | Refusal;
  /** `undefined`: it is not known, too old, or was used. */
  redeem(ticket: string): Caller | undefined;
}

export function createTickets(nowMs: () => number = Date.now): Tickets {
  /** by hash, oldest first */
  const open = new Map<string, { caller: Caller; owner: string; untilMs: number }>();
  const owned = new Map<string, number>();

  function take(key: string): void {
    const { owner } = open.get(key)!;
    open.delete(key);
    const left = owned.get(owner)! - 1;
    if (left === 0) owned.delete(owner);
    else owned.set(owner, left);
  }

  function forgetOld(): void {
    const now = nowMs();
    for (const [key, { untilMs }] of open) {
      if (untilMs > now) return;
      take(key);
    }
  }

  return {
    issue(caller) {
      forgetOld();
      const owner = JSON.stringify([caller.tenant ?? null, caller.token?.subject ?? null]);
      const own = owned.get(owner) ?? 0;
      if (own >= MAX_OWN || open.size >= MAX_TICKETS)
        return refuse('overloaded', 'As many tickets as are allowed were not used yet. Try again shortly.');
      const ticket = randomBytes(32).toString('base64url');
      open.set(keyOf(ticket), { caller, owner, untilMs: nowMs() + TICKET_MS });
      owned.set(owner, own + 1);
      return { ticket };
    },
    redeem(ticket) {
      forgetOld();
      const key = keyOf(ticket);
      const found = open.get(key);
      if (found === undefined) return undefined;
      take(key);
      return found.caller;
    },
  };
}

/** How long a look-up takes says nothing about a ticket. */
function keyOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('base64');
}
