import { setTimeout as sleep } from 'node:timers/promises';
import { APPLICATION } from '../fleet.js';

const POLL_MS = 20;

/** How many endpoints match: some in ten thousand, or about half. */
export type Kind = 'few' | 'half';

/** Makes filters, and with them recalculations, of a service. */
export interface Recalculations {
  /** Deletes all filters, and waits until what they leave is gone. */
  clear(): Promise<void>;
  /** One filter, from its creation until it is active; deleted then. */
  one(kind: Kind): Promise<{ query: string; seconds: number; members: number }>;
  /** One after the other until the end; that answers how many endpoints were evaluated since. */
  keepOn(kind: Kind): Promise<{ end(): Promise<number> }>;
}

interface Filter {
  id: string;
  status: string;
  matchedEndpointsCount: number;
}

export function createRecalculations({
  url,
  managementUrl,
}: {
  url: string;
  managementUrl: string;
}): Recalculations {
  const filters = `${url}/api/v1/applications/${APPLICATION}/filters`;
  let made = 0;

  function queryOf(kind: Kind): object {
    made++;
    // they differ, but not in what matches
    const [key, value] =
      kind === 'few' ? ['temp_c', { $gt: 38 + made / 1e6 }] : ['elevation_m', { $gt: 150 + made / 1e6 }];
    return { metadata: { $elemMatch: { key, value } } };
  }

  const create = (kind: Kind) =>
    ask<Filter>(filters, {
      method: 'POST',
      body: JSON.stringify({ name: `${kind} ${made} ${Date.now()}`, mongoQuery: queryOf(kind) }),
    });
  const evaluated = async () => {
    const text = await (await fetch(`${managementUrl}/metrics`)).text();
    return Number(/^epr_recalculation_endpoints_evaluated_total{.*} (\d+)/m.exec(text)?.[1] ?? 0);
  };
  const get = (id: string) => ask<Filter>(`${filters}/${id}`);
  const remove = (id: string) => ask(`${filters}/${id}`, { method: 'DELETE' });

  return {
    async clear() {
      for (;;) {
        const { content } = await ask<{ content: Filter[] }>(`${filters}?limit=100`);
        if (content.length === 0) return;
        for (const { id } of content) await remove(id);
      }
    },
    async one(kind) {
      const startedMs = performance.now();
      let filter = await create(kind);
      while (filter.status !== 'active') {
        await sleep(POLL_MS);
        filter = await get(filter.id);
      }
      const seconds = (performance.now() - startedMs) / 1000;
      await remove(filter.id);
      return { query: kind, seconds, members: filter.matchedEndpointsCount };
    },
    async keepOn(kind) {
      let going = true;
      const before = await evaluated();
      let filter = await create(kind);
      const done = (async () => {
        for (;;) {
          while (going && filter.status !== 'active') {
            await sleep(POLL_MS);
            filter = await get(filter.id);
          }
          await remove(filter.id);
          if (!going) return;
          filter = await create(kind);
        }
      })();
      return {
        async end() {
          going = false;
          const count = (await evaluated()) - before;
          await done;
          return count;
        },
      };
    },
  };
}

async function ask<T>(url: string, init: RequestInit = {}): Promise<T> {
  const response = await fetch(url, { ...init, headers: { 'content-type': 'application/json' } });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}
