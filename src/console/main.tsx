import { render } from 'preact';
import { createApi } from './api.js';
import { Gate } from './gate.js';
import { askSignIn } from './operations.js';
import { createHandover, createProvider, createSession, takeArrival } from './sign-in/index.js';
import { applyTheme, readTheme } from './theme.js';
import './styles/theme.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/views.css';
import './styles/sign-in.css';
import './styles/small.css';

// first of all: what is in the address is good once, and must not stay there
const arrival = takeArrival();
applyTheme(readTheme());
const home = new URL('.', document.baseURI);
// relative to the page, so that every prefix works: /epr/console/ asks /epr/api/v1/
const base = new URL('../api/v1/', home);
const anonymous = createApi(base);
const session = createSession({
  ask: (tenant) => askSignIn(anonymous, tenant),
  provider: createProvider(),
  handover: createHandover(home.pathname),
  home: home.href,
});
void session.start(arrival);
render(<Gate api={createApi(base, session)} session={session} />, document.getElementById('console')!);
