import { hashText } from '../model/hash.js';

/** Which endpoints have commands that wait or are under way. */
export interface UnderWay {
  begin(endpointId: string): void;
  end(endpointId: string): void;
  /** True: none on this endpoint. False: one on this endpoint, or on another whose id has the same hash. */
  isQuiet(endpointId: string): boolean;
  /** how many have ended */
  readonly ended: number;
}

const SLOTS = 64 * 1024;

/** Counts by hash: 256 KiB, whatever there is to be done. */
export function createUnderWay(): UnderWay {
  const counts = new Uint32Array(SLOTS);
  const slotOf = (endpointId: string) => hashText(endpointId) % SLOTS;
  let ended = 0;
  return {
    begin: (endpointId) => void counts[slotOf(endpointId)]!++,
    end(endpointId) {
      counts[slotOf(endpointId)]!--;
      ended++;
    },
    isQuiet: (endpointId) => counts[slotOf(endpointId)] === 0,
    get ended() {
      return ended;
    },
  };
}
