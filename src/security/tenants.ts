/** Who has data here. One issuer a tenant. */
export interface Tenant {
  readonly name: string;
  /** compared with the `iss` of a token character for character */
  readonly issuer: string;
  /** where this service reaches the issuer: calls go there */
  readonly authServerUrl: string;
  /** this service's client in the tenant's realm */
  readonly clientId: string;
  /** absent: nothing can be asked of the auth server in this service's own name */
  readonly clientSecret?: string;
}

/** The tenants that there are now. A tenant stays the same object for as long as nothing of it changes. */
export interface Tenants {
  /** A promise where somebody else has to be asked. */
  byIssuer(issuer: string): Tenant | undefined | Promise<Tenant | undefined>;
  byName(name: string): Tenant | undefined;
  list(): readonly Tenant[];
}

/** Tenants of an installation without a tenant manager. */
export interface ConfiguredTenants extends Tenants {
  /** Puts others in their place, from now on. */
  replace(tenants: ConfiguredTenantTable): void;
}

/** `kaa.tenants`: by name, with the service's own default for what may be left out. */
export type ConfiguredTenantTable = Readonly<
  Record<
    string,
    {
      readonly issuer: string;
      readonly authServerUrl: string;
      readonly clientId?: string;
      readonly clientSecret?: string;
    }
  >
>;

/** The client of this service where nothing else is said. */
export const DEFAULT_CLIENT_ID = 'epr';

export function createConfiguredTenants(table: ConfiguredTenantTable): ConfiguredTenants {
  let byName = new Map<string, Tenant>();
  let byIssuer = new Map<string, Tenant>();

  function replace(next: ConfiguredTenantTable): void {
    const tenants = Object.entries(next).map(([name, { clientId = DEFAULT_CLIENT_ID, ...rest }]) =>
      keptOf(byName.get(name), { ...rest, name, clientId }),
    );
    byName = new Map(tenants.map((tenant) => [tenant.name, tenant]));
    byIssuer = new Map(tenants.map((tenant) => [tenant.issuer, tenant]));
  }
  replace(table);

  return {
    byIssuer: (issuer) => byIssuer.get(issuer),
    byName: (name) => byName.get(name),
    list: () => [...byName.values()],
    replace,
  };
}

/** The one before, where nothing has changed. */
export function keptOf(before: Tenant | undefined, now: Tenant): Tenant {
  const isSame =
    before !== undefined &&
    before.issuer === now.issuer &&
    before.authServerUrl === now.authServerUrl &&
    before.clientId === now.clientId &&
    before.clientSecret === now.clientSecret;
  return isSame ? before : now;
}
