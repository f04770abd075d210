import type { Logger } from 'pino';
import type { StreamConfig } from './jetstream-api.js';

/** So many servers of a cluster have a message before it is acknowledged that one may lose its power. */
const SAFE_REPLICAS = 3;

/**
 * Warns, once for each stream, where an event that JetStream acknowledged can be lost with the power of one machine. How
 * often a server flushes to disk is told to its system account and its monitoring port only, not to us: so the operator
 * says it (`syncAlways`).
 */
export function createDurabilityNotice(
  syncAlways: boolean,
  log: Logger,
): (streams: readonly StreamConfig[]) => void {
  const told = new Set<string>();
  return (streams) => {
    for (const stream of streams) {
      const text = weakness(stream, syncAlways);
      if (text === undefined || told.has(text)) continue;
      told.add(text);
      log.warn(
        { stream: stream.name },
        `${text} What was lost can be sent again: epr republish --since <time>.`,
      );
    }
  };
}

function weakness(
  { name, storage, num_replicas: replicas = 1, persist_mode: persistMode }: StreamConfig,
  syncAlways: boolean,
): string | undefined {
  if (storage === 'memory')
    return `The stream ${name} keeps events in memory: those that it acknowledged are lost when ${replicas === 1 ? 'its server stops' : 'its servers stop'}. Make it anew with storage "file".`;
  if (persistMode === 'async')
    return `The stream ${name} acknowledges events before they are written (persist_mode async): they are lost when its server dies. Make it anew without persist_mode.`;
  if (syncAlways || replicas >= SAFE_REPLICAS) return undefined;
  return `The stream ${name} has ${replicas === 1 ? '1 replica' : `${replicas} replicas`}, and a NATS server flushes to disk every 2 minutes only, unless it is told otherwise: events that it acknowledged are lost when the power of its machine fails. Set jetstream { sync_interval: always } at each NATS server, and then nats.jetstream.sync-always to true here; or give the stream ${SAFE_REPLICAS} replicas, on machines that do not fail together.`;
}
