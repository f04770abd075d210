import type { OrderMark } from './frame.js';

/** A hole that stays open behind so many entries is the number of a write that failed. */
const MOST_BEYOND = 1000;

/**
 * Which outbox entries were told of. A keeper that counts its entries tells them nearly in order; so this is one number,
 * and the few beyond it.
 */
export class OrderTracker {
  #through: number;
  #beyond: Set<number>;
  #anew = false;

  constructor({ through, beyond }: OrderMark) {
    this.#through = through;
    this.#beyond = new Set(beyond);
  }

  get mark(): OrderMark {
    return { through: this.#through, beyond: [...this.#beyond].sort((a, b) => a - b) };
  }

  /** False: entries are missing that will never be told of. */
  add(order: number): boolean {
    if (this.#anew) {
      this.#anew = false;
      this.#through = Math.max(this.#through, order);
    } else if (order === this.#through + 1) this.#through = order;
    else if (order > this.#through) this.#beyond.add(order);
    while (this.#beyond.delete(this.#through + 1)) this.#through++;
    return this.#beyond.size <= MOST_BEYOND;
  }

  /** Numbers may have been lost up to the next that is told. */
  begin(): void {
    this.#through = Math.max(this.#through, ...this.#beyond);
    this.#beyond.clear();
    this.#anew = true;
  }
}
