import { setTimeout as sleep } from 'node:timers/promises';
import { AckPolicy, type JetStreamClient, type JetStreamManager, nanos, NatsError } from 'nats';
import { writeConnected } from '../end-to-end/support/contract-records.js';
import type { Random } from '../filters/fuzz/random.js';
import type { Step } from './lanes.js';
import type { Chain, Report, Result } from './ledger.js';

const STREAM = 'kpc_events';
const CONSUMER = 'epr-connectivity';
const SUBJECTS = 'kaa.v1.events.kpc.endpoint.connectivity';
const PUBLISH_TIMEOUT_MS = 2000;
const AGAIN_MS = 50;

/** The communication service's stream, and the register's consumer of it: its own waits half a minute to give a message again. */
export async function makeConnectivityStream(manager: JetStreamManager): Promise<void> {
  await manager.streams.add({ name: STREAM, subjects: [`${SUBJECTS}.*`] });
  await manager.consumers.add(STREAM, {
    durable_name: CONSUMER,
    filter_subject: `${SUBJECTS}.*`,
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

export interface ConnectivityWriterDeps {
  jetstream: JetStreamClient;
  manager: JetStreamManager;
  /** endpoints, one chain each */
  chains: readonly Chain[];
  versions: Versions;
  random: Random;
}

export interface ConnectivityWriter {
  /** Publishes that some endpoints came or went, each with its next number. */
  step: Step;
  /** Resolves when the register has acknowledged all of them. */
  untilAcknowledged(): Promise<void>;
}

/**
 * Publishes an event until the stream has it. What it says counts as acknowledged when the register's consumer is past it,
 * and what comes next of an endpoint is only published then: so none may be passed over. But for those that come late, of
 * two kinds: one that is older than what was acknowledged must change nothing; one that is published just after a newer one
 * may happen before that or not at all. Times are even; those of the first kind odd, so that no two are the same.
 */
export function createConnectivityWriter(deps: ConnectivityWriterDeps): ConnectivityWriter {
  const { jetstream, manager, chains, versions, random } = deps;
  const free = new Set(chains);
  let underWay: { sequence: number; some: readonly Chain[]; acknowledges: boolean }[] = [];
  let lastMs = 0;

  async function look(): Promise<void> {
    if (underWay.length === 0) return;
    const { ack_floor: floor } = await persistently(() => manager.consumers.info(STREAM, CONSUMER));
    const isPast = ({ sequence }: { sequence: number }) => sequence <= floor.stream_seq;
    for (const { some, acknowledges } of underWay.filter(isPast)) {
      for (const chain of some) {
        if (acknowledges) chain.results[chain.results.length - 1] = 'acknowledged';
        // a step takes up to two
        if (chain.results.length + 2 <= versions.most) free.add(chain);
      }
    }
    underWay = underWay.filter((one) => !isPast(one));
  }

  const nextMs = (): number => (lastMs = Math.max(lastMs + 2, Math.floor(Date.now() / 2) * 2));

  /** Notes it, and answers how it is published: the sequence in the stream. */
  function prepare(some: readonly Chain[], said: Report, result: Result): () => Promise<number> {
    const reports = some.map(({ endpointId, results, reports }): [string, string] => {
      reports.push(said);
      return [endpointId, versions.nameOf(results.push(result))];
    });
    const kind = said.connected ? 'connected' : 'disconnected';
    const data = writeConnected(Object.fromEntries(reports), said.timestampMs);
    const msgID = `${chains[0]!.endpointId}-${reports.map((report) => report.join('.')).join('-')}`;
    return async () => {
      const send = () =>
        jetstream.publish(`${SUBJECTS}.${kind}`, data, { msgID, timeout: PUBLISH_TIMEOUT_MS });
      return (await persistently(send)).seq;
    };
  }

  async function publish(
    some: readonly Chain[],
    { acknowledges, sends }: { acknowledges: boolean; sends: (() => Promise<number>)[] },
  ): Promise<Result> {
    for (const chain of some) free.delete(chain);
    // the register takes no event to be later than its stream took it
    while (Date.now() < lastMs) await sleep(1);
    let sequence = 0;
    for (const send of sends) sequence = Math.max(sequence, await send());
    underWay.push({ sequence, some, acknowledges });
    return 'acknowledged';
  }

  return {
    async step() {
      await look();
      if (free.size === 0) return 'unknown';
      const some = [...new Set(random.list(() => random.pick([...free]), 5, 1))];
      const connected = random.chance(60);
      const choice = random.below(100);
      const known = some.map(({ results, reports }) => reports[results.lastIndexOf('acknowledged')]);
      if (choice < 10 && known.every((report) => report !== undefined)) {
        const timestampMs = Math.min(...known.map((report) => report.timestampMs)) - 1;
        const late = prepare(some, { connected, timestampMs }, 'refused');
        return publish(some, { acknowledges: false, sends: [late] });
      }
      const overtaken =
        choice < 30 ? [prepare(some, { connected: !connected, timestampMs: nextMs() }, 'unknown')] : [];
      const newest = prepare(some, { connected, timestampMs: nextMs() }, 'unknown');
      return publish(some, { acknowledges: true, sends: [newest, ...overtaken] });
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
