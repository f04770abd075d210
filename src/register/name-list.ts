/** Names in ascending order of their UTF-16 units, each once. */
export interface NameList {
  /** A name that is not there yet. O(log n). */
  add(name: string): void;
  /** A name that is there. O(log n). */
  remove(name: string): void;
  /** O(limit), and O(n / 512). */
  page(offset: number, limit: number): string[];
  [Symbol.iterator](): Iterator<string>;
}

/** Names in one run: few enough to be moved at once, many enough that there are few runs. */
const MOST = 512;

export function createNameList(): NameList {
  /** each ascending, all of one before all of the next; none is empty */
  const runs: string[][] = [];

  /** The run where a name is, or belongs. */
  function runOf(name: string): number {
    return Math.max(0, countUpTo(runs.length, name, (i) => runs[i]![0]!) - 1);
  }

  /** How many names of a run are not greater. */
  function placeIn(run: readonly string[], name: string): number {
    return countUpTo(run.length, name, (i) => run[i]!);
  }

  return {
    add(name) {
      const at = runOf(name);
      const run = runs[at];
      if (run === undefined) return void runs.push([name]);
      run.splice(placeIn(run, name), 0, name);
      // names that ascend leave full runs behind
      if (run.length > MOST) runs.splice(at + 1, 0, run.splice(at === runs.length - 1 ? MOST - 1 : MOST / 2));
    },
    remove(name) {
      const at = runOf(name);
      const run = runs[at]!;
      run.splice(placeIn(run, name) - 1, 1);
      if (run.length === 0) runs.splice(at, 1);
    },
    page(offset, limit) {
      const found: string[] = [];
      let skip = offset;
      for (const run of runs) {
        if (found.length === limit) break;
        if (skip < run.length) found.push(...run.slice(skip, skip + limit - found.length));
        skip = Math.max(0, skip - run.length);
      }
      return found;
    },
    *[Symbol.iterator]() {
      for (const run of runs) yield* run;
    },
  };
}

function countUpTo(length: number, name: string, at: (i: number) => string): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(middle) <= name) low = middle + 1;
    else high = middle;
  }
  return low;
}
