import type { Fault } from '../api-types.js';
import { inWords } from '../fault-words.js';
import { usePerson, useSession } from '../session-context.js';

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
      {fault.code === 'forbidden' && <Missing />}
      {fault.status === 401 && <SignInAgain />}
      {again && fault.retryAfterMs !== undefined && <p class="muted">It is tried again by itself.</p>}
      {onRetry !== undefined && (
        <button type="button" class="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** Of a right that is missing: the message says which, this who lacks it and who can help. */
function Missing() {
  const person = usePerson();
  if (person === undefined) return null;
  return (
    <p class="muted">
      You are signed in as <bdi>{person.name}</bdi>. Who looks after the rights of the tenant{' '}
      <bdi>{person.tenant.name}</bdi> can give you this one.
    </p>
  );
}

function SignInAgain() {
  const session = useSession();
  if (session.state.kind !== 'lapsed') return null;
  return (
    <button type="button" class="button" onClick={() => session.reopen()}>
      Sign in
    </button>
  );
}
