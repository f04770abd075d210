import { closeSync, openSync, writeSync } from 'node:fs';

export interface TokensFile {
  add(this: void, endpointId: string, token: string): void;
  close(): void;
}

/**
 * Keeps the tokens that the register makes, one `{endpointId, endpointToken}` a line: they are told
 * by the status of the batch until its task expires, and kept as a hash only afterwards. Added to what the file holds; readable by its owner only.
 */
export function openTokensFile(path: string | undefined): TokensFile {
  if (path === undefined) return { add: () => undefined, close: () => undefined };
  const fd = openSync(path, 'a', 0o600);
  return {
    add: (endpointId, endpointToken) =>
      void writeSync(fd, `${JSON.stringify({ endpointId, endpointToken })}\n`),
    close: () => closeSync(fd),
  };
}
