/** The register's address, for people. */
export function addressOf(url: URL): string {
  return url.href.replace(/\/$/, '');
}
