/** Requests that are read for as long as they are sent: told when the service stops, for it does not wait for their end. */
export interface OpenStreams {
  /** `stop` is called once, at once when the service is stopping already. Answers how to take it back. */
  add(stop: () => void): () => void;
  /** Answers how many there were. */
  stop(): number;
}

export function createOpenStreams(): OpenStreams {
  const open = new Set<() => void>();
  let stopping = false;
  return {
    add(stop) {
      if (stopping) stop();
      else open.add(stop);
      return () => void open.delete(stop);
    },
    stop() {
      stopping = true;
      const told = [...open];
      open.clear();
      for (const stop of told) stop();
      return told.length;
    },
  };
}
