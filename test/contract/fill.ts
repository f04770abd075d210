import type { Wish } from './ask.js';
import type { ContractService } from './service.js';

/** Endings of ids: sorted by code units, and special in patterns and paths. */
const ENDINGS = ['a', 'B', 'c.d', 'e_f', '~g', 'h'];

/**
 * Names that stand in `<>` in a request: `a`, `b`: applications; `v1`, `v2`, `w1`: their versions; `e0`: ids. Any other
 * is made of itself.
 */
export function namesOf(world: ReturnType<ContractService['freshWorld']>): Map<string, string> {
  const [a, b] = world.applications;
  const names = {
    a,
    b,
    none: `${a}-none`,
    tenant: world.tenant,
    v1: `${a}-v1`,
    v2: `${a}-v2`,
    w1: `${b}-v1`,
  };
  const ids = ENDINGS.map((ending, i) => [`e${i}`, `${world.name}-${ending}`] as const);
  return new Map([...Object.entries(names), ...ids]);
}

/** Puts names in their places. */
export async function fill(wish: Wish, nameOf: (name: string) => string | Promise<string>): Promise<Wish> {
  const text = JSON.stringify(wish);
  const found = new Map<string, string>();
  for (const [, name] of text.matchAll(/<(\w+)>/g)) found.set(name!, await nameOf(name!));
  return JSON.parse(
    text.replaceAll(/<(\w+)>/g, (_, name: string) => JSON.stringify(found.get(name)).slice(1, -1)),
  ) as Wish;
}
