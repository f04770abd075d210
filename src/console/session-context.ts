import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import type { Person, Session } from './sign-in/index.js';

export const SessionContext = createContext<Session | undefined>(undefined);

/** Draws the caller again when somebody comes or goes. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === undefined) throw new Error('A part stands outside of the session.');
  const [, draw] = useState(0);
  useEffect(() => session.watch(() => draw((count) => count + 1)), [session]);
  return session;
}

/** Who is signed in, or was until just now; `undefined` where nobody is asked. */
export function usePerson(): Person | undefined {
  const { state } = useSession();
  return state.kind === 'in' || state.kind === 'lapsed' ? state.person : undefined;
}
