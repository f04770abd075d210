import { cp } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { type Child, killAndWait, startChild } from '../children.js';
import type { RequestRun, RequestRunResult } from '../clients/requests.js';
import type { Contest, Contestant, Surroundings } from '../contest.js';
import type { TokenWish } from '../servers/auth-stand-in.js';
import { launch, startService } from '../servers/service.js';

type StandIn = Child<{ issuer: string }>;

/** Endpoints that one caller reads: an RPT names them, as many as fit into a header without much ado. */
const OF_CALLER = 10;
const MOST_CHECKED = 1000;
const ROLE = 'endpoint-reader';

interface Way {
  name: string;
  what: string;
  wish: (subject: string, endpointIds: string[]) => TokenWish;
  settings?: Record<string, string>;
}

const WAYS: readonly Way[] = [
  {
    name: 'this service, RPT in the token',
    what: 'each caller has a token with permissions on the ten endpoints that it reads',
    wish: (subject, endpointIds) => ({ subject, endpointIds }),
  },
  {
    name: 'this service, role grant',
    what: 'a realm role of each token grants the scope on every endpoint',
    wish: (subject) => ({ subject, roles: [ROLE] }),
    settings: { [`kaa.security.role-grants.${ROLE}`]: 'endpoint:read' },
  },
  {
    name: 'this service, UMA cached',
    what: 'the auth server was asked for each endpoint; its answers are kept for an hour',
    wish: (subject) => ({ subject }),
    settings: { 'kaa.security.decision-cache': '1h' },
  },
];

/** What it costs to ask who reads, and whether that is allowed: many callers, whose tokens and rights are known. */
export const securedGets: Contest = {
  id: 'secured-gets',
  title: `GET of the metadata of one endpoint, with authentication and authorization; a caller for each ${OF_CALLER} endpoints`,
  unit: 'requests/s',
  aim: '70% of the same without, by RPT and by role; 60% by UMA',
  async open(surroundings) {
    const { fleet, folder, profileFolder, teardown } = surroundings;
    const client = await startChild('./clients/get-client.js', { endpoints: fleet.length });
    teardown(() => client.kill());
    const standIn: StandIn = await startChild('./servers/auth-stand-in.js', {});
    teardown(() => standIn.kill());
    // one registers the fleet, and all have copies of what it stored
    const filled = `${folder}/filled-data`;
    const ends: (() => Promise<unknown> | void)[] = [];
    const { profileFolder: _none, ...others } = surroundings;
    const filling = { ...others, teardown: (end: () => Promise<unknown> | void) => void ends.push(end) };
    await startService({ storageUrl: `file:${filled}`, name: 'filled' }, filling);
    for (const end of ends) await end();

    const start = async (name: string, settings: Record<string, string>) => {
      const data = `${folder}/${name}-data`;
      await cp(filled, data, { recursive: true });
      const running = await launch({ storageUrl: `file:${data}`, name, settings }, folder, profileFolder);
      teardown(() => killAndWait(running.child, profileFolder === undefined ? 'SIGKILL' : 'SIGTERM'));
      return running;
    };
    const off = await start('off', {});
    const contestants = [
      createReader(client, surroundings, {
        name: 'the same, open to all',
        what: 'authentication and authorization are off, and no token is sent',
        own: false,
        url: off.url,
        pid: off.child.pid ?? -1,
      }),
    ];
    for (const [i, { name, what, wish, settings = {} }] of WAYS.entries()) {
      const running = await start(`on-${i}`, {
        'kaa.security.authentication.enabled': 'true',
        'kaa.security.authorization.enabled': 'true',
        'kaa.security.endpoint-resources': 'false',
        'kaa.tenants.kaa.issuer': standIn.ready.issuer,
        'server.host': '127.0.0.1',
        ...settings,
      });
      const wishes: TokenWish[] = [];
      for (let from = 0; from < fleet.length; from += OF_CALLER) {
        const ids = fleet.slice(from, from + OF_CALLER).map(({ endpointId }) => endpointId);
        wishes.push(wish(String(wishes.length), ids));
      }
      const tokens = await standIn.ask<string[]>('sign', wishes);
      await client.ask('authorize', { contestant: name, tokens, each: OF_CALLER });
      const authorizations = fleet.map(
        (_station, place) => `Bearer ${tokens[Math.floor(place / OF_CALLER)]!}`,
      );
      const target = { name, what, own: true, url: running.url, pid: running.child.pid ?? -1 };
      contestants.push(createReader(client, surroundings, { ...target, authorizations }));
    }
    return contestants;
  },
};

interface ReadTarget {
  name: string;
  what: string;
  own: boolean;
  url: string;
  pid: number;
  /** by the place of an endpoint in the fleet */
  authorizations?: readonly string[];
}

function createReader(
  client: Child,
  { connections, fleet }: Surroundings,
  { name, what, own, url, pid, authorizations }: ReadTarget,
): Contestant {
  const read = (place: number, authorization: string | undefined) =>
    fetch(`${url}/api/v1/endpoints/${fleet[place]!.endpointId}/metadata`, {
      headers: authorization === undefined ? {} : { authorization },
    });
  return {
    name,
    what,
    own,
    processes: () => ({ server: pid, client: client.pid }),
    async measure({ seconds, isWarmUp }) {
      // each token is verified, and each question asked, before anything counts
      if (isWarmUp)
        for (let place = 0; place < fleet.length; place++) await read(place, authorizations?.[place]);
      const run: RequestRun = { contestant: name, url, connections, seconds };
      const result = await client.ask<RequestRunResult>('run', run);
      if (result.failures > 0) throw new Error(`${name}: ${result.failures} requests failed`);
      const { acknowledged: operations, p50Ms, p99Ms } = result;
      const ratePerSecond = operations / result.seconds;
      return { ratePerSecond, operations, seconds: result.seconds, p50Ms, p99Ms };
    },
    async verify() {
      const step = Math.ceil(fleet.length / MOST_CHECKED);
      let checked = 0;
      for (let place = 0; place < fleet.length; place += step, checked++) {
        const response = await read(place, authorizations?.[place]);
        if (!isDeepStrictEqual(await response.json(), fleet[place]!.metadata))
          throw new Error(`${name} answers something else for ${fleet[place]!.endpointId} than was stored`);
      }
      if (authorizations !== undefined && (await read(0, undefined)).status !== 401)
        throw new Error(`${name} answers who has no token`);
      return `every answer was 200; ${checked.toLocaleString('en-US')} are what was stored`;
    },
  };
}
