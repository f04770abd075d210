import { useEffect, useMemo } from 'preact/hooks';
import type { Api } from './api.js';
import { App } from './app.js';
import { createFeed } from './feed.js';
import { Loading } from './parts/basics.js';
import { FaultNote } from './parts/fault-note.js';
import { LapsedDialog } from './parts/lapsed-dialog.js';
import { SessionContext } from './session-context.js';
import type { Session } from './sign-in/index.js';
import { HandedOver, SignIn } from './views/sign-in.js';
import { useWatched } from './watched.js';

/** What is shown of the console depends on who is there. */
export function Gate({ api, session }: { api: Api; session: Session }) {
  useWatched(session);
  return (
    <SessionContext.Provider value={session}>{<Shown api={api} session={session} />}</SessionContext.Provider>
  );
}

function Shown({ api, session }: { api: Api; session: Session }) {
  const { state } = session;
  switch (state.kind) {
    case 'asking':
    case 'entering':
      return (
        <main id="main" class="sign-in">
          <Loading what={state.kind === 'asking' ? 'who may be here' : 'who you are'} />
        </main>
      );
    case 'away':
      return (
        <main id="main" class="sign-in">
          <h1>Endpoint register</h1>
          <FaultNote fault={state.fault} again />
        </main>
      );
    case 'out':
      return <SignIn session={session} state={state} />;
    case 'handed-over':
      return <HandedOver />;
    case 'open':
    case 'in':
    case 'lapsed':
      return <Inside api={api} session={session} />;
  }
}

/** Stays as it is while somebody signs in anew: what they were writing is in it. */
function Inside({ api, session }: { api: Api; session: Session }) {
  const { state } = session;
  const feed = useMemo(() => createFeed(api), [api]);
  useEffect(() => () => feed.close(), [feed]);
  return (
    <>
      <App api={api} feed={feed} />
      {state.kind === 'lapsed' && !state.dismissed && <LapsedDialog session={session} state={state} />}
    </>
  );
}
