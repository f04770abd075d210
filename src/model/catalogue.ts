import type { VersionRef } from './command.js';

/** An application and its versions, from configuration (later: Tekton). */
export interface Application {
  name: string;
  tenant: string;
  versions: readonly string[];
  metadataInheritance: boolean;
}

/** Which applications and versions there are. A version belongs to one application. */
export interface Catalogue {
  application(name: string): Application | undefined;
  version(name: string): VersionRef | undefined;
  applications(): readonly Application[];
}

export function createCatalogue(applications: readonly Application[]): Catalogue {
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
