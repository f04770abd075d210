import type { Command } from '../../model/command.js';
import { ERRORS, type Refusal, refuse } from '../../model/errors.js';
import { type Outcome, retry, type Retry } from '../../model/outcome.js';
import { parseStrictJson } from '../../model/strict-json.js';
import type { Call, RouteDeps } from '../table/route.js';
import type { Takeover } from '../table/reply.js';
import type { BodyStream } from '../wire/body.js';
import type { Exchange } from '../wire/exchange.js';
import { type Line, LineSplitter } from './line-splitter.js';
import {
  ITEMS_IN_FLIGHT,
  changeKeys,
  idOf,
  readMetadataItem,
  resultJson,
  refuseItems,
  submitItem,
} from './metadata-items.js';
import { readPlainItem } from './plain-item.js';

const NOTHING: readonly string[] = [];
const OUTPUT_BYTES = 64 * 1024;
const PROBE_MS = 20;
const STOPPING = refuse(
  'stopping',
  'The service is stopping: the lines that have no result before this one were not read. Send them again shortly.',
);
/** a client that takes nothing for so long is taken for dead */
const PATIENCE_MS = 60_000;

/**
 * A metadata batch as lines: items are carried out as they come and their results written in the same order. At most
 * {@link ITEMS_IN_FLIGHT} lines are under way; more are not read, and neither while the client does not take results.
 * A client that goes away is read no further; what was begun is carried out. A service that stops takes no further line:
 * after the results of those taken, a last one says so, and the answer ends.
 */
export function streamMetadataLines(call: Call, body: BodyStream, deps: RouteDeps): Takeover {
  return {
    kind: 'takeover',
    begin(exchange) {
      new MetadataLines(exchange, call, body, deps).begin();
    },
  };
}

interface Slot {
  endpointId: string | null;
  /** number of the line of the request, from 1; absent: it is of no line */
  line?: number;
  /** its result, when it is there */
  text: string | undefined;
}

class MetadataLines {
  readonly #splitter: LineSplitter;
  readonly #nesting: number;
  /** results to be written, in the order of their lines; those before `#head` are written */
  #slots: Slot[] = [];
  #lines = 0;
  #head = 0;
  /** granted or not is asked for the lines of one chunk at a time */
  #asking: { command: Command; slot: Slot }[] = [];
  #decided: Promise<void> = Promise.resolve();
  #chunkRead = true;
  /** no further line is taken: all were read, or the service stops */
  #inputEnded = false;
  #forget: () => void = () => undefined;
  #blocked = false;
  #flushing = false;

  constructor(
    private readonly exchange: Exchange,
    private readonly call: Call,
    private readonly body: BodyStream,
    private readonly deps: RouteDeps,
  ) {
    const limits = deps.limits();
    this.#splitter = new LineSplitter(limits.ndjsonLineBytes);
    this.#nesting = limits.nesting + 2;
  }

  begin(): void {
    this.exchange.start(200, [['Content-Type', 'application/x-ndjson']]);
    this.#forget = this.deps.streams.add(() => this.#stop());
    this.exchange.onGone = this.#forget;
    this.body.listen({
      onChunk: (chunk) => {
        if (this.#inputEnded) return true;
        this.#splitter.push(chunk);
        this.#chunkRead = false;
        this.#read();
        return this.#chunkRead;
      },
      onEnd: () => {
        if (this.#inputEnded) return;
        this.#inputEnded = true;
        const line = this.#splitter.last();
        if (line !== undefined) this.#take(line);
        this.#ask();
        this.#flushSoon();
      },
    });
  }

  #stop(): void {
    if (this.#inputEnded) return;
    this.#inputEnded = true;
    this.#slots.push({ endpointId: null, text: resultJson(null, STOPPING) });
    this.#flushSoon();
  }

  #full(): boolean {
    return this.#blocked || this.#slots.length - this.#head >= ITEMS_IN_FLIGHT;
  }

  #read(): void {
    while (this.exchange.open && !this.#full()) {
      const line = this.#splitter.next();
      if (line === undefined) {
        this.#chunkRead = true;
        break;
      }
      this.#take(line);
    }
    this.#ask();
  }

  #take(line: Line): void {
    const slot: Slot = { endpointId: null, line: ++this.#lines, text: undefined };
    this.#slots.push(slot);
    const command = this.#parse(line, slot);
    if ('kind' in command) this.#settle(slot, command);
    else if (this.deps.access.authenticates) this.#asking.push({ command, slot });
    else this.#submit(command, undefined, slot);
  }

  #parse(line: Line, slot: Slot): Command | Refusal {
    if (line === 'too-long') {
      return refuse(
        'body-too-large',
        `The line is longer than the ${this.deps.limits().ndjsonLineBytes} bytes that are allowed; it was passed over.`,
      );
    }
    const plain = readPlainItem(line, this.#nesting);
    if (plain !== undefined) {
      slot.endpointId = plain.endpointId;
      return changeKeys(plain.endpointId, plain.setText, NOTHING, this.call, Date.now());
    }
    const parsed = parseStrictJson(line, this.#nesting);
    if (!parsed.ok) {
      const { code, message, path } = parsed;
      return refuse(code, message, path === undefined ? [] : [{ path, message }]);
    }
    slot.endpointId = idOf(parsed.value);
    return readMetadataItem(parsed.value, this.call, Date.now());
  }

  #ask(): void {
    if (this.#asking.length === 0) return;
    const asked = this.#asking;
    this.#asking = [];
    // one chunk after the other, so that items on one endpoint keep their order
    this.#decided = this.#decided.then(async () => {
      let refused: readonly (Refusal | Retry | undefined)[];
      try {
        refused = await refuseItems(
          this.call,
          asked.map(({ command }) => command),
          this.deps,
        );
      } catch (error) {
        this.deps.log.error(
          { err: error, correlationId: this.call.context.correlationId },
          'a decision failed',
        );
        refused = asked.map(() => retry('internal', ERRORS.internal[1]));
      }
      asked.forEach(({ command, slot }, i) => this.#submit(command, refused[i], slot));
    });
  }

  #submit(command: Command, refused: Refusal | Retry | undefined, slot: Slot): void {
    submitItem(command, refused, this.deps, (outcome) => this.#settle(slot, outcome));
  }

  #settle(slot: Slot, outcome: Outcome): void {
    slot.text = resultJson(slot.endpointId, outcome, slot.line);
    if (slot === this.#slots[this.#head]) this.#flushSoon();
  }

  /** Results that come in one go are written in one go. */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#blocked || !this.exchange.open) return;
    const output = this.#takeResults(OUTPUT_BYTES);
    if (output !== '' && !this.exchange.write(output)) return this.#block();
    if (this.#slots[this.#head]?.text !== undefined) this.#flushSoon();
    this.#goOn();
  }

  /** Results that are there, in order, until they have so many characters. */
  #takeResults(characters: number): string {
    let output = '';
    while (this.#head < this.#slots.length && output.length < characters) {
      const { text } = this.#slots[this.#head]!;
      if (text === undefined) break;
      output += `${text}\n`;
      this.#head++;
    }
    if (this.#head > ITEMS_IN_FLIGHT) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
    return output;
  }

  /**
   * The client takes no more for now. uWebSockets.js does not say when a connection that is not read is writable again,
   * so that a small write now and then finds out: a result, or a space, which JSON allows before the next one.
   */
  #block(): void {
    this.#blocked = true;
    this.body.hold();
    const since = performance.now();
    const probe = (): void => {
      if (!this.exchange.open) return;
      if (this.#inputEnded && this.#head === this.#slots.length) return this.#finish();
      const taken = this.exchange.write(this.#takeResults(1) || ' ');
      this.body.hold();
      if (taken) {
        this.#blocked = false;
        this.#flushSoon();
      } else if (performance.now() - since > PATIENCE_MS) this.exchange.destroy();
      else setTimeout(probe, PROBE_MS);
    };
    setTimeout(probe, PROBE_MS);
  }

  #goOn(): void {
    if (this.#inputEnded) {
      if (this.#head === this.#slots.length) this.#finish();
      return;
    }
    // half empty first, so that lines are carried out by the many
    if (this.#slots.length - this.#head > ITEMS_IN_FLIGHT / 2) return;
    if (!this.#chunkRead) this.#read();
    if (this.#chunkRead) this.body.resume();
  }

  #finish(): void {
    this.#forget();
    // what may still come is read and dropped: a connection that is closed with bytes unread is reset
    this.body.resume();
    this.exchange.finish();
  }
}
