import { retry, type Retry } from '../model/outcome.js';
import { StorageUnavailable } from '../storage/index.js';

/** What is answered when a write was given up for this. */
export function retryFor(error: unknown): Retry {
  if (error instanceof StorageUnavailable)
    return retry(
      'storage-unavailable',
      `${error.message} Whether this write was made is not known; it may be sent again.`,
    );
  return retry('internal', 'Something went wrong here; it is logged under the correlation id.');
}
