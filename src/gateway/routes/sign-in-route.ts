import { Type } from '@sinclair/typebox';
import { publicRoot } from '../base-url.js';
import { named } from '../table/described.js';
import { NOT_STORED, reply } from '../table/reply.js';
import { type Route, defineRoute } from '../table/route.js';
import { closedObject } from '../table/schemas.js';

const Tenant = named(
  'SignInTenant',
  closedObject({
    name: Type.String(),
    issuer: Type.String({
      description: 'Of its tokens; an OpenID provider, which says itself where it is asked.',
    }),
    consoleClientId: Type.String({
      description: 'Public client for browsers: authorization code with PKCE.',
    }),
    cliClientId: Type.String({ description: 'Public client for programs: device authorization grant.' }),
  }),
);

const getSignIn = defineRoute({
  operationId: 'getSignIn',
  method: 'GET',
  path: '/sign-in',
  summary: 'Where to get a token',
  description:
    'What who has no token yet must know: whether one is needed, and who issues those of which tenant. Not all tenants may be ' +
    'listed (`kaa.security.sign-in.list-tenants`); then ask for one by its name.',
  tags: ['Service'],
  access: 'public',
  query: closedObject({
    tenant: Type.Optional(Type.String({ maxLength: 200, description: 'Only this one.', examples: ['kaa'] })),
  }),
  responses: {
    200: {
      description: 'Who issues tokens.',
      schema: named(
        'SignIn',
        closedObject({
          authentication: Type.Boolean({ description: 'Whether requests need a token.' }),
          listed: Type.Boolean({ description: 'Whether a tenant that is not here does not exist.' }),
          tenants: Type.Array(Tenant),
          publicUrl: Type.Optional(
            Type.String({
              description:
                'Where the pages of this register are for browsers (`server.public-url`, with the path prefix of the request): ' +
                'auth servers lead back to addresses that they know, and to no other.',
            }),
          ),
        }),
      ),
      example: {
        authentication: true,
        listed: true,
        tenants: [
          {
            name: 'kaa',
            issuer: 'https://auth.example.org/realms/kaa',
            consoleClientId: 'epr-console',
            cliClientId: 'epr-cli',
          },
        ],
        publicUrl: 'https://register.example.org',
      },
    },
  },
  errors: [],
  handle({ query, prefix }, { signIn, publicUrl }) {
    if (signIn === undefined) return reply(200, { authentication: false, listed: true, tenants: [] });
    const listed = signIn.list();
    const { tenant } = query;
    const found = tenant === undefined ? undefined : signIn.find(tenant);
    const tenants = tenant === undefined ? (listed ?? []) : found === undefined ? [] : [found];
    const place = publicUrl === undefined ? {} : { publicUrl: publicRoot(publicUrl, prefix) };
    return {
      ...reply(200, {
        authentication: true,
        listed: tenant !== undefined || listed !== undefined,
        tenants,
        ...place,
      }),
      headers: NOT_STORED,
    };
  },
});

export const signInRoutes: readonly Route[] = [getSignIn];
