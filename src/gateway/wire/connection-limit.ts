import type { HttpResponse, TemplatedApp } from 'uWebSockets.js';
import type { Logger } from 'pino';
import { createAtMostEvery } from '../../observability/index.js';

export interface ConnectionLimit {
  /** WebSockets included */
  readonly open: number;
  /** closed at once, since the start, as there were too many */
  readonly refused: number;
  /** To be called when a WebSocket ends: the server tells of the end of other connections only. */
  socketEnded(): void;
}

/** Files for the store, the broker, peers and probes; what is accepted beyond the limit needs one until it is closed. */
const LEAST_RESERVE = 128;
const RESERVED_SHARE = 0.2;
const TELL_EVERY_MS = 60_000;

/**
 * How many connections leave the process enough files. At the limit of the system `accept` fails again and again, which
 * takes a whole processor, and nothing else can be opened.
 */
export function mostConnections(): number {
  const files = openFiles();
  return Math.max(16, files - Math.max(LEAST_RESERVE, Math.ceil(files * RESERVED_SHARE)));
}

/** `ulimit -n`, which Node raises as far as it may when it starts. */
function openFiles(): number {
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft: number | string } } };
  const soft = Number(report.userLimits?.open_files?.soft);
  return Number.isInteger(soft) ? soft : 1_000_000;
}

/** Counts the connections of a server, and closes those above `most` when they are accepted. */
export function limitConnections(app: TemplatedApp, most: number, log: Logger): ConnectionLimit {
  let open = 0;
  let refused = 0;
  const isDue = createAtMostEvery(TELL_EVERY_MS);
  app.filter((response: HttpResponse, change) => {
    open += Number(change);
    if (Number(change) < 0 || open <= most) return;
    refused++;
    if (isDue())
      log.warn(
        { connections: most, refused },
        'more clients connect than server.max-connections: the last ones are closed at once. Look for clients that open connections ' +
          'and do not use them, or raise it, with the limit of open files (ulimit -n) where it comes from that',
      );
    response.close();
  });
  return {
    get open() {
      return open;
    },
    get refused() {
      return refused;
    },
    socketEnded: () => void open--,
  };
}
