import uWS, { type TemplatedApp, type us_listen_socket } from 'uWebSockets.js';

export interface Listening {
  port: number;
  /** takes no more connections; those that are open go on */
  stopListening(): void;
}

/** Listens, or rejects with what to do about it. `setting` names the setting of the port. */
export function listen(app: TemplatedApp, host: string, port: number, setting: string): Promise<Listening> {
  return new Promise((resolve, reject) => {
    app.listen(host, port, (socket: us_listen_socket | false) => {
      if (socket === false) {
        const variable = setting.toUpperCase().replaceAll('.', '_');
        reject(
          new Error(
            `Can't listen on ${host} port ${port}: another program has the port, or the address is not one of this machine. ` +
              `End that program, or set ${setting} (environment: ${variable}) to a free port.`,
          ),
        );
        return;
      }
      resolve({
        port: uWS.us_socket_local_port(socket),
        stopListening: () => uWS.us_listen_socket_close(socket),
      });
    });
  });
}
