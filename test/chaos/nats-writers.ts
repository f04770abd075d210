import { NatsError } from 'nats';
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
