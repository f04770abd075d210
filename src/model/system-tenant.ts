/** Whose realm says who may see other tenants, and in whose name this service asks what is of no one tenant. */
export const SYSTEM_TENANT = 'kaa';
