import { setTimeout as sleep } from 'node:timers/promises';
import { storedQuery } from '../filters/clauses.js';
import { type Filter } from '../filters/clauses.js';
import { weatherWorkload } from '../filters/weather.js';
import { describeMicros } from '../contest.js';
import { APPLICATION, KEY, readFilters } from '../fleet.js';
import { processorTimeEach, readProcessorTime } from '../processor-time.js';
import { median } from '../statistics.js';
import { ask, askJson } from './rest.js';

const POLL_MS = 10;
/** POSTs under way at a time */
const LANES = 256;
const PAGE = 1000;

interface FilterAnswer {
  status: string;
}

const filtersUrl = (url: string): string => `${url}/api/v1/applications/${APPLICATION}/filters`;

/** The 24 filters of the weather service, active when it resolves. */
export async function saveFilters(url: string): Promise<void> {
  const filters = filtersUrl(url);
  for (const filter of readFilters()) await askJson(filters, filter);
  for (;;) {
    const { content } = await askJson<{ content: FilterAnswer[] }>(filters);
    if (content.length === 24 && content.every(({ status }) => status === 'active')) return;
    await sleep(POLL_MS);
  }
}

/** Filters beside the 24. */
export interface MoreFilters {
  /** in the plural */
  name: string;
  what: string;
  count: number;
  /** at least so many */
  filters: () => Iterator<Filter>;
}

export function alertsBeside(count: number): MoreFilters {
  return {
    name: 'alerts',
    what: 'generated weather alerts',
    count,
    filters: () => weatherWorkload.filters(),
  };
}

/** Few filters that flip as often as 100,000 alerts when temperatures move by 3.3 degrees: 1.4 for each change. */
export const THRESHOLDS: MoreFilters = {
  name: 'thresholds',
  what: 'thresholds of temperature that flip as often as 100,000 alerts',
  count: 40,
  *filters() {
    for (let gte = -48; gte < 48; gte += 2.4) yield [{ kind: 'range', key: KEY, bounds: { gte } }];
  },
};

/** Saved by single POSTs; active when it resolves, each of them. Tells how long both took. */
export async function saveMore(
  url: string,
  pid: number,
  { name: names, count, filters }: MoreFilters,
  tell: (line: string) => void,
): Promise<void> {
  const before = readProcessorTime({ server: pid });
  const more = filters();
  const startedMs = performance.now();
  const times: number[] = [];
  let next = 0;
  const save = async (): Promise<void> => {
    while (next < count) {
      const name = `${names}-${String(next++).padStart(6, '0')}`;
      const begunMs = performance.now();
      await ask(filtersUrl(url), {
        name,
        mongoQuery: storedQuery((more.next() as IteratorYieldResult<Filter>).value),
      }).then((answer) => answer.arrayBuffer());
      times.push(performance.now() - begunMs);
      if (times.length % 20_000 === 0)
        tell(`${times.length} ${names} saved after ${secondsOf(startedMs, performance.now())} s`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, save));
  const savedMs = performance.now();
  const micros = describeMicros(processorTimeEach(before, readProcessorTime({ server: pid }), count));
  await waitUntilActive(url, count + 24);
  const rate = Math.round(count / ((savedMs - startedMs) / 1000));
  tell(
    `${count} ${names} saved by POST in ${secondsOf(startedMs, savedMs)} s (${rate}/s, ${LANES} at a time, median ${Math.round(median(times))} ms; ${micros}), all active ${secondsOf(savedMs, performance.now())} s later`,
  );
}

/** Page after page: a page is passed when all of it is active. */
async function waitUntilActive(url: string, count: number): Promise<void> {
  let active = 0;
  while (active < count) {
    const { totalElements, content } = await askJson<{ totalElements: number; content: FilterAnswer[] }>(
      `${filtersUrl(url)}?limit=${PAGE}&offset=${active}`,
    );
    if (totalElements !== count) throw new Error(`There are ${totalElements} filters, not ${count}`);
    const isActive = content.every(({ status }) => status === 'active');
    if (isActive) active += content.length;
    else await sleep(POLL_MS * 10);
  }
}

function secondsOf(fromMs: number, toMs: number): string {
  return ((toMs - fromMs) / 1000).toFixed(1);
}
