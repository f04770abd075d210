import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Person, Session } from './sign-in/index.js';
import { useWatched } from './watched.js';

export const SessionContext = createContext<Session | undefined>(undefined);

/** Draws the caller again when somebody comes or goes. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === undefined) throw new Error('A part stands outside of the session.');
  useWatched(session);
  return session;
}

/** Who is signed in, or was until just now; `undefined` where nobody is asked. */
export function usePerson(): Person | undefined {
  const { state } = useSession();
  return state.kind === 'in' || state.kind === 'lapsed' ? state.person : undefined;
}
