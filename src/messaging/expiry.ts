import type { MessageHead } from '../avro/index.js';

/** Whether nobody waits for what a message wants any more. */
export function isExpired({ timestamp, timeout }: MessageHead): boolean {
  return timeout !== 0 && timestamp + timeout < Date.now();
}
