/** Applications out of JSON that another service gives: read by the rows of the table, as those of the file are. */
import { matchKey, NAME } from './keys.js';
import { badName, badValue, notAGroup } from './problems.js';
import { settings } from './settings.js';
import type { ApplicationConfig } from './types.js';
import type { Given } from './value-types.js';

export interface ReadApplications {
  /** those of which everything can be read */
  readonly applications: ReadonlyMap<string, ApplicationConfig>;
  /** names of the others; `problems` says why */
  readonly faulty: ReadonlySet<string>;
  /** `kaa.epr.restricted-metadata-keys`; absent where it is not given */
  readonly restrictedMetadataKeys?: readonly string[];
  readonly problems: readonly string[];
  /** keys that are not of this service */
  readonly ignored: readonly string[];
}

const ROOT = 'kaa.applications';
const RESTRICTED = 'kaa.epr.restricted-metadata-keys';
const ROWS = settings.filter(({ key }) => key.startsWith(`${ROOT}.`) || key === RESTRICTED);
const VERSIONS = `${ROOT}.<app>.versions.<version>`;

/**
 * Reads what stands under `kaa`. Values, names and nested or dotted keys are as in the file; but what is wrong with one
 * application is no fault of the others, keys that are not known are passed over, and what a version holds is not looked at.
 * Undefined: `kaa` or its `applications` is not a mapping, so nothing can be said. O(size).
 *
 * @param where what problems name as the place
 */
export function readApplications(kaa: unknown, where: string): ReadApplications | undefined {
  const problems: string[] = [];
  const ignored: string[] = [];
  const faulty = new Set<string>();
  const values = new Map<string, Map<string, unknown>>();
  const versions = new Map<string, string[]>();
  let restrictedMetadataKeys: readonly string[] | undefined;

  const fault = (app: string | undefined, message: string) => {
    problems.push(message);
    if (app !== undefined) faulty.add(app);
  };

  const walk = (key: string, value: unknown, app: string | undefined): void => {
    const match = matchKey(key, ROWS);
    if (match.kind === 'unknown') return void ignored.push(key);
    if (match.kind === 'bad-name') return fault(app, badName(key, where, match.name, match.allowed).message);
    if (match.kind === 'group') {
      if (value === null) return;
      if (!isMapping(value)) return fault(app, notAGroup(key, where, given(value).what).message);
      for (const [name, inner] of Object.entries(value)) walk(`${key}.${name}`, inner, app);
      return;
    }
    if (match.row.key === VERSIONS) return void versions.get(match.names[0]!)?.push(match.names[1]!);
    const read = match.row.type.read(given(value).given, { cwd: '' });
    if (!read.ok) {
      const { found, why } = read;
      return fault(app, badValue({ key, where, found, why, allowed: match.row.type.allowed }).message);
    }
    if (match.row.key === RESTRICTED) restrictedMetadataKeys = read.value as string[];
    else values.get(match.names[0]!)?.set(match.row.key, read.value);
  };

  if (!isMapping(kaa)) return undefined;
  const { applications: named, ...others } = kaa;
  const applications = named ?? {};
  if (!isMapping(applications)) return undefined;
  for (const [app, value] of Object.entries(applications)) {
    values.set(app, new Map());
    versions.set(app, []);
    // as a key it would be one within another application
    if (app.includes('.')) fault(app, badName(`${ROOT}.${app}`, where, app, NAME).message);
    else walk(`${ROOT}.${app}`, value, app);
  }
  for (const [name, value] of Object.entries(others)) walk(`kaa.${name}`, value, undefined);

  const good = [...values].filter(([app]) => !faulty.has(app));
  return {
    applications: new Map(good.map(([app, own]) => [app, configOf(own, versions.get(app) ?? [])])),
    faulty,
    problems,
    ignored,
    ...(restrictedMetadataKeys === undefined ? {} : { restrictedMetadataKeys }),
  };
}

function configOf(values: ReadonlyMap<string, unknown>, versions: string[]): ApplicationConfig {
  const valueOf = <T>(name: string): T => {
    const key = `${ROOT}.<app>.${name}`;
    return (values.get(key) ?? ROWS.find((row) => row.key === key)?.default) as T;
  };
  return {
    tenant: valueOf('tenant'),
    versions,
    metadataInheritance: valueOf('metadata-inheritance.enabled'),
  };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function given(value: unknown): { given: Given; what: string } {
  if (value === null) return { given: { kind: 'nothing' }, what: 'nothing' };
  if (Array.isArray(value)) {
    const what = 'a list';
    if (!value.every((item) => typeof item === 'string')) return { given: { kind: 'other', what }, what };
    return { given: { kind: 'list', items: value }, what };
  }
  if (typeof value === 'object') return { given: { kind: 'other', what: 'a mapping' }, what: 'a mapping' };
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return { given: { kind: 'text', text }, what: typeof value === 'string' ? 'text' : `a ${typeof value}` };
}
