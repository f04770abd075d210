import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliFailure } from '../failure.js';
import { errorOf, type HttpClient } from '../http.js';

/** What the demo needs of a saved filter. */
export interface DemoFilter {
  id: string;
  name: string;
  status: 'pending' | 'active';
  matchedEndpointsCount: number;
}

export interface FilterSet {
  applicationName: string;
  filters: { name: string; description: string; mongoQuery: unknown }[];
}

export async function readFilterSet(file: URL): Promise<FilterSet> {
  return JSON.parse(await readFile(file, 'utf8')) as FilterSet;
}

/** Saves those that are not there yet, as in a store that an earlier demo has used. Answers how many were new. */
export async function saveFilters(client: HttpClient, set: FilterSet): Promise<number> {
  const there = new Set((await listFilters(client, set.applicationName)).map(({ name }) => name));
  const missing = set.filters.filter(({ name }) => !there.has(name));
  const save = async (filter: FilterSet['filters'][number]): Promise<void> => {
    const answer = await client.request({
      method: 'POST',
      path: filtersPath(set.applicationName),
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(filter),
    });
    if (answer.status !== 201)
      throw new CliFailure(
        `The filter "${filter.name}" was not saved (${answer.status}: ${errorOf(answer).message})`,
      );
  };
  await Promise.all(missing.map(save));
  return missing.length;
}

export async function listFilters(client: HttpClient, application: string): Promise<DemoFilter[]> {
  const answer = await client.request({ method: 'GET', path: `${filtersPath(application)}?limit=1000` });
  if (answer.status !== 200)
    throw new CliFailure(`The filters can not be listed (${answer.status}: ${errorOf(answer).message})`);
  return (JSON.parse(answer.body.toString('utf8')) as { content: DemoFilter[] }).content;
}

const POLL_MS = 50;

export async function untilActive(
  client: HttpClient,
  application: string,
  signal: AbortSignal,
): Promise<DemoFilter[]> {
  for (;;) {
    const filters = await listFilters(client, application);
    if (filters.every(({ status }) => status === 'active')) return filters;
    await sleep(POLL_MS, undefined, { signal });
  }
}

function filtersPath(application: string): string {
  return `/api/v1/applications/${application}/filters`;
}
