import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type ConnectivityEvent, decodeConnectivity } from '../avro/index.js';
import type { Catalogue } from '../model/catalogue.js';
import type { Command } from '../model/command.js';
import { type Outcome, retry, type Retry } from '../model/outcome.js';
import type { ConnectivityMetrics } from './connectivity-metrics.js';
import { isExpired } from './expiry.js';
import type { PublishFailure } from './publisher.js';
import type { SparingLog } from './sparing-log.js';
import { againAfterMs, type UnusableMessages } from './unusable-messages.js';

/** A connectivity message as it came, and the ways to answer for it. */
export interface IncomingMessage {
  subject: string;
  data: Uint8Array;
  /** its place in the stream; undefined where there is none */
  sequence?: number;
  /** how often the broker gave it, this time included */
  deliveries: number;
  /** the broker gave it before, or does not know: maybe to another process */
  mayBeRepeat: boolean;
  acknowledge(): void;
  /** tells the broker that it is still being worked on */
  extend(): void;
  /** Tells the broker to give it again after a while; without a stream it is kept here until then. */
  giveBack(delayMs: number): void;
  /** Tells the broker not to give it again, though it is not done. */
  giveUp(reason: string): void;
  /** Puts its bytes, as they are, where they can be looked at; see {@link Bury}. */
  bury(error: string): Promise<PublishFailure | undefined>;
}

export interface ConnectivityProcessor {
  take(message: IncomingMessage): void;
  /** There was no room for one, and nobody keeps it. */
  dropped(): void;
  /** messages taken and not yet answered for */
  inFlight(): number;
  /** what waits though it is of no use, and why; undefined: nothing */
  problem(): string | undefined;
  /** tells the broker of the messages that take long; to be called well within its time limit */
  extendAll(): void;
  /** Gives nothing more to the register; resolves when what was given is answered. The rest is left to be given again. */
  stop(): Promise<void>;
}

export interface ConnectivityProcessorDeps {
  submit: (commands: Command[]) => Promise<readonly Outcome[]>;
  catalogue: () => Catalogue;
  metrics: ConnectivityMetrics;
  unusable: UnusableMessages;
  sparing: SparingLog;
  /** whether metadata of endpoints says if they are connected; otherwise only `connected` messages mean something */
  keepsMetadata: boolean;
  maxCommands: number;
}

type ConnectivityCommand = Extract<Command, { type: 'set-version' | 'set-connectivity' }>;

interface Task {
  command: ConnectivityCommand;
  message: Open;
  attempts: number;
  /** how often in a row it failed, or killed, who computed it */
  fatal: number;
}

/** A message whose endpoints are being seen to. */
interface Open {
  incoming: IncomingMessage;
  left: number;
  /** the command that can not be computed, and what was said of it */
  fault?: { command: ConnectivityCommand; text: string };
}

/** Where a message is among those of its endpoint: by its time where that decides, then in the stream. */
interface Place {
  timestampMs: number;
  sequence: number;
}

const BATCH = 512;
const RETRY_FIRST_MS = 50;
const RETRY_MOST_MS = 2_000;
const REMEMBERED = 100_000;
/**
 * A message is of no use when one of its commands fails by itself, or kills a thread, so often in a row each of so many times
 * it is given, while others go through.
 */
const MOST_FATAL = 2;
const MOST_DELIVERIES = 4;

/**
 * Turns messages into commands and acknowledges a message when every one of its commands has come to something. Two
 * messages about one endpoint take effect in the order of the stream: an endpoint has one command under way, later ones
 * wait; what must be tried again is tried here, not given back, however long it takes: but for what may never work (it
 * kills each thread that computes it), which is given back a few times, and then is a dead letter. A message that the broker gives a second time (its
 * acknowledgement was lost, or we died, or it did) must not undo a later one: the last place in the stream that each endpoint was
 * given is remembered for the 100,000 latest, and what is older is `stale`; so is what is older than the endpoint's
 * present version by the times of both, which holds over a restart. With the metadata kept, times decide, and the stream
 * where they are equal: what is older than the stored time changes nothing, given again or not, and what another replica
 * was given first, and did not do, is done, though later messages were. Replicas that share a consumer have no order of the
 * stream between them.
 */
export function createConnectivityProcessor(deps: ConnectivityProcessorDeps): ConnectivityProcessor {
  const { submit, catalogue, metrics, unusable, sparing, keepsMetadata, maxCommands } = deps;
  const open = new Set<Open>();
  const openSequences = new Set<number>();
  /** by endpoint with a command under way: those that wait for it */
  const waiting = new Map<string, Task[]>();
  const newest = new LRUCache<string, Place>({ max: REMEMBERED });
  const timers = new Set<NodeJS.Timeout>();
  let ready: Task[] = [];
  let submitted = 0;
  let scheduled = false;
  let stopped = false;
  let quiet: (() => void) | undefined;

  const schedule = () => {
    if (scheduled || stopped) return;
    scheduled = true;
    setImmediate(drain);
  };

  const drain = () => {
    scheduled = false;
    while (!stopped && ready.length > 0 && submitted < maxCommands) {
      const count = Math.min(BATCH, maxCommands - submitted);
      const tasks = ready.slice(0, count);
      ready = ready.slice(count);
      submitted += tasks.length;
      void give(tasks);
    }
  };

  const give = async (tasks: Task[]) => {
    let outcomes: readonly Outcome[];
    try {
      outcomes = await submit(tasks.map((task) => task.command));
    } catch (error) {
      sparing.tell(
        'register failed',
        { err: error as Error },
        'The register failed on connected events; they will be tried again.',
        'error',
      );
      const outcome = retry('internal', (error as Error).message);
      outcomes = tasks.map(() => outcome);
    }
    submitted -= tasks.length;
    const again: Task[] = [];
    tasks.forEach((task, i) => {
      const outcome = outcomes[i]!;
      if (outcome.kind === 'retry') {
        metrics.endpoints.inc({ outcome: 'retried' });
        task.fatal = outcome.failsAlone === true ? task.fatal + 1 : 0;
        if (task.fatal < MOST_FATAL) return void again.push(task);
        task.message.fault ??= { command: task.command, text: outcome.message };
        return finish(task);
      }
      metrics.endpoints.inc({ outcome: nameOf(outcome, task.command) });
      finish(task);
    });
    if (again.length > 0) tryAgain(again);
    schedule();
    if (submitted === 0) quiet?.();
  };

  const finish = ({ command, message }: Task) => {
    const behind = waiting.get(command.endpointId)!;
    const next = behind.shift();
    if (next === undefined) waiting.delete(command.endpointId);
    else ready.push(next);
    if (--message.left > 0) return;
    if (message.fault === undefined) close(message);
    else void leave(message, message.fault);
  };

  /** All but what can not be computed is done. */
  const leave = async (message: Open, { command, text }: NonNullable<Open['fault']>) => {
    const { incoming } = message;
    const { deliveries } = incoming;
    if (deliveries >= MOST_DELIVERIES && (await worksOtherwise(command))) {
      const error = `Of endpoint ${command.endpointId}: ${text} Given ${deliveries} times.`;
      await unusable.put(incoming, error, 'fatal');
    } else incoming.giveBack(againAfterMs(deliveries));
    close(message, false);
  };

  /** Whether it is this very command, and not we who can't compute anything. */
  const worksOtherwise = async ({ version, timestampMs }: ConnectivityCommand): Promise<boolean> => {
    const nobody = { endpointId: randomUUID(), correlationId: randomUUID(), version, timestampMs };
    try {
      const [outcome] = await submit([{ type: 'set-version', ...nobody }]);
      return outcome!.kind !== 'retry';
    } catch {
      return false;
    }
  };

  const tryAgain = (tasks: Task[]) => {
    const attempts = Math.max(...tasks.map((task) => ++task.attempts));
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        ready = tasks.concat(ready);
        schedule();
      },
      Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** (attempts - 1)),
    );
    timers.add(timer);
  };

  const close = (message: Open, acknowledge = true) => {
    open.delete(message);
    if (message.incoming.sequence !== undefined) openSequences.delete(message.incoming.sequence);
    if (!acknowledge) return;
    metrics.messages.inc({ result: 'done' });
    message.incoming.acknowledge();
  };

  const remember = (incoming: IncomingMessage, left = 0): Open => {
    const message: Open = { incoming, left };
    open.add(message);
    if (incoming.sequence !== undefined) openSequences.add(incoming.sequence);
    return message;
  };

  const enqueue = (message: Open, event: ConnectivityEvent, endpoints: [string, string][]) => {
    const { sequence } = message.incoming;
    const place =
      sequence === undefined ? undefined : { timestampMs: keepsMetadata ? event.timestamp : 0, sequence };
    for (const [endpointId, versionName] of endpoints) {
      const version = catalogue().version(versionName);
      const known = newest.get(endpointId);
      const isOlder = place !== undefined && known !== undefined && isBefore(place, known);
      // one that comes late, but for the first time, is for the register to judge
      const stale = isOlder && place.sequence < known.sequence;
      if (stale || version === undefined) {
        metrics.endpoints.inc({ outcome: stale ? 'stale' : 'application-version-not-found' });
        message.left--;
        continue;
      }
      if (place !== undefined && !isOlder) newest.set(endpointId, place);
      const { correlationId, timestamp: timestampMs } = event;
      const head = { endpointId, version, correlationId, timestampMs };
      const connected = isConnected(message.incoming);
      const command: ConnectivityCommand = keepsMetadata
        ? { type: 'set-connectivity', connected, ...head }
        : { type: 'set-version', ...head };
      if (message.incoming.mayBeRepeat) command.unlessNewer = true;
      const task: Task = { command, message, attempts: 0, fatal: 0 };
      const behind = waiting.get(endpointId);
      if (behind !== undefined) behind.push(task);
      else {
        waiting.set(endpointId, []);
        ready.push(task);
      }
    }
    if (message.left === 0) close(message);
  };

  return {
    take(incoming) {
      if (stopped || (incoming.sequence !== undefined && openSequences.has(incoming.sequence))) return;
      if (!isConnected(incoming) && !(keepsMetadata && incoming.subject.endsWith('.disconnected'))) {
        metrics.messages.inc({ result: 'ignored' });
        incoming.acknowledge();
        return;
      }
      let event: ConnectivityEvent;
      try {
        event = decodeConnectivity(incoming.data);
      } catch (error) {
        const message = remember(incoming);
        void unusable
          .put(incoming, (error as Error).message, 'undecodable')
          .then(() => close(message, false));
        return;
      }
      if (isExpired(event)) {
        metrics.messages.inc({ result: 'expired' });
        incoming.acknowledge();
        return;
      }
      const endpoints = Object.entries(event.endpoints);
      enqueue(remember(incoming, endpoints.length), event, endpoints);
      schedule();
    },
    dropped: () => metrics.messages.inc({ result: 'dropped' }),
    inFlight: () => open.size,
    problem() {
      const problem = unusable.problem();
      return problem === undefined ? undefined : `${unusable.held()} dead letters wait: ${problem}`;
    },
    extendAll() {
      for (const { incoming } of open) incoming.extend();
    },
    async stop() {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
      if (submitted > 0) await new Promise<void>((resolve) => (quiet = resolve));
    },
  };
}

function isBefore(one: Place, other: Place): boolean {
  return one.timestampMs === other.timestampMs
    ? one.sequence < other.sequence
    : one.timestampMs < other.timestampMs;
}

function isConnected({ subject }: IncomingMessage): boolean {
  return subject.endsWith('.connected');
}

function nameOf(outcome: Exclude<Outcome, Retry>, command: ConnectivityCommand): string {
  if (outcome.kind === 'refused') return outcome.code;
  const stale =
    outcome.kind === 'unchanged' &&
    command.type === 'set-version' &&
    command.unlessNewer === true &&
    outcome.versionSinceMs > command.timestampMs;
  return stale ? 'stale' : outcome.kind;
}
