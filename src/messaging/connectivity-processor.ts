import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type ConnectivityReport, readConnectivity } from '../avro/index.js';
import type { Catalogue } from '../model/catalogue.js';
import type { Command } from '../model/command.js';
import type { Outcome, Retry } from '../model/outcome.js';
import type { ConnectivityMetrics } from './connectivity-metrics.js';
import {
  type ConnectivityCommand,
  createConnectivityTasks,
  nameOf,
  type TaskFault,
} from './connectivity-tasks.js';
import { MAX_CORRELATION_ID } from './correlation-id.js';
import { isExpired } from './expiry.js';
import type { ProcessDeaths } from './process-deaths.js';
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
  /** when it came to the stream, or, where there is none, here; the same each time that it is given. Unix ms, fractions too. */
  arrivedMs: number;
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
  /** Messages are of this stream from now on: places in another one say nothing of theirs. */
  from(stream: string): void;
  take(message: IncomingMessage): void;
  /** There was no room for one, and nobody keeps it. */
  dropped(): void;
  /** messages taken and not yet answered for */
  inFlight(): number;
  /** of those */
  bytesInFlight(): number;
  /** what waits though it is of no use, and why; undefined: nothing */
  problem(): string | undefined;
  /** tells the broker of the messages that take long; to be called well within its time limit */
  extendAll(): void;
  /** Gives nothing more to the register; resolves when what was given is answered. The rest is left to be given again. */
  stop(): Promise<void>;
}

export interface ConnectivityProcessorDeps {
  submit: (commands: Command[]) => Promise<readonly Outcome[]>;
  /** what `submit` would answer, where that is known without waiting; absent: never */
  answerNow?: (command: Command) => Exclude<Outcome, Retry> | undefined;
  catalogue: () => Catalogue;
  metrics: ConnectivityMetrics;
  unusable: UnusableMessages;
  /** absent: no message is worked on alone */
  deaths?: Pick<ProcessDeaths, 'isSuspect' | 'enter' | 'leave'>;
  sparing: SparingLog;
  /** whether metadata of endpoints says if they are connected; otherwise only `connected` messages mean something */
  keepsMetadata: boolean;
  maxCommands: number;
  /** A message that comes while so many bytes are in flight is given back, where there is a stream in which it waits. */
  maxBytes: number;
}

/** A message whose endpoints are being seen to. */
interface Opened {
  incoming: IncomingMessage;
  report: ConnectivityReport;
  /** undefined where there is no stream */
  place: Place | undefined;
  /** how many of its endpoints were looked at */
  seen: number;
  /** commands of it that are not finished */
  left: number;
  fault?: TaskFault;
}

/** Where a message is among those of its endpoint: by its time where that decides, then in the stream. */
interface Place {
  timestampMs: number;
  sequence: number;
}

/** Endpoints and messages looked at in one turn of the event loop: some ten milliseconds. */
const SEEN_A_TURN = 4_000;
const REMEMBERED = 100_000;
const POSTPONE_MS = 500;
/** A message is of no use when one of its commands fails each of so many times it is given, while others go through. */
const MOST_DELIVERIES = 4;
/** So often the process may end over one that is worked on alone. */
const MOST_DEATHS = 3;

/**
 * Turns messages into commands and acknowledges a message when every one of its commands has come to something. Two
 * messages about one endpoint take effect in the order of the stream: an endpoint has one command under way, later ones
 * wait; what must be tried again is tried here, not given back, however long it takes: but for what may never work (it
 * kills each thread that computes it), which is given back a few times, and then is a dead letter. A message that the broker gives a second time (its
 * acknowledgement was lost, or we died, or it did) must not undo a later one: the last place in the stream that each endpoint was
 * given is remembered for the 100,000 latest, and what is older is `stale`; so is what came to the stream before the
 * endpoint had its present version, which holds over a restart, whatever the clocks of senders say. With the metadata kept, times decide, and the stream
 * where they are equal: what is older than the stored time changes nothing, given again or not, and what another replica
 * was given first, and did not do, is done, though later messages were. Replicas that share a consumer have no order of the
 * stream between them.
 *
 * Most endpoints report the version that they have: where the register can tell that at once, no command is made of it.
 * Messages are read as they come, while there is room for their commands; of what waits only the bytes are kept.
 */
export function createConnectivityProcessor(deps: ConnectivityProcessorDeps): ConnectivityProcessor {
  const { submit, answerNow, catalogue, metrics, unusable, deaths, sparing, keepsMetadata } = deps;
  const { maxCommands, maxBytes } = deps;
  let arrived: IncomingMessage[] = [];
  /** how many of them were opened */
  let opened = 0;
  let reading: Opened | undefined;
  /** they wait until nothing else is under way, and then nothing else is begun */
  let suspects: IncomingMessage[] = [];
  let alone: IncomingMessage | undefined;
  /** what was not done at once: of that the broker has to be told */
  const open = new Set<Pick<Opened, 'incoming'>>();
  const openSequences = new Set<number>();
  let stream: string | undefined;
  const newest = new LRUCache<string, Place>({ max: REMEMBERED });
  let bytes = 0;
  let seenInTurn = 0;
  let scheduled = false;
  let stopped = false;

  const schedule = () => {
    if (scheduled || stopped) return;
    scheduled = true;
    setImmediate(drain);
  };

  const tasks = createConnectivityTasks<Opened>({
    submit,
    metrics,
    sparing,
    maxCommands,
    schedule,
    finished(message, fault) {
      if (fault !== undefined) message.fault ??= fault;
      if (--message.left === 0 && message !== reading) end(message);
    },
  });

  const drain = () => {
    scheduled = false;
    seenInTurn = 0;
    if (stopped) return;
    readSome();
    tasks.give();
    if (suspects.length > 0 && alone === undefined && reading === undefined && open.size === 0)
      void seeToOne(suspects.shift()!);
    if (mayRead()) schedule();
  };

  const hasRoom = () => tasks.count < 2 * maxCommands;
  const mayBegin = () => suspects.length === 0 && alone === undefined && opened < arrived.length;
  const mayRead = () => (reading !== undefined || mayBegin()) && hasRoom();

  const readSome = () => {
    while (seenInTurn < SEEN_A_TURN && mayRead()) {
      seenInTurn++;
      const message = reading ?? openNext();
      if (message === undefined) continue;
      const { length } = message.report.endpointIds;
      for (; message.seen < length && seenInTurn < SEEN_A_TURN && hasRoom(); seenInTurn++)
        see(message, message.seen++);
      reading = message.seen < length ? message : undefined;
      if (reading === undefined && message.left === 0) end(message);
      else remember(message);
    }
  };

  const openNext = (): Opened | undefined => {
    const incoming = arrived[opened++]!;
    if (opened === arrived.length) {
      arrived = [];
      opened = 0;
    }
    return openOne(incoming);
  };

  /** The process may end over it. */
  const seeToOne = async (incoming: IncomingMessage) => {
    alone = incoming;
    const message = { incoming };
    remember(message);
    try {
      const before = await deaths!.enter(incoming);
      if (stopped) return;
      if (before >= MOST_DEATHS) {
        const error = `The process ended each of ${before} times that it was worked on, with nothing else beside it.`;
        await unusable.put(incoming, error, 'fatal');
        forget(message);
      } else {
        // its bytes count on
        open.delete(message);
        reading = openOne(incoming);
      }
    } catch {
      // the storage is away
      incoming.giveBack(POSTPONE_MS);
      forget(message);
    }
    schedule();
  };

  /** Undefined: it is answered for, or will be. */
  const openOne = (incoming: IncomingMessage): Opened | undefined => {
    if (!isConnected(incoming) && !(keepsMetadata && incoming.subject.endsWith('.disconnected'))) {
      metrics.message('ignored');
      settle(incoming);
      incoming.acknowledge();
      return undefined;
    }
    let report: ConnectivityReport;
    try {
      report = readConnectivity(incoming.data);
      bound(report, incoming);
    } catch (error) {
      const message = { incoming };
      remember(message);
      void unusable.put(incoming, (error as Error).message, 'undecodable').then(() => forget(message));
      return undefined;
    }
    if (isExpired(report)) {
      metrics.message('expired');
      settle(incoming);
      incoming.acknowledge();
      return undefined;
    }
    const { sequence } = incoming;
    const timestampMs = keepsMetadata ? report.timestamp : 0;
    const place = sequence === undefined ? undefined : { timestampMs, sequence };
    return { incoming, report, place, seen: 0, left: 0 };
  };

  const see = (message: Opened, i: number) => {
    const { incoming, report, place } = message;
    const endpointId = report.endpointIds[i]!;
    const version = catalogue().version(report.versionNames[i]!);
    const known = newest.get(endpointId);
    const isOlder = place !== undefined && known !== undefined && isBefore(place, known);
    // one that comes late, but for the first time, is for the register to judge
    const stale = isOlder && place.sequence < known.sequence;
    if (stale || version === undefined) {
      metrics.endpoint(stale ? 'stale' : 'application-version-not-found');
      return;
    }
    if (place !== undefined && !isOlder) {
      // written into the one that is kept: a new one for each event would outlive the young garbage
      if (known === undefined) newest.set(endpointId, { ...place });
      else {
        known.timestampMs = place.timestampMs;
        known.sequence = place.sequence;
      }
    }
    const { correlationId, timestamp: timestampMs } = report;
    const head = { endpointId, version, correlationId, timestampMs };
    const command: ConnectivityCommand = keepsMetadata
      ? { type: 'set-connectivity', connected: isConnected(incoming), ...head }
      : { type: 'set-version', sinceMs: incoming.arrivedMs, ...head };
    if (incoming.mayBeRepeat) command.unlessNewer = true;
    const outcome = tasks.has(endpointId) ? undefined : answerNow?.(command);
    if (outcome === undefined) {
      message.left++;
      tasks.add(command, message);
    } else metrics.endpoint(nameOf(outcome, command));
  };

  /** Each of its commands has come to something. */
  const end = (message: Opened) => {
    if (message.fault !== undefined) return void leave(message, message.fault);
    forget(message);
    metrics.message('done');
    message.incoming.acknowledge();
  };

  /** All but what can not be computed is done. */
  const leave = async (message: Opened, { command, text }: TaskFault) => {
    const { incoming } = message;
    const { deliveries } = incoming;
    if (deliveries >= MOST_DELIVERIES && (await worksOtherwise(command))) {
      const error = `Of endpoint ${command.endpointId}: ${text} Given ${deliveries} times.`;
      await unusable.put(incoming, error, 'fatal');
    } else incoming.giveBack(againAfterMs(deliveries));
    forget(message);
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

  const remember = (message: Pick<Opened, 'incoming'>) => {
    open.add(message);
    if (message.incoming.sequence !== undefined) openSequences.add(message.incoming.sequence);
  };

  const forget = (message: Pick<Opened, 'incoming'>) => {
    const { sequence } = message.incoming;
    if (open.delete(message) && sequence !== undefined) openSequences.delete(sequence);
    settle(message.incoming);
  };

  /** It has come to something. */
  const settle = (incoming: IncomingMessage) => {
    bytes -= incoming.data.length;
    if (incoming !== alone) return;
    openSequences.delete(incoming.sequence!);
    void deaths!.leave(incoming).then(() => {
      alone = undefined;
      schedule();
    });
  };

  return {
    from(other) {
      if (other === stream) return;
      stream = other;
      newest.clear();
      openSequences.clear();
    },
    take(incoming) {
      if (stopped || (incoming.sequence !== undefined && openSequences.has(incoming.sequence))) return;
      if (bytes >= maxBytes && incoming.sequence !== undefined) {
        metrics.message('postponed');
        incoming.giveBack(POSTPONE_MS);
        return;
      }
      bytes += incoming.data.length;
      if (deaths?.isSuspect(incoming) === true) {
        suspects.push(incoming);
        return schedule();
      }
      arrived.push(incoming);
      schedule();
      // not later in the turn: what lives longer costs the collector of garbage a fifth of all
      readSome();
    },
    dropped: () => metrics.message('dropped'),
    inFlight: () => open.size + arrived.length - opened + suspects.length,
    bytesInFlight: () => bytes,
    problem() {
      const problem = unusable.problem();
      return problem === undefined ? undefined : `${unusable.held()} dead letters wait: ${problem}`;
    },
    extendAll() {
      for (const { incoming } of open) incoming.extend();
      for (const incoming of [...arrived.slice(opened), ...suspects]) incoming.extend();
    },
    async stop() {
      stopped = true;
      suspects = [];
      await tasks.stop();
      // a stop is no death
      if (alone !== undefined) await deaths!.leave(alone);
    },
  };
}

/** Nothing happened later than the message came: what says so would go before all that comes until then. */
function bound(report: ConnectivityReport, { arrivedMs }: IncomingMessage): void {
  report.timestamp = Math.max(0, Math.min(report.timestamp, Math.floor(arrivedMs)));
  if (report.correlationId.length > MAX_CORRELATION_ID)
    report.correlationId = report.correlationId.slice(0, MAX_CORRELATION_ID);
}

function isBefore(one: Place, other: Place): boolean {
  return one.timestampMs === other.timestampMs
    ? one.sequence < other.sequence
    : one.timestampMs < other.timestampMs;
}

function isConnected({ subject }: IncomingMessage): boolean {
  return subject.endsWith('.connected');
}
