import { useLayoutEffect, useState } from 'preact/hooks';
import { parseRoute, routeHref, type Route, type RouteParams } from './route.js';

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useLayoutEffect(() => {
    const follow = (): void => setRoute(parseRoute(location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return route;
}

/** `replace`: without a step for the back button, as while typing. */
export function go(path: readonly string[], params: RouteParams = {}, replace = false): void {
  const href = routeHref(path, params);
  if (href === location.hash) return;
  if (replace) location.replace(href);
  else location.hash = href;
}
