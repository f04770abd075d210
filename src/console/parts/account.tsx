import { useState } from 'preact/hooks';
import { useSession } from '../session-context.js';

/** Who is signed in, and the way out. Nothing where nobody is asked. */
export function Account() {
  const session = useSession();
  const { state } = session;
  const [leaving, setLeaving] = useState(false);
  if (state.kind === 'lapsed' && state.dismissed)
    return (
      <button type="button" class="button button-small button-primary" onClick={() => session.reopen()}>
        Sign in
      </button>
    );
  if (state.kind !== 'in') return null;
  const { name, tenant } = state.person;
  return (
    <span class="account">
      <span class="account-name wide-only" title={`Tenant ${tenant.name}`}>
        <span class="visually-hidden">Signed in as </span>
        <bdi>{name}</bdi>
      </span>
      <button
        type="button"
        class="button button-small"
        aria-label={`Sign out ${name}`}
        disabled={leaving}
        onClick={() => {
          setLeaving(true);
          void session.signOut();
        }}
      >
        Sign out
      </button>
    </span>
  );
}
