/** Operations of the interface that are not in this version; their paths would fall to others, with misleading answers. */
const NOT_YET: readonly [method: string, path: RegExp][] = [
  ['PUT', /^\/relations\/(link|unlink)$/],
  ['GET', /^\/endpoints\/[^/]+\/relations$/],
];

/** `path` is what stands after `/api/v1`. To be asked when no route takes the request. */
export function isNotYet(method: string, path: string): boolean {
  const wanted = method === 'HEAD' ? 'GET' : method;
  return NOT_YET.some(([known, pattern]) => known === wanted && pattern.test(path));
}
