import { useEffect, useRef, useState } from 'preact/hooks';

const TYPING_MS = 400;

/**
 * A text that is handed on when nothing was typed for a while, and that follows `value` when that changes by itself. What
 * comes back of a text that was handed on changes nothing: newer text may stand there by then.
 */
export function useTyped(
  value: string,
  onSettled: (value: string) => void,
): [string, (value: string) => void] {
  const [typed, setTyped] = useState(value);
  const settled = useRef(value);
  useEffect(() => {
    if (value === settled.current) return;
    settled.current = value;
    setTyped(value);
  }, [value]);
  useEffect(() => {
    if (typed === settled.current) return;
    const timer = setTimeout(() => {
      settled.current = typed;
      onSettled(typed);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return [typed, setTyped];
}
