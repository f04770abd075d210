import { randomUUID } from 'node:crypto';

/** Reads something of another service again and again: by itself, when somebody says that it has changed, and after failures. */
export interface FollowLoop<Scope> {
  /** Called off when the loop stops. */
  readonly signal: AbortSignal;
  /** Reads the whole; later, the loop goes on by itself. Resolves after that reading, or `startMs`: whether it was over by then. */
  start(): Promise<boolean>;
  /** Something has changed: it is read soon, once for many. Ends the pause after a failure. */
  want(scope: Scope, correlationId: string): void;
  /** Reads the whole soon. Resolves after the next reading, whatever came of it. */
  reread(correlationId: string): Promise<void>;
  stop(): Promise<void>;
}

export interface FollowTimes {
  /** how long a start waits */
  startMs: number;
  /** all is read again after this, less up to a tenth: for announcements that were lost */
  rereadMs: number;
  /** an announcement is followed within this, so that many are one reading and replicas do not come all at once */
  mergeMs: number;
  /** two readings begin at least this far apart, however much is announced; absent: they need not */
  leastMs?: number;
  /** the pause after a reading that failed: at random from a half of this, doubled each time up to the most */
  retryFirstMs: number;
  retryMostMs: number;
}

export interface FollowLoopDeps<Scope> {
  /** the whole */
  all: Scope;
  /** the narrowest that has both */
  merge: (a: Scope, b: Scope) => Scope;
  /** Reads it and puts it into force. False: it is to be tried again. */
  follow: (scope: Scope, correlationId: string) => Promise<boolean>;
  times: FollowTimes;
  /** The loop has ended by an error, which must not be. */
  onFault: (error: unknown) => void;
}

export function createFollowLoop<Scope>(deps: FollowLoopDeps<Scope>): FollowLoop<Scope> {
  const { all, merge, times } = deps;
  const stopping = new AbortController();
  /** what is to be read next */
  let wanted: { scope: Scope; correlationId: string } | undefined;
  /** who waits for the next reading */
  let waiting: (() => void)[] = [];
  let wake: () => void = () => undefined;
  let beganMs = -Infinity;
  let running: Promise<void> = Promise.resolve();

  /** Waits, `wakeable`: until something is wanted, at the longest. False: that it was. */
  const pause = (ms: number, wakeable = false) =>
    new Promise<boolean>((resolve) => {
      const end = (over: boolean) => {
        clearTimeout(timer);
        stopping.signal.removeEventListener('abort', cancel);
        wake = () => undefined;
        resolve(over);
      };
      const cancel = () => end(true);
      const timer = setTimeout(end, ms, true);
      if (wakeable) wake = () => end(false);
      stopping.signal.addEventListener('abort', cancel);
      if (stopping.signal.aborted) cancel();
    });

  const want = (scope: Scope, correlationId: string) => {
    wanted = { scope: wanted === undefined ? scope : merge(wanted.scope, scope), correlationId };
    wake();
  };

  /** Others may announce something meanwhile. */
  const merged = () => {
    const leastMs = (times.leastMs ?? 0) - (performance.now() - beganMs);
    return pause(Math.max(0, leastMs) + Math.random() * times.mergeMs);
  };

  async function run(): Promise<void> {
    let failures = 0;
    want(all, randomUUID());
    while (!stopping.signal.aborted) {
      if (wanted === undefined) {
        if (await pause(times.rereadMs * (1 - Math.random() / 10), true)) want(all, randomUUID());
        else await merged();
        continue;
      }
      const { scope, correlationId } = wanted;
      const told = waiting;
      wanted = undefined;
      waiting = [];
      beganMs = performance.now();
      const done = await deps.follow(scope, correlationId);
      for (const tell of told) tell();
      failures = done ? 0 : failures + 1;
      if (done) {
        if (wanted !== undefined) await merged();
        continue;
      }
      const isWoken = wanted !== undefined;
      // who was away may have changed more than was announced
      want(all, correlationId);
      const most = Math.min(times.retryMostMs, times.retryFirstMs * 2 ** (failures - 1));
      // who announces something is there again
      if (isWoken || !(await pause(most * (0.5 + Math.random() / 2), true))) await merged();
    }
    for (const tell of waiting) tell();
  }

  const next = () => new Promise<void>((resolve) => waiting.push(resolve));

  return {
    signal: stopping.signal,
    async start() {
      const answered = next().then(() => true);
      running = run().catch(deps.onFault);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, times.startMs, false)));
      const isAnswered = await Promise.race([answered, late]);
      clearTimeout(timer);
      return isAnswered;
    },
    want,
    reread(correlationId) {
      const read = next();
      want(all, correlationId);
      return read;
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
