import type { KeptMessage } from './event-stream.js';

/** Events about endpoints: those of filters themselves are numbered by the filter. */
export function isOfEndpoint({ kind }: KeptMessage): boolean {
  return !kind.startsWith('filter-');
}

/**
 * Where first appearances of an endpoint's revisions do not grow by one from 1 to the stored revision. An event that came
 * before may come again at any time.
 */
export function findGaps(messages: readonly KeptMessage[], stored: ReadonlyMap<string, number>): string[] {
  const faults: string[] = [];
  const known = new Map<string, number>();
  const seen = new Set<string>();
  for (const message of messages) {
    if (!isOfEndpoint(message)) continue;
    const { source, revision, kind, filterId } = message;
    const id = `${source}.${revision}.${kind}.${filterId ?? ''}`;
    if (seen.has(id)) continue;
    seen.add(id);
    const last = known.get(source) ?? 0;
    if (revision === last + 1) known.set(source, revision);
    else if (revision !== last) faults.push(`${id} came first after revision ${last}`);
  }
  for (const [endpointId, revision] of stored) {
    const last = known.get(endpointId) ?? 0;
    if (last !== revision) faults.push(`${endpointId} has revision ${revision}, its events end at ${last}`);
  }
  return faults;
}
