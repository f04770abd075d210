import { ErrorCode, millis, type NatsConnection, NatsError } from 'nats';

/** An answer of JetStream's API. `off`: no JetStream here; `away`: nothing is known, ask again; `denied`: we may not ask. */
export type ApiAnswer<T> =
  | { kind: 'ok'; value: T }
  | { kind: 'off' }
  | { kind: 'away' | 'denied'; message: string }
  | { kind: 'error'; code: number; message: string };

/** What we read of a stream's configuration. */
export interface StreamConfig {
  name: string;
  subjects?: readonly string[];
  no_ack?: boolean;
  storage?: 'file' | 'memory';
  num_replicas?: number;
  /** `async`: acknowledged before it is written; since NATS 2.12 */
  persist_mode?: string;
}

export interface StreamFound extends StreamConfig {
  /** the sequence of its newest message now; 0: it never had one */
  lastSequence: number;
  /** when it was made: another one of the same name has another */
  created: string;
}

interface ApiResponse {
  error?: { code: number; err_code?: number; description?: string };
}

const NOT_ENABLED = [10039, 10076];
const UNAVAILABLE = [10008, 10009];

/** One request to `$JS.API.<name>`. Never rejects. Waits up to 5 s. */
export async function askJetStream<T>(
  connection: NatsConnection,
  name: string,
  body: object,
): Promise<ApiAnswer<T>> {
  try {
    const message = await connection.request(`$JS.API.${name}`, JSON.stringify(body), { timeout: 5_000 });
    const value = message.json<T & ApiResponse>();
    if (value.error === undefined) return { kind: 'ok', value };
    const { err_code: code = 0, description = 'unknown' } = value.error;
    if (NOT_ENABLED.includes(code)) return { kind: 'off' };
    if (UNAVAILABLE.includes(code)) return { kind: 'away', message: description };
    return { kind: 'error', code, message: description };
  } catch (error) {
    const code = error instanceof NatsError ? (error.code as ErrorCode) : undefined;
    if (code === ErrorCode.NoResponders) return { kind: 'off' };
    const message = (error as Error).message;
    return { kind: code === ErrorCode.PermissionsViolation ? 'denied' : 'away', message };
  }
}

interface StreamPage {
  total: number;
  streams: { config: StreamConfig; created: string; state: { last_seq: number } }[] | null;
}

/** The streams whose subjects have something in common with a subject or pattern. */
export async function streamsOver(
  connection: NatsConnection,
  subject: string,
): Promise<ApiAnswer<StreamFound[]>> {
  const found: StreamFound[] = [];
  for (;;) {
    const answer = await askJetStream<StreamPage>(connection, 'STREAM.LIST', {
      subject,
      offset: found.length,
    });
    if (answer.kind !== 'ok') return answer;
    const page = answer.value.streams ?? [];
    for (const { config, created, state } of page)
      found.push({ ...config, created, lastSequence: state.last_seq });
    if (page.length === 0 || found.length >= answer.value.total) return { kind: 'ok', value: found };
  }
}

/** What a stream still has, and knows of what it had. */
export interface StreamMemory {
  /** of its oldest message, or of the next one */
  firstSeq: number;
  /** how long it knows `Nats-Msg-Id`s */
  duplicateWindowMs: number;
}

/** Undefined: it can't be asked. */
export async function memoryOf(
  connection: NatsConnection | undefined,
  stream: string,
): Promise<StreamMemory | undefined> {
  if (connection === undefined) return undefined;
  const info = await askJetStream<{ config: { duplicate_window: number }; state: { first_seq: number } }>(
    connection,
    `STREAM.INFO.${stream}`,
    {},
  );
  if (info.kind !== 'ok') return undefined;
  const { config, state } = info.value;
  return { firstSeq: state.first_seq, duplicateWindowMs: millis(config.duplicate_window) };
}
