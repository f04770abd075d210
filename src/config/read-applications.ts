/** Applications out of JSON that another service gives: read by the rows of the table, as those of the file are. */
import { matchKey, NAME } from './keys.js';
import { badName, badValue, notAGroup } from './problems.js';
import { settings } from './settings.js';
import type { ApplicationConfig } from './types.js';
import type { Given } from './value-types.js';

export interface ReadApplications {
  /** those of which everything can be read, but for the `faultyVersions` that they name */
  readonly applications: ReadonlyMap<string, ApplicationConfig>;
  /** names of the others; `problems` says why */
  readonly faulty: ReadonlySet<string>;
  /** by application: versions of it that are there and can't be read */
  readonly faultyVersions: ReadonlyMap<string, ReadonlySet<string>>;
  /** `kaa.epr.restricted-metadata-keys`; undefined: it is there and can't be read */
  readonly restrictedMetadataKeys: readonly string[] | undefined;
  readonly problems: readonly ApplicationProblem[];
  /** keys that are not of this service */
  readonly ignored: readonly string[];
}

export interface ApplicationProblem {
  readonly message: string;
  /** what can't be read because of it; absent: something beside the applications */
  readonly application?: string;
  /** the application, but for this version, can be read */
  readonly version?: string;
}

/** What is wrong with the text itself: a key that is given twice, say. */
export interface TextFlaw {
  /** below `kaa` */
  readonly path: readonly string[];
  readonly found: string;
  readonly allowed: string;
}

const ROOT = 'kaa.applications';
const RESTRICTED = 'kaa.epr.restricted-metadata-keys';
const ROWS = settings.filter(({ key }) => key.startsWith(`${ROOT}.`) || key === RESTRICTED);
const VERSIONS = `${ROOT}.<app>.versions.<version>`;
/** Characters of a problem: a name may have any length. */
const MAX_PROBLEM = 600;

/**
 * Reads what stands under `kaa`. Values, names and nested or dotted keys are as in the file, but a group of keys is never `null`; what is wrong with one
 * application, or one version, is no fault of the others, keys that are not known are passed over, and what a version holds is
 * not looked at. A text in words: nothing can be said of any application, and why. O(size).
 *
 * @param flaws of the text that `kaa` was read from
 */
export function readApplications(kaa: unknown, flaws: readonly TextFlaw[] = []): ReadApplications | string {
  const problems: ApplicationProblem[] = [];
  const ignored: string[] = [];
  const faulty = new Set<string>();
  const faultyVersions = new Map<string, Set<string>>();
  const values = new Map<string, Map<string, unknown>>();
  const versions = new Map<string, string[]>();
  let restrictedMetadataKeys: readonly string[] | undefined = [];

  const fault = (app: string | undefined, problem: { message: string; key: string }, version?: string) => {
    const { key, message: all } = problem;
    const message = all.length > MAX_PROBLEM ? `${all.slice(0, MAX_PROBLEM)}...` : all;
    if (app === undefined) {
      if (isAboutRestricted(key)) restrictedMetadataKeys = undefined;
      problems.push({ message });
    } else if (version !== undefined) {
      const own = faultyVersions.get(app) ?? new Set();
      faultyVersions.set(app, own.add(version));
      problems.push({ message, application: app, version });
    } else {
      faulty.add(app);
      problems.push({ message, application: app });
    }
  };

  const walk = (key: string, value: unknown, app: string | undefined): void => {
    const match = matchKey(key, ROWS);
    if (match.kind === 'unknown') return void ignored.push(key);
    if (match.kind === 'bad-name') {
      const isVersion = key.startsWith(`${ROOT}.${app}.versions.`);
      return fault(
        app,
        badName(key, '', match.name, match.allowed),
        ...(isVersion ? ([match.name] as const) : []),
      );
    }
    if (match.kind === 'group') {
      // nothing at all, as a file may have it, is no way to say here that what was there is gone
      if (!isMapping(value)) return fault(app, notAGroup(key, '', given(value).what));
      for (const [name, inner] of Object.entries(value)) walk(`${key}.${name}`, inner, app);
      return;
    }
    if (match.row.key === VERSIONS) return void versions.get(match.names[0]!)?.push(match.names[1]!);
    const read = match.row.type.read(given(value).given, { cwd: '' });
    if (!read.ok) {
      const { found, why } = read;
      return fault(app, badValue({ key, where: '', found, why, allowed: match.row.type.allowed }));
    }
    if (match.row.key === RESTRICTED) restrictedMetadataKeys = read.value as string[];
    else values.get(match.names[0]!)?.set(match.row.key, read.value);
  };

  if (!isMapping(kaa)) return badValue(mappingOf('kaa', kaa)).message;
  const { applications, ...others } = kaa;
  // nothing at all is no way to say that there are none
  if (!isMapping(applications)) return badValue(mappingOf(ROOT, applications)).message;
  for (const [app, value] of Object.entries(applications)) {
    values.set(app, new Map());
    versions.set(app, []);
    // as a key it would be one within another application
    if (app.includes('.')) fault(app, badName(`${ROOT}.${app}`, '', app, NAME));
    else walk(`${ROOT}.${app}`, value, app);
  }
  for (const [name, value] of Object.entries(others)) walk(`kaa.${name}`, value, undefined);

  for (const { path, found, allowed } of flaws) {
    const [group, app] = path;
    const key = ['kaa', ...path].join('.');
    const flaw = badValue({ key, where: '', found, allowed });
    if (group === 'applications' && app === undefined) return flaw.message;
    if (group === 'applications') fault(app, flaw, versionAt(path.slice(2)));
    else if (isAboutRestricted(key)) fault(undefined, flaw);
    else ignored.push(key);
  }

  const good = [...values].filter(([app]) => !faulty.has(app));
  return {
    applications: new Map(good.map(([app, own]) => [app, configOf(own, versions.get(app) ?? [])])),
    faulty,
    faultyVersions,
    problems,
    ignored,
    restrictedMetadataKeys,
  };
}

/** The key of the restricted keys, one above it, or one within. */
function isAboutRestricted(key: string): boolean {
  return `${key}.`.startsWith(`${RESTRICTED}.`) || RESTRICTED.startsWith(`${key}.`);
}

/** What version of an application a place in it belongs to. */
function versionAt([first, second]: readonly string[]): string | undefined {
  if (first === 'versions') return second;
  return first?.startsWith('versions.') === true ? first.slice('versions.'.length) : undefined;
}

function mappingOf(key: string, value: unknown) {
  const found = value === undefined ? 'no such key' : given(value).what;
  return {
    key,
    where: '',
    found,
    allowed: key === ROOT ? 'a mapping of applications; {} for none' : 'a mapping',
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
