import type { VersionRef } from './command.js';
import { ERRORS, type Refusal, refuse } from './errors.js';
import { retry, type Retry } from './outcome.js';

const MAX_SHOWN = 200;

/** An application and its versions, from configuration or from Tekton. */
export interface Application {
  name: string;
  tenant: string;
  versions: readonly string[];
  metadataInheritance: boolean;
}

/** Which applications and versions there are. A version belongs to one application. */
export interface ApplicationNames {
  application(name: string): Application | undefined;
  version(name: string): VersionRef | undefined;
  applications(): readonly Application[];
}

/** Those that take new endpoints and filters. */
export interface Catalogue extends ApplicationNames {
  /** Those that can be read: deleted ones as well, whose endpoints and filters are still there. */
  readonly known: ApplicationNames;
  /** Nobody has said yet which there are: what is not found may be there. */
  readonly isAwaited: boolean;
}

/** Until somebody has said which applications there are. */
export const AWAITED: Catalogue = { ...createCatalogue([]), isAwaited: true };

/** Why nothing is found yet, whatever is looked for; undefined: it is known what there is. */
export function awaited(catalogue: Catalogue): Retry | undefined {
  if (!catalogue.isAwaited) return undefined;
  return retry('applications-unavailable', ERRORS['applications-unavailable'][1]);
}

/** For a name that was not found. */
export function noApplication(catalogue: Catalogue, name: string): Refusal | Retry {
  return (
    awaited(catalogue) ??
    refuse('application-not-found', `There is no application "${name.slice(0, MAX_SHOWN)}".`)
  );
}

/** For a name that was not found. */
export function noVersion(catalogue: Catalogue, name: string): Refusal | Retry {
  return (
    awaited(catalogue) ??
    refuse('application-version-not-found', `There is no application version "${name.slice(0, MAX_SHOWN)}".`)
  );
}

/** @param deleted applications that are no more, and of others the versions that are no more */
export function createCatalogue(
  applications: readonly Application[],
  deleted: readonly Application[] = [],
): Catalogue {
  const present = namesOf(applications);
  if (deleted.length === 0) return { ...present, known: present, isAwaited: false };
  const gone = new Map(deleted.map((application) => [application.name, application]));
  const withGone = applications.map((application) => ({
    ...application,
    versions: [
      ...application.versions,
      ...(gone.get(application.name)?.versions ?? []).filter(
        (version) => present.version(version) === undefined,
      ),
    ],
  }));
  const goneWhole = deleted.filter(({ name }) => present.application(name) === undefined);
  const known = namesOf([...goneWhole, ...withGone]);
  return {
    ...present,
    // a version that another application has by now is that one's
    known: { ...known, version: (name) => present.version(name) ?? known.version(name) },
    isAwaited: false,
  };
}

function namesOf(applications: readonly Application[]): ApplicationNames {
  const byName = new Map(applications.map((application) => [application.name, application]));
  const byVersion = new Map(
    applications.flatMap((application) =>
      application.versions.map((version): [string, VersionRef] => [
        version,
        { tenant: application.tenant, application: application.name, version },
      ]),
    ),
  );
  return {
    application: (name) => byName.get(name),
    version: (name) => byVersion.get(name),
    applications: () => applications,
  };
}
