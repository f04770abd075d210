/** Rows of the table: applications, tenants, security and peers, under `kaa`. */
import { SCOPES } from '../model/scopes.js';
import { SYSTEM_TENANT } from '../model/system-tenant.js';
import { namedSetting, setting, type Setting } from './setting.js';
import * as types from './value-types.js';

const instanceName = types.matching(
  'name',
  /^[A-Za-z0-9_-]+$/,
  'letters, digits, _ and - (it becomes one token of a NATS subject)',
  'peer-west',
);
const scope = types.matching(
  'scopes',
  new RegExp(`^(${SCOPES.join('|')})$`),
  `scopes: ${SCOPES.join(', ')}`,
  'endpoint:read',
);
const tenantName = types.matching('name', /^[A-Za-z0-9_-]+$/, 'letters, digits, _ and -', 'acme');

export const platformSettings: readonly Setting[] = [
  namedSetting('kaa.applications.<app>.versions.<version>', {
    type: types.empty,
    defaultText: 'none',
    live: true,
    doc: 'A version of an application; the value is empty. A version belongs to one application. One that is taken away keeps its endpoints and takes no new ones.',
  }),
  namedSetting('kaa.applications.<app>.tenant', {
    type: tenantName,
    default: SYSTEM_TENANT,
    live: true,
    doc: 'The tenant that owns the application and its endpoints; others get 404.',
  }),
  namedSetting('kaa.applications.<app>.metadata-inheritance.enabled', {
    type: types.boolean,
    default: false,
    live: true,
    doc: 'A reading of metadata with `include=inherited`, or with a list of keys, shows the value of the nearest container for keys that the endpoint lacks.',
  }),
  setting('kaa.tekton.enabled', 'kaa.tekton.enabled', {
    type: types.boolean,
    default: false,
    doc: 'Applications and versions come from Tekton ([peers.md](peers.md)), and change without a restart; `kaa.applications` has no effect.',
  }),
  setting('kaa.tekton.url', 'kaa.tekton.url', {
    type: types.httpUrl,
    default: 'http://tekton',
    needs: 'kaa.tekton.enabled',
    doc: 'Where Tekton answers.',
  }),
  setting('kaa.scmp.consumer.provider.service-instance.name', 'kaa.scmp.providerInstanceName', {
    type: instanceName,
    default: 'tekton',
    needs: 'kaa.tekton.enabled',
    doc: 'The instance whose configuration updates (17/SCMP) to follow.',
  }),
  setting('kaa.epr.communication-service.service-instance.name', 'kaa.epr.communicationInstanceName', {
    type: instanceName,
    default: 'kpc',
    doc: 'The instance whose connectivity events (9/ELCE) to follow.',
  }),
  setting('kaa.epr.credential-management.base-url', 'kaa.epr.credentialManagementUrl', {
    type: types.httpUrl,
    doc: 'The service that issues endpoint tokens, asked at `/api/v1/endpoints/<id>/tokens` below this URL ([peers.md](peers.md#credential-management)). Not set: this service issues them itself.',
  }),
  setting('kaa.epr.restricted-metadata-keys', 'kaa.epr.restrictedMetadataKeys', {
    type: types.list(
      types.matching('metadata key', /^[^\s\p{C}]+$/u, 'metadata keys, separated by commas', 'serial_number'),
    ),
    default: [],
    doc: 'Metadata keys that nobody can write over REST or NATS (403).',
  }),
  setting('kaa.epr.events.metadata-on-registration', 'kaa.epr.metadataOnRegistration', {
    type: types.boolean,
    default: false,
    doc: 'A registration with metadata also publishes `metadata.updated`.',
  }),
  setting('kaa.epr.connectivity-metadata', 'kaa.epr.connectivityMetadata', {
    type: types.boolean,
    default: false,
    doc: 'Keeps the metadata keys `connected` and `connectivity_ts` from connectivity events, a durable write for each of them ([messaging.md](messaging.md#connectivity-events)). The same on all replicas.',
  }),
  namedSetting('kaa.security.role-grants.<role>', {
    type: types.list(scope),
    defaultText: 'none',
    live: true,
    needs: 'kaa.security.authorization.enabled',
    doc: 'Scopes that a realm role grants on every resource of the tenant, with no question to the auth server. For fleets too large to grant one by one.',
  }),
  setting('kaa.security.endpoint-resources', 'kaa.security.endpointResources', {
    type: types.boolean,
    default: true,
    needs: 'kaa.security.authorization.enabled',
    doc: 'Each endpoint gets a resource at the auth server. Turn it off where roles alone grant: registrations are then much cheaper.',
  }),
  setting('kaa.security.decision-cache', 'kaa.security.decisionCacheMs', {
    type: types.duration(0, 3_600_000, '10s'),
    default: 30_000,
    needs: 'kaa.security.authorization.enabled',
    doc: 'How long an answer of the auth server is kept: that long a right taken away may still work.',
  }),
  setting('kaa.security.audience', 'kaa.security.audience', {
    type: types.text('epr'),
    needs: 'kaa.security.authentication.enabled',
    defaultText: 'not compared',
    doc: 'What the claim `aud` of every token must hold, of all tenants, else it is 401. Not set: a token that somebody gave to another service of the realm has all rights of that person here, too ([security.md](security.md#who-is-asking)).',
  }),
  setting('kaa.security.sign-in.console-client-id', 'kaa.security.signIn.consoleClientId', {
    type: types.text('epr-console'),
    default: 'epr-console',
    live: true,
    needs: 'kaa.security.authentication.enabled',
    doc: 'The client of the console in the realm of every tenant: public, authorization code with PKCE ([security.md](security.md#signing-in)).',
  }),
  setting('kaa.security.sign-in.cli-client-id', 'kaa.security.signIn.cliClientId', {
    type: types.text('epr-cli'),
    default: 'epr-cli',
    live: true,
    needs: 'kaa.security.authentication.enabled',
    doc: 'The client of `epr login` in the realm of every tenant: public, device authorization grant.',
  }),
  setting('kaa.security.sign-in.list-tenants', 'kaa.security.signIn.listTenants', {
    type: types.boolean,
    default: true,
    live: true,
    needs: 'kaa.security.authentication.enabled',
    doc: 'Who is about to sign in may choose from a list of the tenants, which anybody can see. Off: they have to know the name of theirs.',
  }),
  namedSetting('kaa.tenants.<tenant>.issuer', {
    type: types.matching(
      'URL',
      /^https?:\/\/[^\s?#]+$/,
      'the issuer as it stands in tokens, an http:// or https:// URL',
      'https://auth.example.org/realms/kaa',
    ),
    defaultText: 'none',
    live: true,
    needs: 'kaa.security.authentication.enabled',
    doc: 'The issuer of the tokens of this tenant, compared character for character.',
  }),
  namedSetting('kaa.tenants.<tenant>.auth-server-url', {
    type: types.httpUrl,
    default: ({ of }) => of('kaa.tenants.<tenant>.issuer') as string,
    defaultText: 'the issuer',
    live: true,
    needs: 'kaa.security.authentication.enabled',
    doc: 'Where this service reaches the issuer, when that is another address than the public one.',
  }),
  namedSetting('kaa.tenants.<tenant>.client-id', {
    type: types.text('epr'),
    default: 'epr',
    live: true,
    needs: 'kaa.security.authentication.enabled',
    doc: 'The client of this service in the realm of the tenant.',
  }),
  namedSetting('kaa.tenants.<tenant>.client-secret', {
    type: types.text('secret'),
    secret: true,
    // Its variable with _FILE is that of client-secret-file.
    fromFile: false,
    live: true,
    needs: 'kaa.security.authentication.enabled',
    doc: 'The secret of the client.',
  }),
  namedSetting('kaa.tenants.<tenant>.client-secret-file', {
    type: types.file,
    live: true,
    needs: 'kaa.security.authentication.enabled',
    doc: 'A file with the secret of the client, instead of `client-secret`.',
  }),
  setting('kaa.tenant-manager.enabled', 'kaa.tenantManager.enabled', {
    type: types.boolean,
    default: false,
    doc: 'Tenants come from the tenant manager ([peers.md](peers.md#tenants-from-the-tenant-manager)), and change without a restart; of `kaa.tenants` only the system tenant, `kaa`, has effect, with whose client the tenant manager is asked.',
  }),
  setting('kaa.tenant-manager.url', 'kaa.tenantManager.url', {
    type: types.httpUrl,
    default: 'http://tenant-manager',
    needs: 'kaa.tenant-manager.enabled',
    doc: 'Where the tenant manager answers.',
  }),
  setting('kaa.tenant-manager.service-instance.name', 'kaa.tenantManager.instanceName', {
    type: instanceName,
    default: 'tenant-manager',
    needs: 'kaa.tenant-manager.enabled',
    doc: 'The instance whose tenant events (21/TLE) to follow.',
  }),
];
