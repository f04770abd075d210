/** Where the console is: what stands behind the `#`, so that every view can be linked and the back button works. */
export interface Route {
  path: readonly string[];
  params: Readonly<Record<string, string>>;
}

export type RouteParams = Readonly<Record<string, string | undefined>>;

/** @param hash with or without its `#`; what can't be decoded stays as it is */
export function parseRoute(hash: string): Route {
  const text = hash.replace(/^#/, '');
  const at = text.indexOf('?');
  const path = (at < 0 ? text : text.slice(0, at)).split('/').filter((part) => part !== '');
  const params = Object.fromEntries(new URLSearchParams(at < 0 ? '' : text.slice(at + 1)));
  return { path: path.map(decode), params };
}

/** Empty parameters are left out. */
export function routeHref(path: readonly string[], params: RouteParams = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params))
    if (value !== undefined && value !== '') query.set(name, value);
  const text = query.toString();
  return `#/${path.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
