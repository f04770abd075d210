import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { JsonObject } from '../../src/model/json.js';
import type { SavedFilter } from '../end-to-end/support/check-filter.js';
import type { ToldHistory } from '../end-to-end/support/event-history.js';
import { APPLICATION, type StoredFilter } from '../end-to-end/support/rest.js';
import type { Random } from '../filters/fuzz/random.js';
import type { Api } from './api.js';
import { randomQuery } from './random-queries.js';
import { atMostAt, certainlyBefore, type Snapshot, takeSnapshot } from './snapshots.js';

/** A filter that was made, and how far endpoints were when it changed. */
export interface MadeFilter {
  filter: StoredFilter;
  phases: { query: JsonObject; before?: Snapshot; active?: Snapshot; ending?: Snapshot; ended?: Snapshot }[];
  isDeleted: boolean;
}

export interface FilterChanges {
  readonly made: readonly MadeFilter[];
  /** whether one is not seen active yet, or was just now */
  isChanging(): boolean;
  /** Makes changes until it is told to stop, then waits until each filter is active. */
  run(stopping: AbortSignal): Promise<void>;
}

export interface FilterChangesDeps {
  api: Api;
  random: Random;
  endpointIds: readonly string[];
  /** metadata keys that count */
  keys: readonly string[];
  /** at the same time, and in all */
  mostAlive: number;
  mostMade: number;
  /** longest pause between two changes */
  pauseMs: number;
}

const FILTERS = `/applications/${APPLICATION}/filters`;

/** Creates, changes (once each) and deletes filters, while everything else goes on. */
export function createFilterChanges(deps: FilterChangesDeps): FilterChanges {
  const { api, random, endpointIds, keys, mostAlive, mostMade, pauseMs } = deps;
  const made: MadeFilter[] = [];
  const watching = new Set<Promise<void>>();
  const snapshot = () => takeSnapshot(api, endpointIds);

  async function create(): Promise<void> {
    const name = `f${made.length}`;
    const mongoQuery = randomQuery(random, keys);
    const answer = await api.persistently({ method: 'POST', path: FILTERS, body: { name, mongoQuery } });
    let filter: StoredFilter;
    if (answer.status === 409 && answer.again) filter = await findNamed(name);
    else filter = read(answer, 201);
    const one: MadeFilter = { filter, phases: [{ query: mongoQuery }], isDeleted: false };
    made.push(one);
    watch(one);
  }

  /** A register may hear of it a moment later than the one that made it. */
  async function findNamed(name: string): Promise<StoredFilter> {
    for (;;) {
      const answer = await api.persistently({ method: 'GET', path: `${FILTERS}?name=${name}` });
      const { content } = read<{ content: StoredFilter[] }>(answer, 200);
      const found = content.find((one) => one.name === name);
      if (found !== undefined) return found;
      await sleep(50);
    }
  }

  async function change(one: MadeFilter): Promise<void> {
    const mongoQuery = randomQuery(random, keys);
    const before = await snapshot();
    const path = `${FILTERS}/${one.filter.id}`;
    read(await api.persistently({ method: 'PATCH', path, body: { mongoQuery } }), 200);
    const ended = await snapshot();
    Object.assign(one.phases[0]!, { ending: before, ended });
    one.phases.push({ query: mongoQuery, before });
    watch(one);
  }

  async function remove(one: MadeFilter): Promise<void> {
    const ending = await snapshot();
    one.isDeleted = true;
    const path = `${FILTERS}/${one.filter.id}`;
    const answer = await api.persistently({ method: 'DELETE', path });
    if (!(answer.status === 404 && answer.again)) read(answer, 204);
    Object.assign(one.phases.at(-1)!, { ending, ended: await snapshot() });
  }

  /** Notes how far endpoints are when the present phase is seen active. */
  function watch(one: MadeFilter): void {
    const phase = one.phases.at(-1)!;
    const work = (async () => {
      for (;;) {
        const answer = await api.persistently({ method: 'GET', path: `${FILTERS}/${one.filter.id}` });
        if (one.isDeleted || one.phases.at(-1) !== phase) return;
        const { status, mongoQuery } = read<StoredFilter>(answer, 200);
        const isShown = ({ query }: { query: JsonObject }) => isDeepStrictEqual(mongoQuery, query);
        if (isShown(phase) && status === 'active') break;
        // one that is changed at this moment shows the next query
        if (!isShown(phase) && one.phases.some(isShown))
          throw new Error(`${one.filter.name} was changed, and is shown as it was before`);
        await sleep(50);
      }
      phase.active = await snapshot();
    })();
    watching.add(work);
    // one that failed stays, for the end to find
    work.then(
      () => watching.delete(work),
      () => undefined,
    );
  }

  async function changeSomething(): Promise<void> {
    const alive = made.filter(({ isDeleted }) => !isDeleted);
    const choices: (readonly [number, () => Promise<void>])[] = [];
    if (alive.length < mostAlive && made.length < mostMade) choices.push([3, create]);
    if (alive.length > mostAlive / 2) choices.push([1, () => remove(random.pick(alive))]);
    const unchanged = alive.filter(({ phases }) => phases.length === 1);
    if (unchanged.length > 0) choices.push([1, () => change(random.pick(unchanged))]);
    if (choices.length > 0) await random.weighted(choices);
  }

  return {
    made,
    isChanging: () => watching.size > 0,
    async run(stopping) {
      while (!stopping.aborted) {
        await changeSomething();
        await sleep(random.below(pauseMs));
      }
      await Promise.all(watching);
    },
  };
}

/** As the check of filters wants it. @param stored the filters that there are at the end */
export function savedFilterOf(
  { filter, phases }: MadeFilter,
  stored: ReadonlyMap<string, StoredFilter>,
  history: ToldHistory,
): SavedFilter {
  const stretches = phases.map(({ query, before, active, ending, ended }) => ({
    query,
    after: certainlyBefore(before ?? new Map()),
    certainlyAfter: active === undefined ? () => Infinity : atMostAt(active, history),
    ...(ending === undefined || ended === undefined
      ? {}
      : { until: { certainly: certainlyBefore(ending), atMost: atMostAt(ended, history) } }),
  }));
  const found = stored.get(filter.id);
  return { filter: found ?? filter, stretches, baseline: found === undefined ? 'gone' : 'unknown' };
}

function read<T>({ status, body }: { status: number; body: Buffer }, wanted: number): T {
  const text = body.toString();
  if (status !== wanted)
    throw new Error(`a change of filters was answered ${status}, not ${wanted}: ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}
