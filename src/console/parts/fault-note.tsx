import type { Fault } from '../api-types.js';

/** Says what the service refused, with its code, and what is wrong where. */
export function FaultNote({ fault, onRetry }: { fault: Fault; onRetry?: (() => void) | undefined }) {
  return (
    <div class="note note-fault" role="alert">
      <p>
        {fault.message} <code class="code">{fault.code}</code>
      </p>
      {fault.details.length > 0 && (
        <ul>
          {fault.details.map(({ path, message }) => (
            <li key={path + message}>
              {path !== '' && <code>{path}</code>} {message}
            </li>
          ))}
        </ul>
      )}
      {fault.retryAfterMs !== undefined && <p class="muted">It is tried again by itself.</p>}
      {onRetry !== undefined && (
        <button type="button" class="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
