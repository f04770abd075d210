import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { listenFault } from './listen-fault.js';
import { uWS } from './wire/server.js';

export interface Listening {
  port: number;
  /** takes no more connections; those that are open go on */
  stopListening(): void;
}

/** `LIBUS_LISTEN_EXCLUSIVE_PORT` */
const EXCLUSIVE_PORT = 1;

/** Taken by the library, and missing in its types. */
type ListenExclusively = (
  host: string,
  port: number,
  options: number,
  done: (socket: us_listen_socket | false) => void,
) => unknown;

/** Listens, or rejects with what to do about it. `setting` names the setting of the port. */
export function listen(app: TemplatedApp, host: string, port: number, setting: string): Promise<Listening> {
  return new Promise((resolve, reject) => {
    // uSockets shares ports by default: two registers would take turns at the connections of one
    const exclusive = app.listen.bind(app) as unknown as ListenExclusively;
    exclusive(host, port, EXCLUSIVE_PORT, (socket) => {
      if (socket === false) {
        const why =
          'another program has the port, or the address is not one of this machine. End that program';
        reject(new Error(listenFault(host, port, setting, why)));
        return;
      }
      resolve({
        port: uWS.us_socket_local_port(socket),
        stopListening: () => uWS.us_listen_socket_close(socket),
      });
    });
  });
}
