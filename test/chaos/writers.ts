import type { JetStreamClient, JetStreamManager } from 'nats';
import type { Random } from '../filters/fuzz/random.js';
import type { Client } from '../messaging/served-support.js';
import type { Api } from './api.js';
import { type ConnectivityWriter, createConnectivityWriter, type Versions } from './connectivity-writer.js';
import type { Step } from './lanes.js';
import type { Kind, Ledger } from './ledger.js';
import { batchUpdateStep, keyUpdateStep } from './nats-writers.js';
import { patchStep, putStep, visitorStep } from './rest-writers.js';

export interface WritersDeps {
  ledger: Ledger;
  api: Api;
  client: Client;
  jetstream: JetStreamClient;
  manager: JetStreamManager;
  /** endpoints that stay, and those that come and go */
  ids: readonly string[];
  visitors: readonly string[];
  versions: Versions;
  /** a request that nobody answers in time waits with a register that is paused, while another carries out the next */
  requestsMayComeLate: boolean;
  random: (salt: number) => Random;
}

export interface Writers {
  steps: readonly Step[];
  connectivity: readonly ConnectivityWriter[];
}

const LANES_OF_EACH = 2;

/** Writers on every way in. */
export function createWriters(deps: WritersDeps): Writers {
  const { ledger, api, client, jetstream, manager, ids, versions, random } = deps;
  const steps: Step[] = [];
  const connectivity: ConnectivityWriter[] = [];
  for (let lane = 0; lane < LANES_OF_EACH; lane++) {
    const chains = (kind: Kind, key: string, mayComeLate = false) =>
      ids.map((endpointId) => ledger.chain(kind, endpointId, `${key}${lane}`, mayComeLate));
    // endpoints of their own: connectivity is told by one
    const own = (_: string, i: number) => i % LANES_OF_EACH === lane;
    const told = ids
      .filter(own)
      .map((endpointId) => ledger.chain('connected', endpointId, 'connectivity_ts'));
    const salt = lane * 10;
    const writer = createConnectivityWriter({
      jetstream,
      manager,
      chains: told,
      versions,
      random: random(salt + 4),
    });
    connectivity.push(writer);
    const isLate = deps.requestsMayComeLate;
    steps.push(
      putStep(api, chains('PUT', 'put'), random(salt)),
      patchStep(api, chains('PATCH', 'patch'), random(salt + 1)),
      keyUpdateStep(client, chains('key update', 'nats', isLate), random(salt + 2)),
      batchUpdateStep(client, chains('batch update', 'batch', isLate), random(salt + 3)),
      writer.step,
      visitorStep(api, ledger, deps.visitors.filter(own), versions.nameOf(0), random(salt + 5)),
    );
  }
  return { steps, connectivity };
}
