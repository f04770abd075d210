import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Answer, Fault } from './api-types.js';

export interface Loaded<T> {
  /** the last that was read; stays while it is read anew */
  value: T | undefined;
  etag: string | undefined;
  fault: Fault | undefined;
  loading: boolean;
  reload: () => void;
}

interface State<T> {
  key: string;
  value: T | undefined;
  etag: string | undefined;
  fault: Fault | undefined;
  loading: boolean;
}

/**
 * Reads something whenever `key` changes, and when asked to. An answer that comes after a newer question is dropped. What
 * failed because the service was away is asked for again by itself.
 */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<Answer<T>>): Loaded<T> {
  const blank = { key, value: undefined, etag: undefined, fault: undefined, loading: true };
  const [state, setState] = useState<State<T>>(blank);
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  const busy = useRef(false);
  const queued = useRef(false);

  useEffect(() => {
    busy.current = true;
    const given = new AbortController();
    let again: ReturnType<typeof setTimeout> | undefined;
    setState((before) => (before.key === key ? { ...before, loading: true } : blank));
    void latest.current(given.signal).then((answer) => {
      if (given.signal.aborted) return;
      busy.current = false;
      if (queued.current) {
        queued.current = false;
        setTurn((count) => count + 1);
      }
      if (answer.ok) {
        setState({ key, value: answer.value, etag: answer.etag, fault: undefined, loading: false });
        return;
      }
      const { fault } = answer;
      setState((before) => ({ ...before, fault, loading: false }));
      if (fault.retryAfterMs !== undefined)
        again = setTimeout(() => setTurn((count) => count + 1), Math.max(fault.retryAfterMs, 3000));
    });
    return () => {
      given.abort();
      clearTimeout(again);
    };
  }, [key, turn]);

  const reload = useCallback(() => {
    // given up for each new wish, a slow answer would never come
    if (busy.current) queued.current = true;
    else setTurn((count) => count + 1);
  }, []);
  const shown = state.key === key ? state : blank;
  return { ...shown, reload };
}

/** Calls `action` after calls have come, at most once in `ms`; a call during the wait is not lost. */
export function useThrottled(action: () => void, ms: number): () => void {
  const latest = useRef(action);
  latest.current = action;
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  return useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      latest.current();
    }, ms);
  }, [ms]);
}

/** Calls `action` every `ms` while somebody may be looking, and when the page is looked at again: for what no event tells. */
export function useNowAndThen(action: () => void, ms: number): void {
  const latest = useRef(action);
  latest.current = action;
  useEffect(() => {
    const act = (): void => {
      if (document.visibilityState === 'visible') latest.current();
    };
    const timer = setInterval(act, ms);
    document.addEventListener('visibilitychange', act);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', act);
    };
  }, [ms]);
}

/** `value` as it was when it last stayed the same for `ms`. */
export function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
