import { isIP } from 'node:net';

export interface ServerAddress {
  host: string;
  port: number;
  /** what its certificate must be for, where `host` is an address that another server told us of */
  name?: string;
}

/** The servers of one cluster: those that were configured, and those that the last connection told of. */
export interface ServerList {
  /** Each once, in random order, so that replicas spread out; the one that was lost comes last. */
  inTurn(): ServerAddress[];
  lost(server: ServerAddress): void;
  /** `host:port` of others in the cluster, told by this one */
  learn(from: ServerAddress, told: readonly string[]): void;
}

const DEFAULT_PORT = 4222;
const MOST_LEARNED = 64;

/** @param urls - `nats://host:port`, `tls://host:port` or `host:port`, without credentials */
export function createServerList(urls: readonly string[]): ServerList {
  const configured = urls.map(parseServer);
  let learned: ServerAddress[] = [];
  let last: ServerAddress | undefined;

  return {
    inTurn() {
      const byName = new Map([...learned, ...configured].map((server) => [serverText(server), server]));
      const order = [...byName].map(([text, server]) => ({
        server,
        rank: Math.random() + (last !== undefined && text === serverText(last) ? 1 : 0),
      }));
      return order.sort((a, b) => a.rank - b.rank).map(({ server }) => server);
    },
    lost(server) {
      last = server;
    },
    learn(from, told) {
      const name = isIP(from.host) === 0 ? from.host : from.name;
      learned = told.slice(0, MOST_LEARNED).map((text) => {
        const server = parseServer(text);
        return name !== undefined && isIP(server.host) !== 0 ? { ...server, name } : server;
      });
    },
  };
}

/** As it is shown and given to the client. */
export function serverText({ host, port }: ServerAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function parseServer(url: string): ServerAddress {
  const [, host = '', port] = /^(?:[a-z]+:\/\/)?(\[[^\]]*\]|[^:/]*)(?::(\d+))?\/?$/i.exec(url) ?? [];
  return { host: host.replace(/^\[|\]$/g, ''), port: port === undefined ? DEFAULT_PORT : Number(port) };
}
