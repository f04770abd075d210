import { createRequire } from 'node:module';
import type { Socket } from 'node:net';

/** What is used here of the driver's own connection, which it does not export. */
interface DriverConnection {
  closed: boolean;
  socket: Socket;
  cleanup: (this: DriverConnection, error: Error) => void;
}

/**
 * Mends a fault of the driver (7.9.0, `Connection.writeCommand`): a command that is larger than the socket's buffer waits
 * for `drain` or an error, and a connection that is given up meanwhile, as when the server stands still or its host is gone,
 * closes its socket without either. Such a command would wait for ever, and with it whoever waits for its answer. Here each
 * connection that is cleaned up tells its socket's listeners why.
 *
 * The driver's `timeoutMS` would end the wait, too, but bounds scans of any length, and takes `wtimeoutMS` out of writes.
 *
 * @returns a note, where the driver is another one than this is for
 */
export function endWaitingWrites(): string | undefined {
  const prototype = prototypeOf();
  if (typeof prototype?.cleanup !== 'function')
    return 'This version of the driver is not known: a write to a server that stands still may wait for ever.';
  const { cleanup } = prototype;
  if (mended.has(cleanup)) return undefined;
  prototype.cleanup = function (error) {
    const wasOpen = !this.closed;
    cleanup.call(this, error);
    if (wasOpen) this.socket.emit('error', error);
  };
  mended.add(prototype.cleanup);
  return undefined;
}

const mended = new WeakSet<DriverConnection['cleanup']>();

function prototypeOf(): DriverConnection | undefined {
  try {
    const driver = createRequire(import.meta.url)('mongodb/lib/cmap/connection.js') as {
      Connection?: { prototype: DriverConnection };
    };
    return driver.Connection?.prototype;
  } catch {
    return undefined;
  }
}
