import type { ExchangeCodec, MessageHead } from '../../avro/index.js';
import { type ErrorCode, refuse, statusOf } from '../../model/errors.js';
import type { Answer } from '../../model/outcome.js';
import type { Register } from '../../register/index.js';

/** What served requests are answered with. */
export interface ServedDeps {
  register: Pick<Register, 'endpoints' | 'relations'>;
  /** those of REST; read for each request, so that a change is taken up at once */
  limits: () => { nesting: number; bodyBytes: number };
}

/** What a request is handled with. */
export interface Surroundings extends ServedDeps {
  /** Unix ms */
  receivedMs: number;
  /** that an answer may have, head included */
  maxBytes: number;
}

/** Characters of what names a request, where the whole does not fit. */
const MAX_ECHO = 256;
/** and of a reason, where not even the head of the request fits into an answer */
const MAX_CUT_REASON = 500;

type Refused = Exclude<Answer<unknown>, { kind: 'ok' }>;

export type Protocol = 'epmmp' | 'efmp' | 'eprmp';

/** One row of the table of requests. `Request` and `Response` are the fields behind the head, and before the status. */
interface Definition<Request, Response> {
  protocol: Protocol;
  /** the last token of its subject */
  name: string;
  codec: ExchangeCodec<Request, Response>;
  writes: boolean;
  /** how many requests it is worth: of a batch, its commands; 1 when absent */
  weight?(request: Request): number;
  /**
   * Carries it out. Writes are given to the register before anything is waited for, so that they take effect in the
   * order in which they came.
   */
  handle(
    request: MessageHead & Request,
    surroundings: Surroundings,
  ): Answer<Response> | Promise<Answer<Response>>;
  /** what a refusal carries: what names the request, and nothing else */
  echo: (request: Request) => Response;
  /** how much there is in an answer that does not fit: `1200 metadata keys` */
  amount: (response: Response) => string;
}

/** A request that is served, whatever its records are. */
export interface ServedRequest {
  readonly protocol: Protocol;
  readonly name: string;
  readonly writes: boolean;
  /** Throws AvroDecodeError. */
  open(payload: Uint8Array): OpenRequest;
}

export interface OpenRequest {
  readonly head: MessageHead;
  readonly weight: number;
  /** Carries it out; answers what to answer. */
  handle(surroundings: Surroundings): Promise<Encode>;
  /** The same, when it is not carried out. */
  refuse(code: ErrorCode, message?: string): Encode;
}

/**
 * Writes the response, or, where it does not fit, one that says so, with what names the request cut as far as needed.
 * Undefined: not even that fits.
 */
export type Encode = (maxBytes: number) => EncodedAnswer | undefined;

export interface EncodedAnswer {
  status: number;
  bytes: Uint8Array;
}

export function defineRequest<Request, Response>(definition: Definition<Request, Response>): ServedRequest {
  const { protocol, name, writes, codec } = definition;
  return {
    protocol,
    name,
    writes,
    open(payload) {
      const request = codec.request.decode(payload);
      const encode = (answer: Answer<Response>): Encode => {
        return (maxBytes) => encodeAnswer(definition, request, answer, maxBytes);
      };
      return {
        head: request,
        weight: definition.weight?.(request) ?? 1,
        handle: async (surroundings) => encode(await definition.handle(request, surroundings)),
        refuse: (code, message) => encode(refuse(code, message)),
      };
    },
  };
}

function encodeAnswer<Request, Response>(
  { codec, echo, amount }: Definition<Request, Response>,
  request: MessageHead & Request,
  answer: Answer<Response>,
  maxBytes: number,
): EncodedAnswer | undefined {
  const timestamp = Date.now();
  const write = (
    fields: Response,
    statusCode: number,
    reasonPhrase: string | null,
    correlationId = request.correlationId,
  ): EncodedAnswer => ({
    status: statusCode,
    bytes: codec.response.encode({
      correlationId,
      timestamp,
      timeout: 0,
      ...fields,
      statusCode,
      reasonPhrase,
    }),
  });
  const refused = (fields: Response, { code, message }: Refused, correlationId?: string) =>
    write(fields, statusOf(code), message, correlationId);
  const first = answer.kind === 'ok' ? write(answer.value, 200, null) : refused(echo(request), answer);
  if (first.bytes.length <= maxBytes) return first;
  const tooLarge = answer.kind === 'ok' ? tooLargeFor(maxBytes, amount(answer.value)) : answer;
  const named = shortened(echo(request), MAX_ECHO);
  const cut = cutFor(maxBytes, tooLarge.message);
  const smaller = [
    () => refused(echo(request), tooLarge),
    () => refused(named, tooLarge),
    () => refused(named, cut, request.correlationId.slice(0, MAX_ECHO)),
    () => refused(named, cut, ''),
    () => refused(shortened(named, 0), refuse('answer-too-large', ''), ''),
  ];
  for (const make of smaller) {
    const short = make();
    if (short.bytes.length <= maxBytes) return short;
  }
  return undefined;
}

function cutFor(maxBytes: number, reason: string) {
  const text = `With the correlationId of the request, which is cut here, the answer does not fit into one NATS message (max_payload, ${maxBytes} bytes). ${reason}`;
  return refuse('answer-too-large', text.slice(0, MAX_CUT_REASON));
}

export function tooLargeFor(maxBytes: number, amount: string) {
  return refuse(
    'answer-too-large',
    `There are ${amount}: more than fits into one NATS message (max_payload, ${maxBytes} bytes). Ask over REST, or for less.`,
  );
}

/** Without what a request may have made long. */
function shortened<T>(fields: T, maxEcho: number): T {
  const short = Object.entries(fields as Record<string, unknown>).map(([name, value]) => [
    name,
    Array.isArray(value) ? [] : typeof value === 'string' ? value.slice(0, maxEcho) : value,
  ]);
  return Object.fromEntries(short) as T;
}

/** For the amounts of answers: `1 endpoint`, `1200 endpoints`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
