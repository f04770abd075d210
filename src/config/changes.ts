/** What a new configuration changes, and whether it can be taken up while running. */
import { isDeepStrictEqual } from 'node:util';
import { namedRoots, settings } from './settings.js';
import type { Config } from './types.js';

/**
 * The dotted keys that differ, by what they need. Of applications, tenants and role grants the name is given, as in
 * `kaa.applications.demo`. Call with the `replicaId` of `before` passed to `loadConfig`, or a random one differs.
 */
export function describeChanges(before: Config, after: Config): { live: string[]; restart: string[] } {
  const live: string[] = [];
  const restart: string[] = [];
  for (const { key, field, live: isLive } of settings) {
    if (field === undefined || isDeepStrictEqual(at(before, field), at(after, field))) continue;
    // who uses it reads the file by itself
    const file = at(before, `${field}File`);
    if (file !== undefined && file === at(after, `${field}File`)) continue;
    (isLive ? live : restart).push(key);
  }
  for (const root of namedRoots) {
    const [old, now] = [namedPart(before, root), namedPart(after, root)];
    const isLive = settings.some(({ key, live }) => key.startsWith(`${root}.`) && live);
    for (const name of new Set([...Object.keys(old), ...Object.keys(now)]))
      if (!isDeepStrictEqual(old[name], now[name])) (isLive ? live : restart).push(`${root}.${name}`);
  }
  return { live, restart };
}

function namedPart(config: Config, root: string): Readonly<Record<string, unknown>> {
  if (root === 'kaa.applications') return config.applications;
  return root === 'kaa.tenants' ? config.kaa.tenants : config.kaa.security.roleGrants;
}

function at(config: Config, field: string): unknown {
  return field
    .split('.')
    .reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], config);
}
