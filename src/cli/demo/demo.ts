import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CliFailure, EXIT } from '../failure.js';
import { createHttpClient, type HttpClient } from '../http.js';
import {
  progressOf,
  runImport,
  type ImportOptions,
  type ImportResult,
  type ImportState,
} from '../import/index.js';
import { aborted, onInterrupt } from '../interrupt.js';
import { createProgressView } from '../progress-view.js';
import { duration, grouped } from '../text.js';
import { listFilters, readFilterSet, saveFilters, untilActive, type DemoFilter } from './filters.js';
import { createLatencies, type Latencies } from './latencies.js';
import { countEvents, type LiveCounts } from './live-counts.js';
import { createLiveTable, describeEvents, memberLines, milliseconds, showsTable } from './live-table.js';
import { startRegister } from './start-register.js';

/** The flags of `epr demo`. */
export interface DemoFlags {
  keep?: boolean;
  storage?: string;
  nats?: string;
}

const WEATHER = new URL('../../../../examples/weather/', import.meta.url);
const APPLICATION = 'weather';
const OBSERVATIONS = 30_942;
/** Lines on the way at once in the replay: enough for batches, few enough that the times are not those of our own queue. */
const WINDOW = 256;
const SHOWN_LATENCIES = 2000;
const EVENTS_WAIT_MS = 3000;

/** `epr demo`. Leaves nothing behind, however it ends; only what was stored in a MongoDB that was named stays. */
export async function demo(flags: DemoFlags): Promise<number> {
  const interrupt = onInterrupt();
  const folder = await mkdtemp(join(tmpdir(), 'epr-demo-'));
  const startedMs = Date.now();
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  const over = new AbortController();
  let stop = async (): Promise<void> => undefined;
  try {
    say(`Starting a register in ${folder}`);
    const register = await startRegister(folder, {
      'storage.url': flags.storage ?? `file:${join(folder, 'data')}`,
      [`kaa.applications.${APPLICATION}.versions.weather-v1`]: '',
      ...(flags.nats === undefined ? {} : { 'nats.urls': flags.nats }),
    });
    stop = () => register.stop();
    say(`  ready at ${register.url.origin} after ${duration(Date.now() - startedMs)}`);
    const show: Show = {
      url: register.url,
      folder,
      say,
      interrupt: interrupt.first,
      kill: AbortSignal.any([interrupt.second, over.signal]),
    };
    const finished = await Promise.race([runShow(show, startedMs), register.died]);
    if (finished && flags.keep === true) {
      sayWhatNext(say, register.url);
      await Promise.race([aborted(interrupt.first), register.died]);
    }
    return finished || flags.keep === true ? EXIT.ok : EXIT.interrupted;
  } catch (error) {
    if (interrupt.first.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    over.abort();
    if (interrupt.first.aborted) say('Stopping the register and removing its folder');
    await stop();
    await rm(folder, { recursive: true, force: true });
    interrupt.forget();
  }
}

interface Show {
  url: URL;
  folder: string;
  say: (text: string) => void;
  interrupt: AbortSignal;
  kill: AbortSignal;
}

/** Answers false when it was interrupted. */
async function runShow(show: Show, startedMs: number): Promise<boolean> {
  const { url, say, interrupt, kill } = show;
  const client = createHttpClient(url, undefined);
  try {
    say('\nRegistering the weather stations of the world (epr import stations.ndjson.gz)');
    const stations = await importStations(show);
    if (stations.interrupted) return false;
    sayImported(say, stations, 'stations');

    say('\nSaving the filters of a weather service');
    const savedMs = Date.now();
    const set = await readFilterSet(new URL('filters.json', WEATHER));
    await saveFilters(client, set);
    const before = await untilActive(client, APPLICATION, interrupt);
    say(
      `  ${before.length} filters active after ${duration(Date.now() - savedMs)}, every station evaluated against each`,
    );

    say(
      '\nReplaying two days of observations (epr import observations.ndjson.gz), watching the events (epr watch)',
    );
    const counts = countEvents(url, APPLICATION, AbortSignal.any([kill, interrupt]));
    await counts.connected;
    const latencies = createLatencies();
    const replay = await replayObservations(show, before, counts, latencies);
    if (replay.interrupted) return false;

    const after = await settledFilters(client, before, counts);
    const agree = after.filter(
      (filter, i) =>
        filter.matchedEndpointsCount === before[i]!.matchedEndpointsCount + counts.change(filter.id),
    ).length;
    if (!showsTable(process.stdout)) {
      const members = after.map(({ name, matchedEndpointsCount }) => ({
        name,
        members: matchedEndpointsCount,
      }));
      say(`\nMembers of the filters\n${memberLines(members).join('\n')}`);
    }
    say(`\nDone in ${duration(Date.now() - startedMs)}`);
    sayImported(say, stations, 'stations registered');
    sayImported(say, replay, 'observations stored');
    say(
      `  p50 ${milliseconds(latencies.percentile(0.5))}, p99 ${milliseconds(latencies.percentile(0.99))} from sending an observation to its answer, which means it is durable; ${WINDOW} on the way at once`,
    );
    say(`  ${describeEvents(counts.byKind)}`);
    say(
      `  members told over REST equal those told by the events for ${agree} of ${after.length} filters${counts.incomplete() ? ' (the event stream broke, so some events were not seen)' : ''}`,
    );
    if (stations.counts.failed + replay.counts.failed > 0)
      throw new CliFailure('Some lines failed, as said above.', EXIT.someFailed);
    if (agree < after.length && !counts.incomplete())
      throw new CliFailure('Memberships and events do not agree; that is a fault of the register.');
    return true;
  } finally {
    client.close();
  }
}

function importOptions({ url, folder }: Show, name: string): ImportOptions {
  return {
    file: fileURLToPath(new URL(name, WEATHER)),
    url,
    concurrency: 4,
    window: WINDOW,
    retryForMs: 10_000,
    restart: true,
    failuresFile: join(folder, `${name}.failures.ndjson`),
  };
}

async function importStations(show: Show): Promise<ImportResult> {
  const view = createProgressView(process.stdout);
  try {
    return await runImport(
      importOptions(show, 'stations.ndjson.gz'),
      { onStart: (state) => view.start(() => progressOf(state())), onNotice: (text) => view.notice(text) },
      show.interrupt,
      show.kill,
    );
  } finally {
    view.stop();
  }
}

async function replayObservations(
  show: Show,
  before: readonly DemoFilter[],
  counts: LiveCounts,
  latencies: Latencies,
): Promise<ImportResult> {
  const table = createLiveTable(process.stdout);
  const startedMs = performance.now();
  const onStart = (state: () => ImportState): void => {
    table.start(() => {
      const elapsedMs = performance.now() - startedMs;
      const { doneLine } = state();
      return {
        done: doneLine,
        total: OBSERVATIONS,
        elapsedMs,
        ratePerSecond: (doneLine / elapsedMs) * 1000,
        p50Ms: latencies.percentile(0.5, SHOWN_LATENCIES),
        p99Ms: latencies.percentile(0.99, SHOWN_LATENCIES),
        events: counts.byKind,
        filters: before.map(({ id, name, matchedEndpointsCount }) => ({
          name,
          members: matchedEndpointsCount + counts.change(id),
        })),
      };
    });
  };
  try {
    const watcher = {
      onStart,
      onNotice: (text: string) => show.say(`  ${text}`),
      onAnswered: (tookMs: number) => latencies.add(tookMs),
    };
    return await runImport(importOptions(show, 'observations.ndjson.gz'), watcher, show.interrupt, show.kill);
  } finally {
    table.stop();
  }
}

/** The filters as REST tells them, once the last events are here, in the order of `before`. */
async function settledFilters(
  client: HttpClient,
  before: readonly DemoFilter[],
  counts: LiveCounts,
): Promise<DemoFilter[]> {
  const expected = (filter: DemoFilter): number => filter.matchedEndpointsCount + counts.change(filter.id);
  const untilMs = Date.now() + EVENTS_WAIT_MS;
  for (;;) {
    const now = new Map((await listFilters(client, APPLICATION)).map((filter) => [filter.id, filter]));
    const after = before.map((filter) => now.get(filter.id) ?? filter);
    if (
      Date.now() > untilMs ||
      after.every((filter, i) => filter.matchedEndpointsCount === expected(before[i]!))
    )
      return after;
    await sleep(50);
  }
}

function sayImported(say: Show['say'], { counts, tookMs, lines }: ImportResult, what: string): void {
  const others = counts.alreadyThere > 0 ? `, ${grouped(counts.alreadyThere)} of them there before` : '';
  const failed = counts.failed > 0 ? `, ${grouped(counts.failed)} FAILED` : '';
  say(
    `  ${grouped(lines)} ${what} in ${duration(tookMs)} (${grouped((lines / tookMs) * 1000)}/s)${others}${failed}`,
  );
}

function sayWhatNext(say: Show['say'], url: URL): void {
  say(`
The register runs at ${url.origin} until Ctrl-C, which also removes its data. Try
  curl '${url.origin}/api/v1/endpoints?include=metadata&endpointId=LOWW'
  curl '${url.origin}/api/v1/applications/${APPLICATION}/filters?limit=3'
  curl -X PUT -H 'Content-Type: application/json' -d 41 ${url.origin}/api/v1/endpoints/LOWW/metadata/temp_c
  npm run epr -- watch --url ${url.origin}`);
}
