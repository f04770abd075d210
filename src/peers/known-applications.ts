import { Type } from '@sinclair/typebox';
import type { Application } from '../model/catalogue.js';
import { createAnswerReader } from './read-answer.js';
import type { ConfigurationScope, ServiceConfiguration } from './tekton.js';

/** The applications that there are by Tekton, and were. */
export interface KnownApplications {
  applications: readonly Application[];
  /** those that are no more, and of others the versions that are no more */
  deleted: readonly Application[];
  restrictedMetadataKeys: readonly string[];
}

/** Where that stands after a reading, and what the reading leaves to be said. */
export interface Taken {
  known: KnownApplications;
  /** what of the reading is not taken: applications, versions as `application/version`, `restricted metadata keys` */
  faulty: string[];
  warnings: string[];
}

export const NONE: KnownApplications = { applications: [], deleted: [], restrictedMetadataKeys: [] };

/**
 * Takes a whole reading: what it has not is deleted. An application, or a version, that can't be read stays as it was. A
 * version that several name stays with the one that had it, or is of the first; it is a fault of the others.
 */
export function takeWhole(before: KnownApplications, read: ServiceConfiguration): Taken {
  const own = new Map(before.applications.map((application) => [application.name, application]));
  const kept = [...read.faulty].flatMap((name) => own.get(name) ?? []);
  const readable = [...read.applications.values()].map((found) =>
    readableOf(found, own.get(found.name), read),
  );
  const { applications, faulty, warnings } = settle(before, [...readable, ...kept]);
  return {
    known: {
      applications,
      deleted: deletedOf(before, applications),
      restrictedMetadataKeys: read.restrictedMetadataKeys ?? before.restrictedMetadataKeys,
    },
    faulty: [...new Set([...faultyOf(read), ...faulty])],
    warnings: [...warningsOf(before, read), ...warnings],
  };
}

/**
 * Takes the reading of one application, or of one version of it. Undefined: it does not have it, or something is wrong
 * with it, so the whole must be asked for.
 */
export function takePart(
  before: KnownApplications,
  { application: name, version }: ConfigurationScope & { application: string },
  read: ServiceConfiguration,
): Taken | undefined {
  const found = read.applications.get(name);
  if (found === undefined || read.problems.length > 0) return undefined;
  const at = before.applications.findIndex((each) => each.name === name);
  const present = before.applications[at];
  const named = [...before.applications];
  if (version === undefined) named.splice(at < 0 ? named.length : at, 1, found);
  else {
    // the reading of a version need not have the settings of its application
    if (present === undefined || !found.versions.includes(version)) return undefined;
    named.splice(at, 1, { ...present, versions: [...new Set([...present.versions, version])] });
  }
  const { applications, faulty } = settle(before, named);
  // another one may have given the version up meanwhile
  if (faulty.length > 0) return undefined;
  const { restrictedMetadataKeys } = before;
  return {
    known: { applications, deleted: deletedOf(before, applications), restrictedMetadataKeys },
    faulty,
    warnings: [],
  };
}

function faultyOf({ faulty, faultyVersions, restrictedMetadataKeys }: ServiceConfiguration): string[] {
  const versions = [...faultyVersions].flatMap(([name, own]) => [...own].map((each) => `${name}/${each}`));
  const keys = restrictedMetadataKeys === undefined ? ['restricted metadata keys'] : [];
  return [...faulty, ...versions, ...keys];
}

/** Of versions that can't be read, those that were there. */
function readableOf(
  found: Application,
  own: Application | undefined,
  { faultyVersions }: ServiceConfiguration,
): Application {
  const faulty = faultyVersions.get(found.name);
  if (faulty === undefined) return found;
  const present = new Set(own?.versions);
  return { ...found, versions: found.versions.filter((each) => !faulty.has(each) || present.has(each)) };
}

/** What is wrong, and what comes of it. */
function warningsOf(before: KnownApplications, { problems }: ServiceConfiguration): string[] {
  const own = new Map(before.applications.map(({ name, versions }) => [name, new Set(versions)]));
  return problems.map(({ message, application, version }) => {
    if (application === undefined) return `${message}. What was in force stays in force.`;
    const versions = own.get(application);
    const isThere = version === undefined ? versions !== undefined : versions?.has(version) === true;
    const what = version === undefined ? 'The application' : 'The version';
    return `${message}. ${what} ${isThere ? 'stays as it was' : 'is not taken up'} until that is mended.`;
  });
}

/** Gives each version to one application, the one that had it before if that still names it. */
function settle(
  before: KnownApplications,
  named: readonly Application[],
): { applications: Application[]; faulty: string[]; warnings: string[] } {
  const faulty: string[] = [];
  const warnings: string[] = [];
  const owners = new Map<string, string>();
  const claim = (version: string, name: string) => {
    if (!owners.has(version)) owners.set(version, name);
  };
  const byName = new Map(named.map((application) => [application.name, application]));
  for (const { name, versions } of before.applications) {
    const now = new Set(byName.get(name)?.versions);
    for (const version of versions) if (now.has(version)) claim(version, name);
  }
  for (const { name, versions } of named) for (const version of versions) claim(version, name);
  const applications = named.map((application): Application => {
    const { name } = application;
    const versions = [...new Set(application.versions)].filter((version) => {
      const owner = owners.get(version)!;
      if (owner !== name) {
        faulty.push(`${name}/${version}`);
        warnings.push(
          `kaa.applications.${name}.versions.${version}: found the version in ${owner}, too; allowed: each version in one application. It stays with ${owner}, and is left out of ${name}, until that is mended.`,
        );
      }
      return owner === name;
    });
    return { ...application, versions };
  });
  return { applications, faulty, warnings };
}

function deletedOf(before: KnownApplications, present: readonly Application[]): Application[] {
  const now = new Map(present.map((application) => [application.name, new Set(application.versions)]));
  const gone = new Map<string, Application>();
  for (const application of [...before.deleted, ...before.applications]) {
    const { name } = application;
    const versions = new Set([...(gone.get(name)?.versions ?? []), ...application.versions]);
    const left = [...versions].filter((version) => now.get(name)?.has(version) !== true);
    if (now.has(name) && left.length === 0) gone.delete(name);
    else gone.set(name, { ...application, versions: left });
  }
  return [...gone.values()];
}

/** What changed, for people: names with `+`, `-` and `~`. */
export function changesOf(before: KnownApplications, after: KnownApplications): string[] {
  const old = new Map(before.applications.map((application) => [application.name, application]));
  const changes: string[] = [];
  for (const application of after.applications) {
    const was = old.get(application.name);
    old.delete(application.name);
    if (was === undefined) changes.push(`+${application.name} (${application.versions.join(', ')})`);
    else if (JSON.stringify(was) !== JSON.stringify(application))
      changes.push(`~${application.name} (${application.versions.join(', ')})`);
  }
  for (const name of old.keys()) changes.push(`-${name}`);
  const keys = (of: KnownApplications) => [...of.restrictedMetadataKeys].sort().join(', ');
  if (keys(before) !== keys(after)) changes.push(`restricted metadata keys: ${keys(after) || 'none'}`);
  return changes;
}

const StoredApplication = Type.Object({
  name: Type.String(),
  tenant: Type.String(),
  versions: Type.Array(Type.String()),
  metadataInheritance: Type.Boolean(),
});
const Stored = Type.Object({
  format: Type.Literal(1),
  readMs: Type.Number(),
  applications: Type.Array(StoredApplication),
  deleted: Type.Array(StoredApplication),
  restrictedMetadataKeys: Type.Array(Type.String()),
});

/** @param readMs when Tekton said so, Unix ms */
export function storedForm(known: KnownApplications, readMs: number): string {
  const { applications, deleted, restrictedMetadataKeys } = known;
  return JSON.stringify({ format: 1, readMs, applications, deleted, restrictedMetadataKeys });
}

/** Undefined: another version of this service wrote it. */
export function fromStoredForm(text: string): { known: KnownApplications; readMs: number } | undefined {
  const read = createAnswerReader()(Stored, Buffer.from(text, 'utf8'));
  if (!read.ok) return undefined;
  const { applications, deleted, restrictedMetadataKeys, readMs } = read.value;
  return { known: { applications, deleted, restrictedMetadataKeys }, readMs };
}
