import type { Progress } from '../progress-view.js';
import { grouped } from '../text.js';
import type { ImportState } from './run-import.js';

/** An import's state for a display. */
export function progressOf(state: ImportState): Progress {
  const { counts, doneLine, openedLine, startLine, readBytes, totalBytes, waitingFor } = state;
  // what was read and is still on the way counts as not done
  const fraction =
    totalBytes === undefined || openedLine === 0
      ? undefined
      : (readBytes / totalBytes) * (doneLine / openedLine);
  return {
    done: doneLine,
    what: 'lines',
    before: startLine,
    fraction,
    notes: [`${grouped(counts.failed)} failed`],
    waitingFor,
  };
}
