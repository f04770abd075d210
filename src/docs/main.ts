import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js';
import 'swagger-ui-dist/swagger-ui.css';
import { createApi } from '../console/api.js';
import { askSignIn } from '../console/operations.js';
import { createHandover, createProvider, createSession, takeArrival } from '../console/sign-in/index.js';
import { withoutPrefill } from './no-prefill.js';
import { showSignInBar } from './sign-in-bar.js';
import './page.css';

// first of all: what is in the address is good once, and must not stay there
const arrival = takeArrival();
const home = new URL('.', document.baseURI);
const anonymous = createApi(new URL('../api/v1/', home));
const session = createSession({
  ask: (tenant) => askSignIn(anonymous, tenant),
  provider: createProvider(),
  handover: createHandover(home.pathname),
  home: home.href,
});
showSignInBar(session, document.getElementById('sign-in')!);
void session.start(arrival);

const dark = matchMedia('(prefers-color-scheme: dark)');
const paint = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', paint);
paint();

SwaggerUI({
  dom_id: '#docs',
  // the document beside this page: under whatever prefix it is, and behind whatever proxy
  url: '../api/v1/openapi.json',
  validatorUrl: null,
  deepLinking: true,
  filter: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  showExtensions: true,
  defaultModelsExpandDepth: 0,
  // a token that was entered by “Authorize” is another's, and comes before
  async requestInterceptor(request) {
    if (Object.keys(request.headers).some((name) => name.toLowerCase() === 'authorization')) return request;
    const granted = await session.token();
    if ('token' in granted && granted.token !== undefined)
      request.headers['Authorization'] = `Bearer ${granted.token}`;
    return request;
  },
  plugins: [
    {
      statePlugins: {
        spec: { wrapActions: { updateSpec: (update) => (text) => update(withoutPrefill(text)) } },
      },
    },
  ],
});
