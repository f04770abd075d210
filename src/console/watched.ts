import { useLayoutEffect, useState } from 'preact/hooks';

/**
 * Draws the caller again whenever the source says so. It is watched from the moment of the first drawing: an effect comes
 * some ms later, and what was said meanwhile would never be drawn.
 */
export function useWatched(source: { watch: (callback: () => void) => () => void }): void {
  const [, draw] = useState(0);
  useLayoutEffect(() => source.watch(() => draw((count) => count + 1)), [source]);
}
