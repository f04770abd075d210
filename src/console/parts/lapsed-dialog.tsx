import type { Session, SessionState } from '../sign-in/index.js';
import { Dialog } from './dialog.js';

type Lapsed = Extract<SessionState, { kind: 'lapsed' }>;

/** Over whatever somebody is at, which stays there. */
export function LapsedDialog({ session, state }: { session: Session; state: Lapsed }) {
  const { person, fault } = state;
  return (
    <Dialog title="Your sign-in has ended" onClose={() => session.dismiss()}>
      <p>
        Sign in again as <strong class="data">{person.name}</strong>, in a window beside this page, and go on
        where you were: nothing that you typed is lost, and what you were about to save is saved then.
      </p>
      {fault !== undefined && (
        <div class="note note-fault" role="alert">
          <p>{fault.message}</p>
        </div>
      )}
      <div class="actions">
        <button type="button" class="button" onClick={() => session.dismiss()}>
          Not now
        </button>
        <button
          type="button"
          data-first
          class="button button-primary"
          onClick={() => void session.signInBeside()}
        >
          Sign in
        </button>
      </div>
    </Dialog>
  );
}
