import type { Random } from '../filters/fuzz/random.js';
import { type Api, resultOf } from './api.js';
import type { Step } from './lanes.js';
import type { Chain, Ledger } from './ledger.js';

/** Registers them, some at a time. @throws Error when one is refused */
export async function registerAll(api: Api, ids: readonly string[], version: string): Promise<void> {
  const left = [...ids.entries()];
  const lane = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const [i, endpointId] = next;
      const body = { appVersion: { name: version }, endpointId, metadata: { temp: i % 40 } };
      const answer = await api.persistently({ method: 'POST', path: '/endpoints', body });
      if (!(answer.status === 409 && answer.again)) resultOf(answer);
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
}

/** `PUT` of one key: the number itself. */
export function putStep(api: Api, chains: readonly Chain[], random: Random): Step {
  return async () => {
    const chain = random.pick(chains);
    const path = `/endpoints/${chain.endpointId}/metadata/${chain.key}`;
    return record(chain, await api.once({ method: 'PUT', path, body: chain.results.length + 1 }));
  };
}

/** `PATCH`: the number, and a temperature that goes up and down. */
export function patchStep(api: Api, chains: readonly Chain[], random: Random): Step {
  return async () => {
    const chain = random.pick(chains);
    const body = [
      { op: 'add', path: `/${chain.key}`, value: chain.results.length + 1 },
      { op: 'add', path: `/temp_${chain.key}`, value: random.below(40) },
    ];
    const path = `/endpoints/${chain.endpointId}/metadata`;
    return record(
      chain,
      await api.once({ method: 'PATCH', path, type: 'application/json-patch+json', body }),
    );
  };
}

function record(chain: Chain, answer: Parameters<typeof resultOf>[0]) {
  const result = resultOf(answer);
  chain.results.push(result);
  return result;
}

/** An endpoint that comes and goes: what is sent of it, and what came of that. */
interface Visitor {
  registrations: Chain;
  unregistrations: Chain;
  writes: Chain;
  /** how often it came */
  visits: number;
  isThere: boolean;
}

/**
 * Registers, changes and unregisters endpoints of its own. What is not known is asked for again: a registration that is
 * refused for its id, or an unregistration of what is not there, shows that the one before had happened.
 */
export function visitorStep(
  api: Api,
  ledger: Ledger,
  ids: readonly string[],
  version: string,
  random: Random,
): Step {
  const visitors = ids.map((endpointId): Visitor => ({
    registrations: ledger.chain('register', endpointId, 'visit'),
    unregistrations: ledger.chain('unregister', endpointId, 'left'),
    writes: ledger.chain('PUT', endpointId, 'n'),
    visits: 0,
    isThere: false,
  }));

  const comeOrGo = async (visitor: Visitor) => {
    const { isThere, registrations, unregistrations, visits } = visitor;
    const { endpointId } = registrations;
    const visit = visits + (isThere ? 0 : 1);
    const { results } = isThere ? unregistrations : registrations;
    const registration = {
      appVersion: { name: version },
      endpointId,
      metadata: { visit, temp: random.below(40) },
    };
    const answer = await api.once(
      isThere
        ? { method: 'DELETE', path: `/endpoints/${endpointId}` }
        : { method: 'POST', path: '/endpoints', body: registration },
    );
    const wasBefore = results[visit - 1] === 'unknown' && isAnswered(answer, isThere ? 404 : 409);
    const result = wasBefore ? 'acknowledged' : resultOf(answer);
    if (result === 'refused') return result;
    results[visit - 1] = result;
    if (result === 'unknown') return result;
    visitor.visits = visit;
    visitor.isThere = !isThere;
    return result;
  };

  return () => {
    const visitor = random.pick(visitors);
    const isLeaving = visitor.unregistrations.results[visitor.visits - 1] === 'unknown';
    if (!visitor.isThere || isLeaving || random.chance(25)) return comeOrGo(visitor);
    return putStep(api, [visitor.writes], random)();
  };
}

function isAnswered(answer: Parameters<typeof resultOf>[0], status: number): boolean {
  return typeof answer !== 'string' && answer.status === status;
}
