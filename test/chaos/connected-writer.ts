import { setTimeout as sleep } from 'node:timers/promises';
import { AckPolicy, type JetStreamClient, type JetStreamManager, nanos, NatsError } from 'nats';
import { writeConnected } from '../end-to-end/support/contract-records.js';
import type { Random } from '../filters/fuzz/random.js';
import type { Step } from './lanes.js';
import type { Chain } from './ledger.js';

export const CONNECTED_STREAM = 'kpc_events';
export const CONNECTED_CONSUMER = 'epr-connectivity';
const SUBJECT = 'kaa.v1.events.kpc.endpoint.connectivity.connected';
const PUBLISH_TIMEOUT_MS = 2000;
const AGAIN_MS = 50;

/** The communication service's stream, and the register's consumer of it: its own waits half a minute to give a message again. */
export async function makeConnectedStream(manager: JetStreamManager): Promise<void> {
  await manager.streams.add({ name: CONNECTED_STREAM, subjects: [SUBJECT] });
  await manager.consumers.add(CONNECTED_STREAM, {
    durable_name: CONNECTED_CONSUMER,
    filter_subject: SUBJECT,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(1_000),
    max_ack_pending: 4096,
  });
}

/** How connected events say the number of a write: as an application version. */
export interface Versions {
  nameOf(number: number): string;
  /** the most that can be said */
  most: number;
}

export interface ConnectedWriterDeps {
  jetstream: JetStreamClient;
  manager: JetStreamManager;
  /** endpoints, one chain each */
  chains: readonly Chain[];
  versions: Versions;
  random: Random;
}

export interface ConnectedWriter {
  /** Publishes one event that some endpoints are connected, each with its next version. */
  step: Step;
  /** Resolves when the register has acknowledged all of them. */
  untilAcknowledged(): Promise<void>;
}

/**
 * Publishes an event until the stream has it. What it says counts as acknowledged when the register's consumer is past it,
 * and an endpoint's next version is only published then: so none may be passed over.
 */
export function createConnectedWriter(deps: ConnectedWriterDeps): ConnectedWriter {
  const { jetstream, manager, chains, versions, random } = deps;
  const free = new Set(chains);
  let underWay: { sequence: number; some: Chain[] }[] = [];
  let lastMs = 0;

  async function look(): Promise<void> {
    if (underWay.length === 0) return;
    const { ack_floor: floor } = await persistently(() =>
      manager.consumers.info(CONNECTED_STREAM, CONNECTED_CONSUMER),
    );
    for (const { sequence, some } of underWay) {
      if (sequence > floor.stream_seq) continue;
      for (const chain of some) {
        chain.results[chain.results.length - 1] = 'acknowledged';
        if (chain.results.length < versions.most) free.add(chain);
      }
    }
    underWay = underWay.filter(({ sequence }) => sequence > floor.stream_seq);
  }

  return {
    async step() {
      await look();
      if (free.size === 0) return 'unknown';
      const some = [...new Set(random.list(() => random.pick([...free]), 5, 1))];
      for (const chain of some) free.delete(chain);
      const reports = some.map(({ endpointId, results }): [string, string] => [
        endpointId,
        versions.nameOf(results.push('unknown')),
      ]);
      lastMs = Math.max(lastMs + 1, Date.now());
      const msgID = `${chains[0]!.endpointId}-${lastMs}`;
      const message = writeConnected(Object.fromEntries(reports), lastMs);
      const { seq: sequence } = await persistently(() =>
        jetstream.publish(SUBJECT, message, { msgID, timeout: PUBLISH_TIMEOUT_MS }),
      );
      underWay.push({ sequence, some });
      return 'acknowledged';
    },
    async untilAcknowledged() {
      for (await look(); underWay.length > 0; await look()) await sleep(AGAIN_MS);
    },
  };
}

/** Until the broker answers. */
async function persistently<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof NatsError)) throw error;
      await sleep(AGAIN_MS);
    }
  }
}
