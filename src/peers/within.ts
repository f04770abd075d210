type Waited<T> =
  | { kind: 'value'; value: T }
  | { kind: 'failed'; message: string }
  | { kind: 'late' }
  | { kind: 'cancelled' };

/** Waits for a promise, but not longer than that, nor longer than the signal lets. */
export function within<T = never>(ms: number, signal: AbortSignal, promise?: Promise<T>): Promise<Waited<T>> {
  return new Promise((resolve) => {
    const settle = (waited: Waited<T>) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', cancel);
      resolve(waited);
    };
    const cancel = () => settle({ kind: 'cancelled' });
    const timer = setTimeout(() => settle({ kind: 'late' }), ms);
    signal.addEventListener('abort', cancel);
    if (signal.aborted) cancel();
    promise?.then(
      (value) => settle({ kind: 'value', value }),
      (error: unknown) => settle({ kind: 'failed', message: (error as Error).message }),
    );
  });
}
