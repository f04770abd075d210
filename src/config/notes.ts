/** What is allowed and still worth saying at start. */
import { SYSTEM_TENANT } from '../model/system-tenant.js';
import { nearestOf } from './keys.js';
import { environmentName, environmentNames } from './setting.js';
import { settings } from './settings.js';
import type { Settlement } from './settle.js';
import type { LoadInput } from './sources.js';

/**
 * Sentences for the log at start.
 *
 * @param path - the configuration file, if there is one
 */
export function findNotes(settlement: Settlement, input: LoadInput, path: string | undefined): string[] {
  return [
    ...noteApplications(settlement, path),
    ...noteWithoutEffect(settlement),
    ...noteTenants(settlement),
    ...noteAudience(settlement),
    ...noteVariables(settlement, input.env),
  ];
}

function noteApplications({ demo, names, settled }: Settlement, path: string | undefined): string[] {
  if (demo)
    return [
      'No configuration file and no applications: running with the application demo, versions demo-v1 and demo-v2. ' +
        'To have your own, copy config/epr.example.yml to config/epr.yml, or set KAA_APPLICATIONS.',
    ];
  const apps = [...(names.get('kaa.applications') ?? [])];
  if (settled.get('kaa.tekton.enabled')?.value === true) {
    const given = [...settled.values()].find(({ key }) => key.startsWith('kaa.applications.'));
    if (given === undefined) return [];
    return [
      `kaa.applications (${given.where ?? given.source}) has no effect while kaa.tekton.enabled is true: applications come from Tekton.`,
    ];
  }
  if (apps.length === 0)
    return [
      `No applications are configured${path === undefined ? '' : ` in ${path}`}: no endpoint can register.`,
    ];
  return apps
    .filter((app) => ![...settled.keys()].some((key) => key.startsWith(`kaa.applications.${app}.versions.`)))
    .map((app) => `kaa.applications.${app} has no versions: no endpoint can register in it.`);
}

function noteWithoutEffect({ settled }: Settlement): string[] {
  const notes: string[] = [];
  const natsOff = (settled.get('nats.urls')?.value as readonly string[] | undefined)?.length === 0;
  const embedded = String(settled.get('storage.url')?.value).startsWith('file:');
  for (const { key, row, source, where } of settled.values()) {
    if (source === 'default') continue;
    const here = `${key} (${where ?? source}) has no effect`;
    if (row.needs !== undefined && settled.get(row.needs)?.value !== true)
      notes.push(`${here} while ${row.needs} is false.`);
    if (natsOff && key.startsWith('nats.') && key !== 'nats.urls')
      notes.push(`${here} while nats.urls is not set.`);
    if (embedded && (key === 'storage.username' || key === 'storage.password'))
      notes.push(`${here} on the embedded store.`);
  }
  return notes;
}

function noteTenants({ names, settled }: Settlement): string[] {
  if (settled.get('kaa.tenant-manager.enabled')?.value !== true) return [];
  return [...(names.get('kaa.tenants') ?? [])]
    .filter((tenant) => tenant !== SYSTEM_TENANT)
    .map(
      (tenant) =>
        `kaa.tenants.${tenant} has no effect while kaa.tenant-manager.enabled is true: but for ${SYSTEM_TENANT}, tenants come from the tenant manager.`,
    );
}

function noteAudience({ settled }: Settlement): string[] {
  if (settled.get('kaa.security.authorization.enabled')?.value !== true) return [];
  if (settled.get('kaa.security.audience')?.value !== undefined) return [];
  return [
    'kaa.security.audience is not set: a token that was given to any other client of a realm is taken here, with all rights of its person. ' +
      'Have the clients of people and programs that call the register add an audience to their tokens (in Keycloak an audience mapper, as in deploy/keycloak/realm-kaa.json) and set kaa.security.audience to it.',
  ];
}

/** Variables that look like settings and are none. Those that an orchestrator makes for services are left out. */
function noteVariables({ settled }: Settlement, env: NodeJS.ProcessEnv): string[] {
  const rows = settings.flatMap((row) => (row.key.includes('<') ? [] : environmentNames(row)));
  const roots = settings.flatMap(({ key }) =>
    key.includes('<') ? [environmentName(key.slice(0, key.indexOf('.<')))] : [],
  );
  const named = [...settled.values()].flatMap(({ key }) => environmentName(key));
  const known = new Set([...rows, ...roots, ...named, 'APP_CONFIG_PATH']);
  const groups = new Set(settings.map(({ key }) => environmentName(key.slice(0, key.indexOf('.')))));
  const secretFiles = settings.flatMap((row) =>
    row.fromFile ? environmentNames(row).map((name) => `${name}_FILE`) : [],
  );
  for (const name of secretFiles) known.add(name);

  return Object.keys(env)
    .filter((name) => !known.has(name) && groups.has(name.split('_')[0] ?? ''))
    .filter((name) => !/_(SERVICE_(HOST|PORT.*)|PORT(_\d+_.*)?)$/.test(name))
    .flatMap((name) => {
      const nearest = nearestOf(
        name.replaceAll('_', '.'),
        [...known].map((each) => each.replaceAll('_', '.')),
      );
      if (nearest !== undefined)
        return [
          `The variable ${name} is no setting and is ignored; did you mean ${nearest.replaceAll('.', '_')}?`,
        ];
      if (!name.startsWith('KAA_')) return [];
      return [
        `The variable ${name} is no setting and is ignored. (Applications, tenants and role grants that only the ` +
          'environment knows are given as JSON: KAA_APPLICATIONS, KAA_TENANTS, KAA_SECURITY_ROLE_GRANTS.)',
      ];
    });
}
