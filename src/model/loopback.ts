/** Whether what is sent to this host stays on this machine. @param host as in a URL, or as it is listened on */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}
