import { pino } from 'pino';
import type { Test } from 'tap';
import { loadConfig } from '../../src/config/index.js';
import { type RunningService, startService } from '../../src/service.js';
import { type Answer, request } from '../gateway/harness.js';
import type { KeycloakRealm } from '../servers/index.js';

/** Lines of the service's log that a test that fails shows. */
const SAID_SHOWN = 60;

export type Send = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Answer>;

export interface SecuredService {
  service: RunningService;
  /** requests below `/api/v1` with this token */
  as: (token: string) => Send;
  /** a counter of its metrics, 0 where it is not there */
  metric: (name: string, labels?: string) => Promise<number>;
  reload: (settings: Readonly<Record<string, string>>) => void;
}

/** What an installation sets to ask these realms who may do what: `kaa` has the application `demo`, others one of their own name. */
export function securedSettings(realms: Readonly<Record<string, KeycloakRealm>>): Record<string, string> {
  const settings: Record<string, string> = {
    'kaa.security.authentication.enabled': 'true',
    'kaa.security.authorization.enabled': 'true',
  };
  for (const [name, { issuer, clientSecret }] of Object.entries(realms)) {
    const application = name === 'kaa' ? 'demo' : name;
    Object.assign(settings, {
      [`kaa.tenants.${name}.issuer`]: issuer,
      [`kaa.tenants.${name}.client-secret`]: clientSecret,
      [`kaa.applications.${application}.tenant`]: name,
      [`kaa.applications.${application}.versions.${application}-v1`]: '',
    });
  }
  return settings;
}

/** The whole service, as its configuration has it, with authorization by these realms. */
export async function startSecuredService(
  t: Test,
  realms: Readonly<Record<string, KeycloakRealm>>,
  settings: Readonly<Record<string, string>> = {},
): Promise<SecuredService> {
  const folder = t.testdir();
  const configOf = (more: Readonly<Record<string, string>>) => {
    const loaded = loadConfig({
      argv: {
        set: {
          ...securedSettings(realms),
          'server.port': '0',
          'management.port': '0',
          'storage.url': `file:${folder}/data`,
          ...settings,
          ...more,
        },
      },
      env: {},
      cwd: folder,
      isTty: false,
      replicaId: 'test',
    });
    if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join('\n'));
    return loaded.config;
  };
  const said: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void said.push(line.trimEnd()) });
  const service = await startService(configOf({}), log);
  t.teardown(async () => {
    if (!t.passing()) t.comment(['what the service said last:', ...said.slice(-SAID_SHOWN)].join('\n'));
    await service.stop();
  });
  return {
    service,
    as:
      (token) =>
      (method, path, body, headers = {}) =>
        request(`${service.url}/api/v1${path}`, method, body, {
          authorization: `Bearer ${token}`,
          ...headers,
        }),
    async metric(name, labels) {
      const { text } = await request(`${service.managementUrl}/metrics`, 'GET');
      const start = labels === undefined ? name : `${name}{${labels}}`;
      const line = text.split('\n').find((each) => each.startsWith(`${start} `));
      return line === undefined ? 0 : Number(line.slice(start.length + 1));
    },
    reload: (more) => void service.reload(configOf(more)),
  };
}
