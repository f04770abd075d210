import { type Answer, type Retry, retry } from '../model/outcome.js';
import { StorageUnavailable } from '../storage/index.js';

/** Makes a storage that is away an answer. */
export async function guarded<T>(work: () => Promise<Answer<T>>): Promise<Answer<T>> {
  try {
    return await work();
  } catch (error) {
    return unavailable(error);
  }
}

/** The answer for a storage that is away; throws any other error. */
export function unavailable(error: unknown): Retry {
  if (!(error instanceof StorageUnavailable)) throw error;
  return retry('storage-unavailable', error.message);
}
