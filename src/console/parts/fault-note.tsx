import type { Fault } from '../api-types.js';
import { inWords } from '../fault-words.js';

interface FaultNoteProps {
  fault: Fault;
  onRetry?: (() => void) | undefined;
  /** it was a reading, which is asked for again by itself; a write is not */
  again?: boolean;
}

/** Says what the service refused, with its code, and what is wrong where. */
export function FaultNote({ fault, onRetry, again = onRetry !== undefined }: FaultNoteProps) {
  // one that the message says already is not said again
  const details = fault.details.filter(({ message }) => !fault.message.includes(message.replace(/\.$/, '')));
  return (
    <div class="note note-fault" role="alert">
      <p>
        {inWords(fault.message)} <code class="code">{fault.code}</code>
      </p>
      {details.length > 0 && (
        <ul>
          {details.map(({ path, message }) => (
            <li key={path + message}>
              {path !== '' && <code>{path}</code>} {inWords(message)}
            </li>
          ))}
        </ul>
      )}
      {again && fault.retryAfterMs !== undefined && <p class="muted">It is tried again by itself.</p>}
      {onRetry !== undefined && (
        <button type="button" class="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
