import type { Tenant } from './tenants.js';

/** What who has no token yet must know to get one. Anybody may know it. */
export interface SignIn {
  /** Those to choose from; undefined: there are too many, or they are not to be listed, and one has to be named. */
  list(): readonly SignInTenant[] | undefined;
  /** `undefined`: there is none of this name. */
  find(name: string): SignInTenant | undefined;
  /** Where browsers may go and ask, such as `https://auth.example.org`: the origins of the issuers, of the first 50 auth servers. */
  origins(): readonly string[];
}

export interface SignInTenant {
  readonly name: string;
  readonly issuer: string;
  /** public clients in the realm of the tenant */
  readonly consoleClientId: string;
  readonly cliClientId: string;
}

export interface SignInOptions {
  consoleClientId: string;
  cliClientId: string;
  /** false: only who names a tenant learns of it */
  listTenants: boolean;
}

/** More than that is no list to choose from. */
const MAX_LISTED = 100;
/** They go into a header of every page, which has to stay below what browsers and proxies take. */
const MAX_ORIGINS = 50;

/** @param tenants - those that there are now; the same array until something changes */
export function createSignIn(tenants: () => readonly Tenant[], options: () => SignInOptions): SignIn {
  const signInOf = ({ name, issuer }: Tenant): SignInTenant => {
    const { consoleClientId, cliClientId } = options();
    return { name, issuer, consoleClientId, cliClientId };
  };
  let originsOf: readonly Tenant[] | undefined;
  let origins: readonly string[] = [];
  return {
    list() {
      const all = tenants();
      if (!options().listTenants || all.length > MAX_LISTED) return undefined;
      return all.map(signInOf).sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    find(name) {
      const found = tenants().find((tenant) => tenant.name === name);
      return found === undefined ? undefined : signInOf(found);
    },
    origins() {
      const all = tenants();
      if (all !== originsOf) {
        originsOf = all;
        const addresses = all.filter(({ issuer }) => /^https?:/i.test(issuer) && URL.canParse(issuer));
        origins = [...new Set(addresses.map(({ issuer }) => new URL(issuer).origin))].slice(0, MAX_ORIGINS);
      }
      return origins;
    },
  };
}
