/** That a port can't be listened on: why (ends in what to do), and the setting that gives another one. */
export function listenFault(host: string, port: number, setting: string, why: string): string {
  const variable = setting.toUpperCase().replaceAll('.', '_');
  return `Can't listen on ${host} port ${port}: ${why}, or set ${setting} (environment: ${variable}) to a free port.`;
}
