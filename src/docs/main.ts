import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js';
import 'swagger-ui-dist/swagger-ui.css';
import { withoutPrefill } from './no-prefill.js';
import './page.css';

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
  plugins: [
    {
      statePlugins: {
        spec: { wrapActions: { updateSpec: (update) => (text) => update(withoutPrefill(text)) } },
      },
    },
  ],
});
