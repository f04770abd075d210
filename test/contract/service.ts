import { pino } from 'pino';
import type { Test } from 'tap';
import { createHttpClient, type HttpClient } from '../../src/cli/http.js';
import { loadConfig } from '../../src/config/index.js';
import { startService } from '../../src/service.js';
import { startMongo } from '../servers/index.js';
import type { World } from './state.js';

export type Keeper = 'embedded' | 'mongodb';

/** A service that is really started, with its own storage, and with applications that nobody has used for whoever asks. */
export interface ContractService {
  client: HttpClient;
  freshWorld: () => World & { name: string; applications: readonly [string, string] };
  /** lines that were logged at `warn` and above */
  logged: string[];
  /** how often each operation was answered with each status or code */
  tally: Map<string, number>;
}

const METADATA_KEYS = 5;
const RESTRICTED = 'locked';

/** @returns undefined when the keeper is not installed; then `t` has been given a skip */
export async function startContractService(t: Test, keeper: Keeper): Promise<ContractService | undefined> {
  const folder = t.testdir({});
  const mongo = keeper === 'mongodb' ? await startMongo(t) : undefined;
  if (keeper === 'mongodb' && mongo === undefined) return undefined;
  const set = {
    'server.port': '0',
    'management.port': '0',
    'storage.url': mongo?.url ?? `file:${folder}/data`,
    'storage.durability': 'async',
    'workers.threads': '2',
    'logging.level': 'warn',
    'limits.metadata-keys': String(METADATA_KEYS),
    'kaa.epr.restricted-metadata-keys': RESTRICTED,
    'kaa.epr.events.metadata-on-registration': 'true',
  };
  const loaded = loadConfig({ argv: { set }, env: {}, cwd: folder, isTty: false });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join('\n'));
  const logged: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void logged.push(line) });
  const service = await startService(loaded.config, log);
  t.teardown(() => service.stop());
  const client = createHttpClient(new URL(service.url), undefined);
  t.teardown(() => client.close());

  const applications: Record<string, { tenant: string; versions: string[]; metadataInheritance: boolean }> =
    {};
  let worlds = 0;
  return {
    client,
    logged,
    tally: new Map(),
    freshWorld() {
      const name = `w${++worlds}`;
      const [one, other] = [`${name}-kettle`, `${name}-lamp`];
      const versions = { [`${one}-v1`]: one, [`${one}-v2`]: one, [`${other}-v1`]: other };
      const [tenant, own] = [name, [`${one}-v1`, `${one}-v2`]];
      applications[one] = { tenant, versions: own, metadataInheritance: true };
      applications[other] = { tenant, versions: [`${other}-v1`], metadataInheritance: false };
      service.reload({ ...loaded.config, applications: { ...applications } });
      const limits = { metadataKeys: METADATA_KEYS, restrictedKeys: [RESTRICTED], inheriting: [one] };
      return { name, tenant: name, versions, applications: [one, other], ...limits };
    },
  };
}
