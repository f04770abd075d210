import type { Method, Route } from './route.js';

interface Node {
  statics: Map<string, Node>;
  /** the child that takes any segment */
  any: Node | undefined;
  routes: Map<string, BoundRoute>;
}

/** A row with what is derived from it once. */
export interface BoundRoute {
  route: Route;
  /** names in braces, in the order of the path */
  names: readonly string[];
}

export type Match<R> =
  | { kind: 'found'; route: R; values: readonly string[] }
  /** the path is known, the method is not */
  | { kind: 'method'; allowed: readonly string[] }
  | { kind: 'none' };

export interface Router<R extends BoundRoute> {
  /** `segments` are percent-decoded. A fixed segment goes before a name in braces; O(segments) but for such doubles. */
  match(method: string, segments: readonly string[]): Match<R>;
}

export function createRouter<R extends BoundRoute>(routes: readonly R[]): Router<R> {
  const root = createNode();
  for (const bound of routes) {
    let node = root;
    for (const segment of segmentsOf(bound.route.path)) {
      if (segment.startsWith('{')) node = node.any ??= createNode();
      else {
        let next = node.statics.get(segment);
        if (next === undefined) node.statics.set(segment, (next = createNode()));
        node = next;
      }
    }
    if (node.routes.has(bound.route.method))
      throw new Error(`Two routes are ${bound.route.method} ${bound.route.path}.`);
    node.routes.set(bound.route.method, bound);
  }
  return {
    match(method, segments) {
      const values: string[] = [];
      const wanted: string = method === 'HEAD' ? 'GET' : method;
      const route = find(root, wanted, segments, 0, values);
      if (route !== undefined) return { kind: 'found', route: route as R, values };
      const allowed = new Set<string>();
      collectMethods(root, segments, 0, allowed);
      return allowed.size === 0 ? { kind: 'none' } : { kind: 'method', allowed: allowedMethods(allowed) };
    },
  };
}

export function segmentsOf(path: string): string[] {
  return path.split('/').slice(1);
}

export function namesOf(path: string): string[] {
  return segmentsOf(path)
    .filter((segment) => segment.startsWith('{'))
    .map((segment) => segment.slice(1, -1));
}

function createNode(): Node {
  return { statics: new Map(), any: undefined, routes: new Map() };
}

/** Goes back where a fixed segment led nowhere: an endpoint may have the id `batch`. */
function find(
  node: Node,
  method: string,
  segments: readonly string[],
  at: number,
  values: string[],
): BoundRoute | undefined {
  if (at === segments.length) return node.routes.get(method);
  const segment = segments[at]!;
  const fixed = node.statics.get(segment);
  const found = fixed === undefined ? undefined : find(fixed, method, segments, at + 1, values);
  if (found !== undefined || node.any === undefined || segment === '') return found;
  values.push(segment);
  const named = find(node.any, method, segments, at + 1, values);
  if (named === undefined) values.pop();
  return named;
}

/** The methods of all rows whose path is this one. */
function collectMethods(node: Node, segments: readonly string[], at: number, methods: Set<string>): void {
  if (at === segments.length) {
    for (const method of node.routes.keys()) methods.add(method);
    return;
  }
  const segment = segments[at]!;
  const fixed = node.statics.get(segment);
  if (fixed !== undefined) collectMethods(fixed, segments, at + 1, methods);
  if (node.any !== undefined && segment !== '') collectMethods(node.any, segments, at + 1, methods);
}

const ORDER: readonly (Method | 'HEAD')[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

function allowedMethods(methods: ReadonlySet<string>): string[] {
  return ORDER.filter((method) => methods.has(method) || (method === 'HEAD' && methods.has('GET')));
}
