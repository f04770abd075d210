import { type JetStreamClient, NatsError } from 'nats';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeConnected } from '../end-to-end/support/contract-records.js';
import type { Random } from '../filters/fuzz/random.js';
import { type Client, json, type Response } from '../messaging/served-support.js';
import { resultOfStatus } from './api.js';
import type { Step } from './lanes.js';
import type { Chain, Result } from './ledger.js';

/** One key by `ep-metadata-key-update-request`. */
export function keyUpdateStep(client: Client, chains: readonly Chain[], random: Random): Step {
  return async () => {
    const chain = random.pick(chains);
    const result = await resultOfRequest(client.epmmp('ep-metadata-key-update-request', updateOf(chain)));
    chain.results.push(result);
    return result;
  };
}

/** Keys of several endpoints by `ep-metadata-key-batch-update-request`. */
export function batchUpdateStep(client: Client, chains: readonly Chain[], random: Random): Step {
  return async () => {
    const some = new Set(random.list(() => random.pick(chains), 12, 1));
    const commands = [...some].map(updateOf);
    const result = await resultOfRequest(client.epmmp('ep-metadata-key-batch-update-request', { commands }));
    // of a batch that failed in part it is not told which commands did
    for (const chain of some) chain.results.push(result === 'refused' && some.size > 1 ? 'unknown' : result);
    return result;
  };
}

function updateOf({ endpointId, key, results }: Chain) {
  return { endpointId, metadataKey: key, metadataValue: json(results.length + 1) };
}

async function resultOfRequest(answer: Promise<Response>): Promise<Result> {
  try {
    const { statusCode, reasonPhrase } = await answer;
    return resultOfStatus(statusCode, () => String(reasonPhrase));
  } catch (error) {
    // 503: nobody is in the queue group, and the broker has dropped it; else no answer came in time
    if (error instanceof NatsError) return error.code === '503' ? 'refused' : 'unknown';
    throw error;
  }
}

export const CONNECTED_STREAM = 'kpc_events';
export const CONNECTED_CONSUMER = 'epr-connectivity';
export const CONNECTED_SUBJECT = 'kaa.v1.events.kpc.endpoint.connectivity.connected';

/** How connected events say the number of a write: as an application version. */
export interface Versions {
  nameOf(number: number): string;
  /** the most that can be said */
  most: number;
}

/** Events that some endpoints are connected, each with its next version; published until the stream has them. */
export function connectedStep(
  jetstream: JetStreamClient,
  chains: readonly Chain[],
  versions: Versions,
  random: Random,
): Step {
  let lastMs = 0;
  return async () => {
    const some = new Set(random.list(() => random.pick(chains), 5, 1));
    for (const chain of some) if (chain.results.length === versions.most) some.delete(chain);
    const reports = [...some].map(({ endpointId, results }): [string, string] => [
      endpointId,
      versions.nameOf(results.length + 1),
    ]);
    lastMs = Math.max(lastMs + 1, Date.now());
    const message = writeConnected(Object.fromEntries(reports), lastMs);
    for (;;) {
      try {
        const msgID = `${chains[0]!.endpointId}-${lastMs}`;
        await jetstream.publish(CONNECTED_SUBJECT, message, { msgID, timeout: 2000 });
        break;
      } catch (error) {
        if (!(error instanceof NatsError)) throw error;
        await sleep(50);
      }
    }
    for (const { results } of some) results.push('acknowledged');
    return 'acknowledged';
  };
}
