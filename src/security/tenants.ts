/** Who has data here. One issuer a tenant. */
export interface Tenant {
  readonly name: string;
  /** compared with the `iss` of a token character for character */
  readonly issuer: string;
  /** where this service reaches the issuer: calls go there */
  readonly authServerUrl: string;
  /** What it names of itself is asked only where it is itself. Absent: who named it is trusted with where its parts are. */
  readonly ownOriginOnly?: true;
  /** this service's client in the tenant's realm */
  readonly clientId: string;
  /** absent: nothing can be asked of the auth server in this service's own name */
  readonly clientSecret?: string;
}

/** `undefined`: there is none of this issuer. `away`: who would know did not say. */
export type FoundTenant = Tenant | 'away' | undefined;

/** The tenants that there are now. A tenant stays the same object for as long as nothing of it changes. */
export interface Tenants {
  /** A promise where somebody else has to be asked. Never rejects. */
  byIssuer(issuer: string): FoundTenant | Promise<FoundTenant>;
  byName(name: string): Tenant | undefined;
  /** The same array until something changes. */
  list(): readonly Tenant[];
  /** Whether one that is not known is none: false while who would know did not say. */
  isComplete(): boolean;
  /** Told, in the same turn, whenever a tenant is not what it was, or no more. */
  onChange(listener: () => void): void;
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
  const known = createTenantIndex();
  const replace = (next: ConfiguredTenantTable): void => known.replace(tenantsOf(next));
  replace(table);
  return {
    ...known,
    isComplete: () => true,
    replace,
  };
}

export function tenantsOf(table: ConfiguredTenantTable): Tenant[] {
  return Object.entries(table).map(([name, { clientId = DEFAULT_CLIENT_ID, ...rest }]) => ({
    ...rest,
    name,
    clientId,
  }));
}

/** Tenants by name and issuer. */
export interface TenantIndex extends Omit<Tenants, 'byIssuer' | 'isComplete'> {
  byIssuer(issuer: string): Tenant | undefined;
  /** One that has not changed stays the same object. Tells the listeners where anything has changed. */
  replace(tenants: readonly Tenant[]): void;
}

export function createTenantIndex(): TenantIndex {
  let names = new Map<string, Tenant>();
  let issuers = new Map<string, Tenant>();
  let all: readonly Tenant[] = [];
  const listeners: (() => void)[] = [];
  return {
    byIssuer: (issuer) => issuers.get(issuer),
    byName: (name) => names.get(name),
    list: () => all,
    onChange: (listener) => void listeners.push(listener),
    replace(next) {
      const before = names;
      const tenants = next.map((tenant) => keptOf(before.get(tenant.name), tenant));
      names = new Map(tenants.map((tenant) => [tenant.name, tenant]));
      issuers = new Map(tenants.map((tenant) => [tenant.issuer, tenant]));
      const isSame = before.size === names.size && tenants.every((each) => before.get(each.name) === each);
      if (isSame) return;
      all = tenants;
      for (const listener of listeners) listener();
    },
  };
}

/** The one before, where nothing has changed. */
function keptOf(before: Tenant | undefined, now: Tenant): Tenant {
  const isSame =
    before !== undefined &&
    before.issuer === now.issuer &&
    before.authServerUrl === now.authServerUrl &&
    before.clientId === now.clientId &&
    before.clientSecret === now.clientSecret;
  return isSame ? before : now;
}
