import { createHttpClient } from '../../../src/cli/http.js';
import type { JsonObject } from '../../../src/model/json.js';
import { until } from './wait.js';

export const APPLICATION = 'weather';

export interface StoredEndpoint {
  endpointId: string;
  appVersion: { name: string };
  metadata: JsonObject;
}

export interface FilterBody {
  name: string;
  description?: string;
  mongoQuery: JsonObject;
}

export interface StoredFilter extends FilterBody {
  id: string;
  status: 'pending' | 'active';
  matchedEndpointsCount: number;
}

export interface Station {
  endpointId: string;
  appVersion: { name: string };
  metadata: JsonObject;
}

/** What the tests ask of a register over REST. Anything but the expected status is an error that tells the answer. */
export interface Rest {
  readonly url: string;
  ask<T>(method: string, path: string, status: number, body?: unknown): Promise<T>;
  /** by batch tasks, some at a time; resolves when all are registered */
  registerFleet(stations: readonly Station[]): Promise<void>;
  createFilter(filter: FilterBody): Promise<StoredFilter>;
  filters(): Promise<StoredFilter[]>;
  untilActive(filters: readonly { id: string; name: string }[]): Promise<void>;
  /** all pages of a list, by cursor; the query ends in nothing or in `&` */
  list<T>(query: string): Promise<{ content: T[]; totals: number[] }>;
  memberIds(filterId: string): Promise<Set<string>>;
  endpoints(): Promise<Map<string, StoredEndpoint>>;
  /** from the metadata's ETag */
  metadataRevision(endpointId: string): Promise<number>;
  close(): void;
}

const BATCH = 1000;
const BATCHES_AT_ONCE = 4;
const PAGE = 5000;
const FILTERS = `/api/v1/applications/${APPLICATION}/filters`;

export function createRest(url: string): Rest {
  const client = createHttpClient(new URL(url), undefined);

  const request = async (method: string, path: string, status: number, body?: unknown) => {
    const send = () =>
      client.request({
        method,
        path,
        signal: AbortSignal.timeout(60_000),
        ...(body === undefined
          ? {}
          : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      });
    const answer = await send().catch((error: NodeJS.ErrnoException) => {
      // a connection that the register closed as idle, while this process was busy: a read may be asked again
      if (method === 'GET' && error.code === 'ECONNRESET') return send();
      throw error;
    });
    if (answer.status !== status)
      throw new Error(
        `${method} ${path} was answered ${answer.status}, not ${status}: ${answer.body.toString()}`,
      );
    return answer;
  };

  const ask: Rest['ask'] = async <T>(method: string, path: string, status: number, body?: unknown) => {
    const text = (await request(method, path, status, body)).body.toString();
    return (text === '' ? undefined : JSON.parse(text)) as T;
  };

  const registerBatch = async (versionName: string, endpoints: object[]): Promise<void> => {
    const body = { appVersion: { name: versionName }, endpoints };
    const { headers } = await request('POST', '/api/v1/endpoints/batch', 202, body);
    const { pathname, search } = new URL(headers.location!);
    await until({
      what: `the batch task of ${pathname}${search}, of ${endpoints.length} registrations`,
      look: async () => {
        const { createdCount, failedCount, failed } = await ask<{
          createdCount: number;
          failedCount: number;
          failed: unknown[];
        }>('GET', pathname + search, 200);
        if (failedCount > 0) throw new Error(`registrations failed: ${JSON.stringify(failed.slice(0, 3))}`);
        return createdCount === endpoints.length ? { value: null } : { state: { createdCount } };
      },
    });
  };

  const filters = async (): Promise<StoredFilter[]> =>
    (await ask<{ content: StoredFilter[] }>('GET', FILTERS, 200)).content;

  const list: Rest['list'] = async <T>(query: string) => {
    const content: T[] = [];
    const totals: number[] = [];
    for (let cursor = ''; ;) {
      const page = await ask<{ content: T[]; totalElements: number; nextCursor?: string }>(
        'GET',
        `/api/v1/endpoints?${query}limit=${PAGE}${cursor}`,
        200,
      );
      content.push(...page.content);
      totals.push(page.totalElements);
      if (page.nextCursor === undefined) return { content, totals };
      cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
    }
  };

  return {
    url,
    ask,
    list,
    filters,
    close: () => client.close(),
    async registerFleet(stations) {
      const batches: [version: string, endpoints: object[]][] = [];
      const byVersion = groupByVersion(stations);
      for (const [version, members] of byVersion) {
        const endpoints = members.map(({ endpointId, metadata }) => ({ endpointId, metadata }));
        for (let i = 0; i < endpoints.length; i += BATCH)
          batches.push([version, endpoints.slice(i, i + BATCH)]);
      }
      const lane = async (): Promise<void> => {
        for (let batch = batches.shift(); batch !== undefined; batch = batches.shift())
          await registerBatch(...batch);
      };
      await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, lane));
    },
    createFilter: (filter) => ask('POST', FILTERS, 201, filter),
    async untilActive(some) {
      // one by one: a list would have the members of every filter counted each time
      for (const { id, name } of some) {
        await until({
          what: `the filter ${name} to be active`,
          look: async () => {
            const filter = await ask<StoredFilter>('GET', `${FILTERS}/${id}`, 200);
            return filter.status === 'active' ? { value: null } : { state: filter };
          },
        });
      }
    },
    async memberIds(filterId) {
      const { content } = await list<{ endpointId: string }>(`filterId=${filterId}&`);
      const ids = new Set(content.map(({ endpointId }) => endpointId));
      if (ids.size < content.length) throw new Error(`the list of ${filterId} names an endpoint twice`);
      return ids;
    },
    async endpoints() {
      const { content } = await list<StoredEndpoint>('include=metadata&');
      return new Map(content.map((endpoint) => [endpoint.endpointId, endpoint]));
    },
    async metadataRevision(endpointId) {
      const { headers } = await request('GET', `/api/v1/endpoints/${endpointId}/metadata`, 200);
      return revisionOf(headers.etag);
    },
  };
}

/** Of an ETag `"<created>-<revision of the last metadata change>"`, both in base 36. */
export function revisionOf(etag: string | undefined): number {
  const found = /^"[^"]*-([0-9a-z]+)"$/.exec(etag ?? '');
  if (found === null) throw new Error(`not an ETag of metadata: ${etag}`);
  return Number.parseInt(found[1]!, 36);
}

function groupByVersion(stations: readonly Station[]): Map<string, Station[]> {
  const groups = new Map<string, Station[]>();
  for (const station of stations) {
    const group = groups.get(station.appVersion.name);
    if (group === undefined) groups.set(station.appVersion.name, [station]);
    else group.push(station);
  }
  return groups;
}
