import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { childArgument, serveParent } from '../children.js';
import { Series } from '../statistics.js';
import { createEngine, type EngineId } from './engines/index.js';
import type { Flips } from './engines/engine.js';
import { WORKLOADS, type UpdateKind } from './workload.js';

/** A process that holds one engine with the filters of one workload, and nothing else, so that its memory is its own. */

export interface CellSetup {
  engine: EngineId;
  workload: string;
  size: number;
  koncordeFolder?: string;
}

/** Bytes. Taken after a collection of garbage. */
export interface Memory {
  rss: number;
  heapUsed: number;
  /** outside of the heap of JavaScript: typed arrays, shared or not, and what native code tells of */
  external: number;
  /** the most that the process has had so far */
  peakRss: number;
}

export interface Built {
  /** the process with the engine's code and the documents, no filter yet */
  empty: Memory;
  full: Memory;
  buildMs: number;
}

export type OperationKind = UpdateKind | 'registration';

export interface MeasureRequest {
  kind: OperationKind;
  /** operations begin within this time, the making of their documents included */
  budgetMs: number;
  atLeast: number;
}

export interface Measured {
  /** each operation's, in the order in which they ran */
  timesMs: Float64Array;
  /** flips, or matches of a registration, of all of them */
  found: number;
}

export interface Changed {
  addMs: Float64Array;
  removeMs: Float64Array;
}

const BUILD_AT_ONCE = 500;
/** More than this tells nothing new. */
const MOST_OPERATIONS = 100_000;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const setup = childArgument<CellSetup>();
const workload = WORKLOADS.find(({ id }) => id === setup.workload)!;
const engine = await createEngine(setup.engine, setup.koncordeFolder);
const filters = workload.filters();
const stream = workload.openStream(1);
let added = 0;

function readMemory(): Memory {
  collectGarbage();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heapUsed, external, peakRss: process.resourceUsage().maxRSS * 1024 };
}

function time(operation: () => void): number {
  const startMs = performance.now();
  operation();
  return performance.now() - startMs;
}

async function build(): Promise<Built> {
  filters.next();
  const empty = readMemory();
  let buildMs = 0;
  while (added < setup.size) {
    const some = Array.from(
      { length: Math.min(BUILD_AT_ONCE, setup.size - added) },
      () => filters.next().value,
    );
    buildMs += time(() => {
      for (const filter of some) engine.add(added++, filter);
    });
  }
  return { empty, full: readMemory(), buildMs };
}

async function measure({ kind, budgetMs, atLeast }: MeasureRequest): Promise<Measured> {
  const times = new Series();
  const startMs = performance.now();
  let found = 0;
  for (let count = 0; count < MOST_OPERATIONS; count++) {
    if (count >= atLeast && performance.now() - startMs >= budgetMs) break;
    if (kind === 'registration') {
      const match = engine.prepareRegistration(stream.document());
      const begunMs = performance.now();
      const numbers = match();
      times.add(performance.now() - begunMs);
      found += numbers.length;
    } else {
      const findFlips = engine.prepareUpdate(stream.next(kind));
      const begunMs = performance.now();
      const { matched, unmatched } = findFlips();
      times.add(performance.now() - begunMs);
      found += matched.length + unmatched.length;
    }
  }
  return { timesMs: times.all(), found };
}

/** Adds the next filters to the full set, one by one, and removes as many of the first ones. */
async function change({ count }: { count: number }): Promise<Changed> {
  engine.forget();
  const some = Array.from({ length: count }, () => filters.next().value);
  const addMs = Float64Array.from(some, (filter) => time(() => engine.add(added++, filter)));
  const step = Math.floor(setup.size / count);
  const removeMs = Float64Array.from(some, (_, i) => time(() => engine.remove(i * step)));
  return { addMs, removeMs };
}

/** What it answers to the same questions as all engines: one sum an operation. */
async function check({ seed, count }: { seed: number; count: number }): Promise<Uint32Array> {
  engine.forget();
  const asked = workload.openStream(seed);
  const sums = Array.from({ length: 3 * count }, (_, i) => {
    if (i >= 2 * count)
      return sumOf({ matched: engine.prepareRegistration(asked.document())(), unmatched: [] });
    return sumOf(engine.prepareUpdate(asked.next(i < count ? 'one' : 'ten'))());
  });
  engine.forget();
  return Uint32Array.from(sums);
}

function sumOf({ matched, unmatched }: Flips): number {
  let sum = 0x811c9dc5;
  const include = (number: number) => void (sum = Math.imul(sum ^ number, 0x01000193) >>> 0);
  matched.sort((a, b) => a - b).forEach(include);
  include(0xffffffff);
  unmatched.sort((a, b) => a - b).forEach(include);
  return sum;
}

serveParent({}, { build, measure, change, check, memory: async () => readMemory() });
