export interface Interrupt {
  /** aborted by the first SIGINT or SIGTERM: finish, and stop */
  first: AbortSignal;
  /** aborted by the second: stop */
  second: AbortSignal;
  forget(): void;
}

/** Takes over Ctrl-C and SIGTERM until `forget` is called. The third ends the process as if nothing had been taken over. */
export function onInterrupt(): Interrupt {
  const first = new AbortController();
  const second = new AbortController();
  const onSignal = (): void => {
    if (second.signal.aborted) process.exit(130);
    if (first.signal.aborted) second.abort();
    else first.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    first: first.signal,
    second: second.signal,
    forget() {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}

/** Resolves when it is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
