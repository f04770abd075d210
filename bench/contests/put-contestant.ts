import type { JsonValue } from '../../src/model/json.js';
import type { Child } from '../children.js';
import type { Changes } from '../clients/put-client.js';
import type { RequestRun, RequestRunResult } from '../clients/requests.js';
import type { Contestant, Sample } from '../contest.js';
import type { Processes } from '../processor-time.js';
import { changeOf, KEY, type Station } from '../fleet.js';

export interface PutTarget {
  name: string;
  what: string;
  own: boolean;
  url: () => string;
  processes: () => Processes;
  connections: number;
  /** see WAVE_STEPS */
  waveStep?: number;
  fleet: readonly Station[];
  /** Waits for what goes on after the answers; answers figures of it. */
  settle?: () => Promise<Record<string, number>>;
  /** Ends the server in the hardest way, and reads the key of every endpoint from what it has left. */
  readBack: () => Promise<Map<string, JsonValue | undefined>>;
  /** Further checks, when the values are right. */
  check?: (changes: Changes) => Promise<string>;
}

/** A server to which the client puts; its runs and checks are the same for all. */
export function createPutContestant(client: Child, target: PutTarget): Contestant {
  const { name, what, own } = target;
  return {
    name,
    what,
    own,
    processes: () => ({ ...target.processes(), client: client.pid }),
    async measure({ seconds }): Promise<Sample> {
      const run: RequestRun = {
        contestant: name,
        url: target.url(),
        connections: target.connections,
        seconds,
        ...(target.waveStep === undefined ? {} : { waveStep: target.waveStep }),
      };
      const result = await client.ask<RequestRunResult>('run', run);
      if (result.failures > 0) throw new Error(`${name}: ${result.failures} requests failed`);
      const notes = await target.settle?.();
      return {
        ratePerSecond: result.acknowledged / result.seconds,
        p50Ms: result.p50Ms,
        p99Ms: result.p99Ms,
        operations: result.acknowledged,
        seconds: result.seconds,
        ...(notes === undefined ? {} : { notes }),
      };
    },
    async verify() {
      const changes = await client.ask<Changes>('changes', name);
      const stored = await target.readBack();
      const written = checkChanges(name, target.fleet, changes, stored);
      const more = await target.check?.(changes);
      return `${changes.total.toLocaleString('en-US')} acknowledged writes of ${written.toLocaleString('en-US')} endpoints: none is missing after SIGKILL${more === undefined ? '' : `; ${more}`}`;
    },
  };
}

/** What is stored of an endpoint is its last acknowledged change, or one that was sent after it and not answered when the run ended. */
export function checkChanges(
  name: string,
  fleet: readonly Station[],
  { sent, acknowledged }: Pick<Changes, 'sent' | 'acknowledged'>,
  stored: Map<string, JsonValue | undefined>,
): number {
  let written = 0;
  for (const [i, { endpointId }] of fleet.entries()) {
    if (acknowledged[i] === 0) continue;
    written++;
    const change = changeOf(stored.get(endpointId));
    if (change < acknowledged[i]! || change > sent[i]!)
      throw new Error(
        `${name}: change ${acknowledged[i]} of ${KEY} of ${endpointId} was acknowledged, ${sent[i]} were sent, and change ${change} is stored`,
      );
  }
  return written;
}
